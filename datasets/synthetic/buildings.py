"""Town houses: walls with real openings, recessed windows, doors, shops, cornices, roofs.

A house stands in its own frame: its front is the plane y = 0 and looks towards -y, its left end is
x = 0 and its foot z = 0.
"""

from itertools import pairwise

import numpy as np

from recon.datasets.synthetic.atlases import SIGNS, sign_at, strip_at, window_at
from recon.datasets.synthetic.house import FLOOR, GROUND_FLOOR, House, Opening, openings_of
from recon.datasets.synthetic.meshes import Color, Mesh, box, merge, quads, rectangle, tube
from recon.datasets.synthetic.roofs import roof
from recon.datasets.synthetic.scene import Pieces

RECESS = 0.17
"""How far windows lie behind the wall, metres."""


def build(random: np.random.Generator, house: House) -> Pieces:
    """Raise a house."""
    openings = openings_of(house)
    pieces: Pieces = [(house.wall, _wall(house, openings))]
    for opening in openings:
        pieces += _filling(random, house, opening)
    pieces += _trim(house)
    pieces += roof(random, house)
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
        uv = window_at(int(random.integers(4)), style)
    else:
        uv = strip_at(style if kind == "door" else (style + int(random.integers(2))) % 4)
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
        place = sign_at(house.style)
        board = rectangle((0.1, -0.1, 2.75), (w - 0.2, 0, 0), (0, 0, 0.62), place)
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
