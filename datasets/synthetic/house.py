"""The design of a town house: sizes, colours, and where its windows and doors are."""

from dataclasses import dataclass

import numpy as np

from recon.datasets.synthetic.meshes import Color
from recon.datasets.synthetic.textures import Texture, bricks, plaster

FLOOR = 3.2
GROUND_FLOOR = 3.7
WALL_COLORS: tuple[tuple[str, Color], ...] = (
    ("plaster", (0.86, 0.78, 0.62)),
    ("brick", (0.60, 0.30, 0.22)),
    ("plaster", (0.80, 0.62, 0.52)),
    ("plaster", (0.87, 0.86, 0.80)),
    ("brick", (0.70, 0.53, 0.36)),
    ("plaster", (0.62, 0.70, 0.70)),
    ("brick", (0.50, 0.26, 0.22)),
    ("plaster", (0.90, 0.80, 0.48)),
    ("plaster", (0.72, 0.75, 0.60)),
)


@dataclass(frozen=True)
class House:
    """The design of one town house."""

    wall: str
    """The name of its wall's material."""
    width: float
    depth: float
    floors: int
    """Above the ground floor."""
    bays: int
    """Windows side by side."""
    style: int
    """Row of the window atlas, and colour of the door and the sign."""
    shop: bool
    balconies: bool
    trim: Color
    shutters: Color | None
    mansard: bool
    """A roof with steep tiled flanks; else a flat one behind a parapet."""

    @property
    def height(self) -> float:
        """Of the front wall, metres."""
        return GROUND_FLOOR + FLOOR * self.floors + 0.35


def design(random: np.random.Generator, wall: str, width: float) -> House:
    """Invent a house of a given width."""
    trims: tuple[Color, ...] = ((0.88, 0.86, 0.80), (0.74, 0.71, 0.64), (0.80, 0.74, 0.64))
    shutters: tuple[Color | None, ...] = (None, None, None, (0.25, 0.40, 0.36), (0.36, 0.42, 0.52))
    return House(
        wall=wall,
        width=width,
        depth=9.0,
        floors=int(random.integers(2, 5)),
        bays=max(2, round(width / random.uniform(2.5, 3.0))),
        style=int(random.integers(4)),
        shop=bool(random.random() < 0.5),
        balconies=bool(random.random() < 0.35),
        trim=trims[random.integers(len(trims))],
        shutters=shutters[random.integers(len(shutters))],
        mansard=bool(random.random() < 0.6),
    )


def wall_texture(
    random: np.random.Generator, house: House, kind: str, color: Color, pixels_per_meter: float
) -> Texture:
    """Paint the whole front of a house."""
    size = (house.width, house.height)
    if kind == "brick":
        return bricks(random, size, pixels_per_meter, color)
    return plaster(random, size, pixels_per_meter, color)


Opening = tuple[float, float, float, float, str]
"""Left, bottom, right, top in metres, and what fills it: window, door or shop."""


def openings_of(house: House) -> list[Opening]:
    """Lay out the front: bays of windows above, a door and windows or shops at the ground."""
    pitch = house.width / house.bays
    middles = [(i + 0.5) * pitch for i in range(house.bays)]
    half = min(0.58, 0.5 * pitch - 0.4)
    openings: list[Opening] = []
    for floor in range(house.floors):
        bottom = GROUND_FLOOR + floor * FLOOR + 0.75
        openings += [(x - half, bottom, x + half, bottom + 1.85, "window") for x in middles]
    entrance = house.bays // 2
    for index, x in enumerate(middles):
        if index == entrance:
            openings.append((x - 0.55, 0.1, x + 0.55, 2.6, "door"))
        elif house.shop:
            wide = 0.5 * pitch - 0.18
            openings.append((x - wide, 0.12, x + wide, 2.65, "shop"))
        else:
            openings.append((x - half, 0.95, x + half, 2.75, "window"))
    return openings
