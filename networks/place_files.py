"""Files of what is seen in rendered scenes, made where they are not there yet.

Still lifes have a seed each. A street has a seed too, and gives as many files as places to stand
at: it takes longer to build than to photograph.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from recon.datasets.synthetic.places import Place, still_life_place, street_places

SAMPLES = 9
"""Rays through each pixel of a sharp picture."""
OF_A_STREET = 24
"""Places in each street."""

Write = Callable[[Path, Place], None]
"""Writes what is seen from a place, whole or not at all."""


def of_still_lifes(
    folder: Path, first: int, count: int, width: int, height: int, write: Write
) -> Iterator[Path]:
    """Yield the file of each still life, as soon as it is there.

    Args:
        folder: of the files.
        first: seed.
        count: of still lifes, one seed after the other.
        width: in px.
        height: in px.
        write: makes a file that is not there.

    Raises:
        ResourceError: Mitsuba is not installed, or the folder may not be written to.
    """
    for seed in range(first, first + count):
        path = folder / f"still-{seed}.npz"
        if not path.exists():
            write(path, still_life_place(seed, width, height, SAMPLES))
        yield path


def of_streets(
    folder: Path, first: int, count: int, width: int, height: int, write: Write
) -> Iterator[Path]:
    """Yield the files of so many places in as many streets as they need; see `of_still_lifes`."""
    for begin in range(0, count, OF_A_STREET):
        seed, places = first + begin // OF_A_STREET, min(OF_A_STREET, count - begin)
        paths = [folder / f"street-{seed}-{i:02d}.npz" for i in range(places)]
        if all(path.exists() for path in paths):
            yield from paths
            continue
        there = street_places(seed, places, width, height, SAMPLES)
        for path, place in zip(paths, there, strict=True):
            if not path.exists():
                write(path, place)
            yield path
