"""Which photos show LiDAR points, and where, computed for sources that did not record it.

A point is projected with its own position in the world and the photo's pose, through the photo's
lens; points that `recon.occlusion` finds hidden are not shown.

What cannot be known stays: points on things that moved between the sweep and the photo are off,
and what no laser hit hides nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from recon.camera import Intrinsics
from recon.datasets.photo_header import read_header
from recon.datasets.source import SourceView
from recon.errors import DataError
from recon.occlusion import hidden

NEAREST = 0.1
"""Units of length; what is nearer to a camera is part of it."""
WIDEST = np.tan(np.radians(85))
"""The largest x/z or y/z of a ray that is followed through a lens."""


def seen_points(
    positions: Float64[np.ndarray, "n 3"], views: Sequence[SourceView], sensors: Sequence[str]
) -> tuple[UInt8[np.ndarray, "n 2"], Float32[np.ndarray, "n 2 2"]]:
    """Find up to two photos that show each point; of more, the first.

    Args:
        positions: in the world of the views' poses.
        views: of the time step; those whose photos cannot be read see nothing.
        sensors: names of cameras, in the order in which they are numbered from 1.

    Returns:
        Each point's cameras, 0 for none, and x and y in their photos as stored.
    """
    cameras = np.zeros((len(positions), 2), np.uint8)
    pixels = np.zeros((len(positions), 2, 2), np.float32)
    for view in views:
        try:
            header = read_header(view.image)
        except DataError:
            continue
        lens = view.intrinsics.resized(header.width, header.height)
        places, depth = projected(positions, view.world_to_camera, lens)
        index = np.nonzero(depth > 0)[0]
        index = index[~hidden(places[index], depth[index], min(lens.fx, lens.fy))]
        for rank in (0, 1):
            free = cameras[index, rank] == 0
            cameras[index[free], rank] = sensors.index(view.sensor) + 1
            pixels[index[free], rank] = places[index[free]]
            index = index[~free]
    return cameras, pixels


def projected(
    positions: Float64[np.ndarray, "n 3"],
    world_to_camera: Float64[np.ndarray, "4 4"],
    lens: Intrinsics,
) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, " n"]]:
    """Return pixels in a photo as stored, and depths; 0 for points that are not on it."""
    local = positions @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    pixels, depth = np.zeros((len(local), 2)), local[:, 2].copy()
    depth[~(depth > NEAREST)] = 0
    x, y = local[:, :2].T / np.where(depth > 0, depth, 1)
    depth[~(np.maximum(np.abs(x), np.abs(y)) < WIDEST)] = 0
    if lens.distortion is not None:
        depth[np.hypot(x, y) > lens.distortion.limit(float(WIDEST))] = 0
    ahead = depth > 0
    x, y = x[ahead], y[ahead]
    with np.errstate(over="ignore", invalid="ignore"):
        if lens.distortion is not None:
            x, y = lens.distortion.distort(x, y)
        pixels[ahead] = np.stack([lens.fx * x + lens.cx, lens.fy * y + lens.cy], axis=-1)
    depth[~((pixels >= 0) & (pixels < [lens.width, lens.height])).all(axis=1)] = 0
    return pixels, depth
