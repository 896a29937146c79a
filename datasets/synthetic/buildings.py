"""Town houses: walls with real openings, recessed windows, doors, shops, cornices, roofs.

A house stands in its own frame: its front is the plane y = 0 and looks towards -y, its left end is
x = 0 and its foot z = 0.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recon.datasets.synthetic.meshes import Color, Mesh, box, merge, quads, rectangle, tube
from recon.datasets.synthetic.scene import Pieces
from recon.datasets.synthetic.textures import (
    Texture,
    bricks,
    door,
    plaster,
    shop_front,
    sign_board,
    window,
)

FLOOR = 3.2
GROUND_FLOOR = 3.7
RECESS = 0.17
"""How far windows lie behind the wall, metres."""
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
FRAMES: tuple[Color, ...] = (
    (0.92, 0.92, 0.90),
    (0.88, 0.85, 0.76),
    (0.20, 0.28, 0.25),
    (0.36, 0.23, 0.15),
)
DOORS: tuple[Color, ...] = (
    (0.16, 0.30, 0.24),
    (0.45, 0.13, 0.12),
    (0.17, 0.22, 0.38),
    (0.40, 0.27, 0.16),
)
SIGNS: tuple[Color, ...] = (
    (0.12, 0.30, 0.24),
    (0.55, 0.14, 0.14),
    (0.90, 0.84, 0.62),
    (0.13, 0.18, 0.34),
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


def window_atlas(random: np.random.Generator) -> Texture:
    """Draw four windows for each of four frames, one frame a row."""
    rows = [np.concatenate([window(random, frame) for _ in range(4)], axis=1) for frame in FRAMES]
    return np.concatenate(rows[::-1])


def door_atlas(random: np.random.Generator) -> Texture:
    """Draw the four doors side by side."""
    return np.concatenate([door(random, color) for color in DOORS], axis=1)


def shop_atlas(random: np.random.Generator) -> Texture:
    """Draw four shop windows side by side, framed in the colours of the signs."""
    return np.concatenate([shop_front(random, color) for color in SIGNS], axis=1)


def sign_atlas(random: np.random.Generator) -> Texture:
    """Draw the four fascias, the first at the bottom."""
    return np.concatenate([sign_board(random, color) for color in SIGNS][::-1])


def _strip(index: int) -> tuple[float, float, float, float]:
    return index / 4, 0.0, (index + 1) / 4, 1.0


Opening = tuple[float, float, float, float, str]
"""Left, bottom, right, top in metres, and what fills it: window, door or shop."""


def _openings(house: House) -> list[Opening]:
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


def build(random: np.random.Generator, house: House) -> Pieces:
    """Raise a house."""
    openings = _openings(house)
    pieces: Pieces = [(house.wall, _wall(house, openings))]
    for opening in openings:
        pieces += _filling(random, house, opening)
    pieces += _trim(house)
    pieces += _roof(random, house)
    w, d, h = house.width, house.depth, house.height
    gables = [
        rectangle((0, d, 0), (0, -d, 0), (0, 0, h), (0, 0, 0.7, 1)),
        rectangle((w, 0, 0), (0, d, 0), (0, 0, h), (0, 0, 0.7, 1)),
        rectangle((w, d, 0), (-w, 0, 0), (0, 0, h)),
    ]
    return [*pieces, (house.wall, merge(gables))]


def _wall(house: House, openings: list[Opening]) -> Mesh:
    """Cut the front into rectangles along all edges and leave out those inside an opening."""
    xs = np.unique([0.0, house.width, *(e for o in openings for e in (o[0], o[2]))])
    zs = np.unique([0.0, house.height, *(e for o in openings for e in (o[1], o[3]))])
    kept = []
    for x0, x1 in pairwise(xs):
        for z0, z1 in pairwise(zs):
            x, z = (x0 + x1) / 2, (z0 + z1) / 2
            if not any(o[0] < x < o[2] and o[1] < z < o[3] for o in openings):
                kept.append([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)])
    corners = np.array(kept, dtype=np.float64)
    uv = corners[..., [0, 2]] / [house.width, house.height]
    return quads(corners, uv)


def _filling(random: np.random.Generator, house: House, opening: Opening) -> Pieces:
    """Put a pane behind an opening, the wall's thickness around it, a sill and shutters."""
    x0, z0, x1, z1, kind = opening
    w, h, d = x1 - x0, z1 - z0, RECESS if kind == "window" else 0.3
    style = house.style
    if kind == "window":
        column = int(random.integers(4))
        uv = (column / 4, style / 4, (column + 1) / 4, (style + 1) / 4)
    else:
        uv = _strip(style if kind == "door" else (style + int(random.integers(2))) % 4)
    reveal = [
        rectangle((x0, 0, z0), (0, d, 0), (0, 0, h), color=house.trim),
        rectangle((x1, d, z0), (0, -d, 0), (0, 0, h), color=house.trim),
        rectangle((x0, 0, z0), (w, 0, 0), (0, d, 0), color=house.trim),
        rectangle((x0, d, z1), (w, 0, 0), (0, -d, 0), color=house.trim),
    ]
    pieces: Pieces = [(kind, rectangle((x0, d, z0), (w, 0, 0), (0, 0, h), uv))]
    pieces += [("paint", merge(reveal))]
    if kind == "window":
        sill = box((x0 - 0.1, -0.09, z0 - 0.09), (x1 + 0.1, 0.02, z0), house.trim)
        lintel = box((x0 - 0.12, -0.04, z1), (x1 + 0.12, 0.02, z1 + 0.16), house.trim)
        pieces += [("paint", sill), ("paint", lintel)]
        if house.shutters and z0 > GROUND_FLOOR:
            for left in (x0 - 0.52, x1 + 0.04):
                leaf = box((left, -0.06, z0), (left + 0.48, 0.0, z1), house.shutters)
                pieces.append(("paint", leaf))
        if house.balconies and GROUND_FLOOR < z0 < GROUND_FLOOR + 2 * FLOOR:
            pieces.append(("paint", _balcony(x0 - 0.25, x1 + 0.25, z0 - 0.25)))
    if kind == "door":
        step = box((x0 - 0.2, -0.35, 0), (x1 + 0.2, 0.3, 0.12), (0.62, 0.60, 0.56))
        pieces.append(("paint", step))
    return pieces


def _balcony(x0: float, x1: float, z: float) -> Mesh:
    """Hang a small balcony with iron bars under a window."""
    iron: Color = (0.10, 0.11, 0.12)
    bars = [box((x, -0.62, z), (x + 0.022, -0.60, z + 0.85), iron) for x in np.arange(x0, x1, 0.14)]
    for x in (x0, x1 - 0.022):
        bars += [
            box((x, y, z), (x + 0.022, y + 0.02, z + 0.85), iron)
            for y in np.arange(-0.6, -0.05, 0.14)
        ]
        bars.append(box((x, -0.63, z + 0.85), (x + 0.03, 0.0, z + 0.89), iron))
    bars.append(box((x0, -0.64, z + 0.85), (x1, -0.59, z + 0.89), iron))
    bars.append(box((x0 - 0.05, -0.66, z - 0.12), (x1 + 0.05, 0.05, z), (0.70, 0.68, 0.63)))
    return merge(bars)


def _trim(house: House) -> Pieces:
    """Add the plinth, the string courses, the cornice, the rain pipe, and a shop's fascia."""
    w, h, trim = house.width, house.height, house.trim
    parts = [
        box((0, -0.12, h - 0.42), (w, 0.0, h - 0.22), trim),
        box((-0.02, -0.30, h - 0.22), (w + 0.02, 0.02, h), trim),
        box((0, -0.07, GROUND_FLOOR - 0.12), (w, 0.0, GROUND_FLOOR + 0.06), trim),
    ]
    parts += [
        box((x, -0.24, h - 0.40), (x + 0.12, 0, h - 0.22), trim)
        for x in np.arange(0.2, w - 0.2, 0.55)
    ]
    pipe = np.array([[w - 0.16, -0.1, 0.1], [w - 0.16, -0.1, h / 2], [w - 0.16, -0.1, h - 0.25]])
    parts.append(tube(pipe, np.full(3, 0.05), 8, (0.45, 0.47, 0.47)))
    pieces: Pieces = [("paint", merge(parts))]
    if house.shop:
        v = house.style / 4
        board = rectangle((0.1, -0.1, 2.75), (w - 0.2, 0, 0), (0, 0, 0.62), (0, v, 1, v + 0.25))
        pieces.append(("sign", board))
        pieces.append(("paint", box((0.1, -0.098, 2.73), (w - 0.1, 0, 3.39), SIGNS[house.style])))
        pieces.append(("paint", _awning(w, SIGNS[house.style])))
    return pieces


def _awning(width: float, color: Color) -> Mesh:
    """Stretch a striped awning over the left bay of a shop."""
    edges = np.linspace(0.3, min(0.42 * width, 4.2), 15)
    stripes = []
    for index, (x0, x1) in enumerate(pairwise(edges)):
        tone = color if index % 2 else (0.92, 0.90, 0.85)
        out, low, high = -1.15, 2.30, 2.72
        slope = rectangle((x0, out, low), (x1 - x0, 0, 0), (0, -out - 0.1, high - low), color=tone)
        flap = rectangle((x0, out, low - 0.2), (x1 - x0, 0, 0), (0, 0, 0.2), color=tone)
        stripes += [slope, flap]
    return merge(stripes)


def _roof(random: np.random.Generator, house: House) -> Pieces:
    """Close the house at the top."""
    w, d, h = house.width, house.depth, house.height
    chimney = box((0.2 * w, d / 2, h), (0.2 * w + 1.1, d / 2 + 0.6, h + 4.2), (0.55, 0.34, 0.27))
    pots = [
        tube(np.array([[x, d / 2 + 0.3, h + z] for z in (4.2, 4.4, 4.7)]), np.full(3, 0.12), 8,
             (0.62, 0.38, 0.28))
        for x in (0.2 * w + 0.3, 0.2 * w + 0.8)
    ]  # fmt: skip
    pieces: Pieces = [("paint", merge([chimney, *pots]))]
    if not house.mansard:
        roof = rectangle((0, 0, h), (w, 0, 0), (0, d, 0), color=(0.40, 0.39, 0.38))
        parapet = box((0, 0.05, h), (w, 0.25, h + 0.45), house.trim)
        return [*pieces, ("paint", merge([roof, parapet]))]
    rise, run = 2.7, 1.5
    slope = rectangle((0, 0.02, h), (w, 0, 0), (0, run, rise), (0, 0, w, 3.1))
    back = rectangle((w, d, h), (-w, 0, 0), (0, -run, rise), (0, 0, w, 3.1))
    top = rectangle((0, run, h + rise), (w, 0, 0), (0, d - 2 * run, 0), color=(0.38, 0.37, 0.37))
    ends = [
        quads(np.array([[[x, 0, h], [x, d, h], [x, d - run, h + rise], [x, run, h + rise]]]),
              color=(0.56, 0.44, 0.38))
        for x in (0.0, w)
    ]  # fmt: skip
    pieces += [("roof", merge([slope, back])), ("paint", merge([top, *ends]))]
    for x in np.linspace(0, w, house.bays + 1)[:-1] + w / house.bays / 2:
        if random.random() < 0.75:
            pieces += _dormer(float(x), h + 0.45, house)
    return pieces


def _dormer(x: float, z: float, house: House) -> Pieces:
    """Set a window into the mansard."""
    body = box((x - 0.62, 0.2, z), (x + 0.62, 1.5, z + 1.6), house.trim)
    cap = box((x - 0.72, 0.08, z + 1.6), (x + 0.72, 1.6, z + 1.74), (0.36, 0.36, 0.38))
    uv = (0.25, house.style / 4, 0.5, (house.style + 1) / 4)
    pane = rectangle((x - 0.46, 0.19, z + 0.1), (0.92, 0, 0), (0, 0, 1.4), uv)
    return [("paint", merge([body, cap])), ("window", pane)]
