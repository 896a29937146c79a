"""Sharp pictures and how near everything in them is, from which pairs for training are made.

Which seeds are for what was decided before anything was trained, and no seed is in two lists:

* still lifes 100,000 and up, and streets 100,000 and up, teach;
* still lifes `TRIED_STILLS` and streets `TRIED_STREETS` decide between designs;
* still lifes `HELD_STILLS` and streets `HELD_STREETS` are for the figures that are told, and for
  nothing else.
"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import numpy as np

from recon.datasets.synthetic.painted import Painted
from recon.datasets.synthetic.places import Place
from recon.errors import DataError, first_line
from recon.files import replacing
from recon.networks.place_files import of_still_lifes, of_streets

FIRST = 100_000
"""The first seed that teaches."""
TRIED_STILLS, TRIED_STREETS = tuple(range(80_000, 80_012)), (80_000, 80_001)
HELD_STILLS, HELD_STREETS = tuple(range(90_000, 90_006)), (90_000, 90_001, 90_002)


def rendered(
    folder: Path,
    count: int,
    width: int,
    height: int,
    tell: Callable[[int], None],
    first: int = FIRST,
) -> list[Painted]:
    """Return scenes from a folder, and render those that it lacks; one in three is of a street.

    Args:
        folder: of one file for each scene.
        count: of scenes.
        width: in px.
        height: in px.
        tell: called with the number of scenes that are there.
        first: seed of both kinds.

    Raises:
        DataError: a file in the folder is not such a scene.
        ResourceError: Mitsuba is not installed, or the folder may not be written to.
    """
    folder = folder / f"{width}x{height}"
    stills = of_still_lifes(folder, first, count - count // 3, width, height, _write)
    streets = of_streets(folder, first, count // 3, width, height, _write)
    paths = []
    for path in chain(stills, streets):
        paths.append(path)
        tell(len(paths))
    return [_read(path) for path in paths]


def _write(path: Path, place: Place) -> None:
    light, nearness = place.sharp()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, light=light.astype(np.float16), nearness=nearness)


def _read(path: Path) -> Painted:
    try:
        with np.load(path) as file:
            return Painted(file["light"].astype(np.float32), file["nearness"])
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path}: not a scene to train with ({first_line(error)}). Delete it; it is made again."
        ) from error
