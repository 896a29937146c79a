"""Points for a fit to begin with, from LiDAR sweeps: thinned in voxels, coloured by the photos."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8
from PIL import Image

from recon.ahead import each
from recon.datasets.drive_source import SourceBoxes, SourceReturns, SourceSweep
from recon.datasets.poses import FARTHEST
from recon.datasets.source import SourcePoints
from recon.datasets.stored_image import ImageSource, open_bytes
from recon.errors import DataError
from recon.moving import in_boxes

SWEEPS = 16
"""At most so many sweeps are read, evenly chosen: a street is seen again and again."""
SHRINK = 4
"""Photos are decoded at about this part of their size, which is enough for a first colour."""
GREY = 128
"""Of points that no photo shows."""

Photos = Mapping[tuple[str, int | None], ImageSource]
"""By sensor and time step."""


def lidar_points(
    sweeps: Sequence[SourceSweep],
    boxes: Mapping[int, SourceBoxes],
    photos: Photos,
    voxel: float,
    warnings: list[str],
) -> SourcePoints | None:
    """Gather points of several sweeps, one in each voxel.

    Args:
        sweeps: those that may be used.
        boxes: by time step, of the objects that move; points in them are left out.
        photos: those that may be used, for colours.
        voxel: edge of a voxel.
        warnings: grows by what was found missing.

    Returns:
        None where no sweep has any return.
    """
    chosen = sweeps[:: -(-len(sweeps) // SWEEPS)] if sweeps else []
    parts = [
        thinned_sweep(returns, sweep, boxes, photos, voxel, warnings)
        for sweep, returns in zip(chosen, each(SourceSweep.read_shown, chosen), strict=True)
    ]
    if not parts:
        return None
    positions, colors, known = (np.concatenate(column) for column in zip(*parts, strict=True))
    if len(positions) == 0:
        warnings.append("the LiDAR sweeps hold no return; the fit starts without points")
        return None
    # Lasers see all around; what no photo shows has no colour and no part in the fit.
    shown = known if known.any() else np.ones(len(known), np.bool_)
    positions, colors = positions[shown], colors[shown]
    kept = thinned(positions, known[shown], voxel)
    return SourcePoints(positions[kept], colors[kept])


def thinned_sweep(
    returns: SourceReturns,
    sweep: SourceSweep,
    boxes: Mapping[int, SourceBoxes],
    photos: Photos,
    voxel: float,
    warnings: list[str],
) -> tuple[Float64[np.ndarray, "n 3"], UInt8[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """Return one sweep's standing points, thinned, their colours, and whether a photo gave them."""
    colors, known = colored(returns, sweep, photos, warnings)
    known_places = (np.abs(returns.positions) < FARTHEST).all(axis=1)
    still = np.nonzero(known_places & standing(returns.positions, boxes.get(sweep.step)))[0]
    kept = still[thinned(returns.positions[still], known[still], voxel)]
    return returns.positions[kept], colors[kept], known[kept]


def thinned(
    positions: Float64[np.ndarray, "n 3"], preferred: Bool[np.ndarray, " n"], voxel: float
) -> Int64[np.ndarray, " m"]:
    """Return the first point of each voxel, a preferred one where there is one."""
    if len(positions) == 0:
        return np.zeros(0, np.int64)
    cells = np.floor(positions / voxel).astype(np.int64)
    cells -= cells.min(axis=0)
    sizes = cells.max(axis=0) + 1
    keys = (cells[:, 0] * sizes[1] + cells[:, 1]) * sizes[2] + cells[:, 2]
    order = np.concatenate([np.nonzero(preferred)[0], np.nonzero(~preferred)[0]])
    _, first = np.unique(keys[order], return_index=True)
    return np.sort(order[first])


def standing(
    positions: Float64[np.ndarray, "n 3"], boxes: SourceBoxes | None
) -> Bool[np.ndarray, " n"]:
    """Return which points lie in no box."""
    if boxes is None:
        return np.ones(len(positions), np.bool_)
    return ~in_boxes(positions, boxes.poses, boxes.sizes)


def colored(
    returns: SourceReturns, sweep: SourceSweep, photos: Photos, warnings: list[str]
) -> tuple[UInt8[np.ndarray, "n 3"], Bool[np.ndarray, " n"]]:
    """Look up the points' colours in the photos of their time step.

    Returns:
        The colours, and which of them a photo showed.
    """
    colors = np.full((len(returns), 3), GREY, np.uint8)
    seen = np.zeros(len(returns), np.bool_)
    for number, sensor in enumerate(sweep.sensors, start=1):
        here = returns.sensors == number
        if not here.any() or (sensor, sweep.step) not in photos:
            continue
        try:
            small, width, height = thumbnail(photos[sensor, sweep.step])
        except (DataError, OSError) as error:
            warnings.append(f"no colours from {photos[sensor, sweep.step]}: {error}")
            continue
        for which in (0, 1):
            index = np.nonzero(here[:, which] & ~seen)[0]
            colors[index] = look_up(small, returns.pixels[index, which], width, height)
            seen[index] = True
    return colors, seen


def thumbnail(photo: ImageSource) -> tuple[UInt8[np.ndarray, "h w 3"], int, int]:
    """Decode a photo at a part of its size, and return it with its full width and height."""
    with open_bytes(photo) as file, Image.open(file) as image:
        width, height = image.size
        image.draft("RGB", (width // SHRINK, height // SHRINK))
        return np.asarray(image.convert("RGB")), width, height


def look_up(
    small: UInt8[np.ndarray, "h w 3"], pixels: Float32[np.ndarray, "n 2"], width: int, height: int
) -> UInt8[np.ndarray, "n 3"]:
    """Return the colours at pixels of a photo of which a smaller one is at hand."""
    rows, columns = small.shape[:2]
    column = np.clip(pixels[:, 0] * (columns / width), 0, columns - 1).astype(np.int64)
    row = np.clip(pixels[:, 1] * (rows / height), 0, rows - 1).astype(np.int64)
    return np.asarray(small[row, column])
