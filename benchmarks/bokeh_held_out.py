"""Renders of scenes that no maker of bokeh was taught with: sharp, exact depth, and by a lens.

python -m benchmarks.bokeh_held_out FOLDER
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.places import Place, still_life_place, street_places
from recon.files import replacing
from recon.networks.bokeh_scenes import HELD_STILLS, HELD_STREETS

WIDTH, HEIGHT = 320, 240
STRENGTHS = (10.0, 20.0, 30.0)
"""px·m."""
SAMPLES, FINER = 9, 3
"""81 rays through the lens for each pixel."""
OF_A_STREET = 2


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One place, as it is."""

    name: str
    kind: str
    """still or street."""
    focal: float
    """px."""
    light: Float[np.ndarray, "h w 3"]
    """Sharp, linear."""
    nearness: Float[np.ndarray, "h w"]
    """1/m."""
    lens: Float[np.ndarray, "n h w 3"]
    """Through a lens of each of `STRENGTHS` focused at infinity, linear."""


def held_out(folder: Path) -> Iterator[HeldOut]:
    """Return all places from a folder, and render those that it lacks."""
    for seed in HELD_STILLS:
        path = folder / f"still-{seed}.npz"
        if not path.exists():
            _write(path, still_life_place(seed, WIDTH, HEIGHT, SAMPLES))
        yield _read(path)
    for seed in HELD_STREETS:
        paths = [folder / f"street-{seed}-{i}.npz" for i in range(OF_A_STREET)]
        if not all(path.exists() for path in paths):
            places = street_places(seed, OF_A_STREET, WIDTH, HEIGHT, SAMPLES)
            for path, place in zip(paths, places, strict=True):
                _write(path, place)
        yield from map(_read, paths)


def _write(path: Path, place: Place) -> None:
    light, nearness = place.sharp()
    lens = np.stack([place.through(strength, FINER) for strength in STRENGTHS])
    with replacing(path) as temporary, temporary.open("wb") as file:
        focal = place.pinhole.focal_length
        np.savez_compressed(file, light=light, nearness=nearness, lens=lens, focal=focal)


def _read(path: Path) -> HeldOut:
    with np.load(path) as file:
        maps = file["light"], file["nearness"], file["lens"]
        return HeldOut(path.stem, path.stem.split("-")[0], float(file["focal"]), *maps)


if __name__ == "__main__":
    for one in held_out(Path(sys.argv[1])):
        print(one.name, flush=True)
