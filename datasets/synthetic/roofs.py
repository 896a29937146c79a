"""Roofs of town houses: chimneys, parapets, mansards with dormers."""

import numpy as np

from recon.datasets.synthetic.atlases import window_at
from recon.datasets.synthetic.house import House
from recon.datasets.synthetic.meshes import box, merge, quads, rectangle, tube
from recon.datasets.synthetic.scene import Pieces


def roof(random: np.random.Generator, house: House) -> Pieces:
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
        flat = rectangle((0, 0, h), (w, 0, 0), (0, d, 0), color=(0.40, 0.39, 0.38))
        parapet = box((0, 0.05, h), (w, 0.25, h + 0.45), house.trim)
        return [*pieces, ("paint", merge([flat, parapet]))]
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
    uv = window_at(1, house.style)
    pane = rectangle((x - 0.46, 0.19, z + 0.1), (0.92, 0, 0), (0, 0, 1.4), uv)
    return [("paint", merge([body, cap])), ("window", pane)]
