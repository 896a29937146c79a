"""Rendered photos with exact depth, from which attention over focus learns without anybody's data.

For METER's KITTI weights they are streets seen from a car, for its NYU weights still lifes. Which
seeds are for what was decided before anything was trained: 100,000 and up teach, 80,000 and up
decide between designs, as for the light generator of bokeh; streets below 100 are for reports.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from recon.datasets.synthetic.places import Place
from recon.errors import DataError, first_line
from recon.files import replacing
from recon.networks.focus_examples import Photograph
from recon.networks.meter_canvas import MeterVariant
from recon.networks.place_files import of_still_lifes, of_streets
from recon.srgb import to_srgb
from recon.types import Camera, DepthMap

FIRST, TRIED = 100_000, 80_000
"""The first seed that teaches, and the first that decides between designs."""
SIZE: dict[MeterVariant, tuple[int, int]] = {"kitti": (512, 184), "nyu": (320, 240)}
"""px; a street's camera sees as many rows as METER's, and somewhat fewer columns."""


def rendered(
    folder: Path, variant: MeterVariant, first: int, count: int, tell: Callable[[int], None]
) -> Iterator[Photograph]:
    """Return photos from a folder, and render those that it lacks.

    Args:
        folder: of one file for each photo.
        variant: of METER, for which they are.
        first: seed.
        count: of photos.
        tell: called with the number of photos that are there.

    Raises:
        DataError: a file in the folder is not such a photo.
        ResourceError: Mitsuba is not installed, or the folder may not be written to.
    """
    made = of_streets if variant == "kitti" else of_still_lifes
    for index, path in enumerate(made(folder, first, count, *SIZE[variant], _write)):
        tell(index + 1)
        yield _read(path)


def _write(path: Path, place: Place) -> None:
    light, nearness = place.sharp()
    encoded = to_srgb(torch.from_numpy(light)).clamp(0, 1)
    pixels = (255 * encoded).round().to(torch.uint8).numpy()
    focal = place.pinhole.focal_length
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, pixels=pixels, nearness=nearness, focal=focal)


def _read(path: Path) -> Photograph:
    try:
        with np.load(path) as file:
            pixels, nearness = file["pixels"], file["nearness"]
            focal = float(file["focal"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a photo to train with ({first_line(error)}). Delete it; it is made again."
        ) from error
    height, width = nearness.shape
    camera = Camera(torch.eye(4), focal, focal, width / 2, height / 2, width, height)
    inverse = torch.from_numpy(nearness)
    depth = DepthMap(torch.where(inverse > 0, 1 / inverse, 0.0), inverse > 0)
    return Photograph(torch.from_numpy(pixels), camera, depth)
