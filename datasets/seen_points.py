"""Which photos show LiDAR points, and where, computed for sources that did not record it.

A point is projected with its own position in the world and the photo's pose, through the photo's
lens. It may still be hidden: the laser looks from another place than the camera. A point counts as
hidden where the same sweep measured clearly nearer points on two opposite sides of it within half a
degree. The inverse of depth is linear over the image of a plane, so no plane hides itself, however
slanted: a road stays whole to the horizon, while what shows through behind a car goes.

What cannot be known stays: points on things that moved between the sweep and the photo are off,
and what no laser hit hides nothing.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from recon.camera import Intrinsics
from recon.datasets.photo_header import read_header
from recon.datasets.source import SourceView
from recon.errors import DataError

NEAREST = 0.1
"""Units of length; what is nearer to a camera is part of it."""
WIDEST = np.tan(np.radians(85))
"""The largest x/z or y/z of a ray that is followed through a lens."""
CELL = np.radians(1 / 8)
"""Edge of the cells in which neighbours are looked for; a pixel where pixels are larger."""
REACH = 4
"""Cells; together half a degree, which is wider than the gap between the beams of a car's LiDAR."""
NEARER_BY = 0.3
"""Units of length by which a point must be nearer to hide another: LiDAR is not exact."""
STRAY, CLOSEST = 2, 1.0
"""Neighbours are up to two cells off the line through the point. Over them the inverse depth of a
plane that passes the camera in a unit of length, or farther, changes by less than is asked for."""


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
        index = index[~hidden(places[index], depth[index], lens)]
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


def hidden(
    pixels: Float64[np.ndarray, "n 2"], depth: Float64[np.ndarray, " n"], lens: Intrinsics
) -> Bool[np.ndarray, " n"]:
    """Return which points lie behind others, as the module says."""
    focal = min(lens.fx, lens.fy)
    cell = max(CELL * focal, 1.0)
    column, row = (pixels / cell).astype(np.int64).T
    inverse = np.zeros((int(lens.height / cell) + 1, int(lens.width / cell) + 1))
    np.maximum.at(inverse, (row, column), 1 / depth)
    with np.errstate(divide="ignore"):
        needed = np.where(depth > NEARER_BY, 1 / (depth - NEARER_BY), np.inf)
    beside = np.maximum(both_sides(inverse, axis=0), both_sides(inverse, axis=1))
    slack = STRAY * cell / focal / CLOSEST
    return np.asarray(beside[row, column] > np.maximum(needed, 1 / depth + slack))


def both_sides(inverse: Float64[np.ndarray, "r c"], axis: int) -> Float64[np.ndarray, "r c"]:
    """Return the inverse depth that is reached on both sides of each cell along an axis.

    Lines of beams are not exactly rows, so a cell's neighbours across the axis count with it.
    """
    wide = maximum_filter1d(inverse, 3, axis=1 - axis, mode="constant")
    margin = [(0, 0), (0, 0)]
    margin[axis] = (REACH, REACH)
    largest = sliding_window_view(np.pad(wide, margin), REACH, axis=axis).max(axis=-1)
    count = inverse.shape[axis]
    before, after = (largest.take(np.arange(i, i + count), axis) for i in (0, REACH + 1))
    return np.asarray(np.minimum(before, after))
