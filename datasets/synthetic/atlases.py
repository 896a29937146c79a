"""Textures with several windows, doors, shops or signs side by side, and where each one lies."""

import numpy as np

from recon.datasets.synthetic.meshes import Color, Rectangle
from recon.datasets.synthetic.textures import Texture, door, shop_front, sign_board, window

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

VARIANTS = 4
"""Of every kind, so that a house's style is one number below this."""


def window_atlas(random: np.random.Generator) -> Texture:
    """Draw four windows for each of four frames, one frame a row."""
    rows = [
        np.concatenate([window(random, frame, behind) for behind in range(VARIANTS)], axis=1)
        for frame in FRAMES
    ]
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


def window_at(column: int, style: int) -> Rectangle:
    """Return where a window lies in its atlas: a column for what is behind, a row for the frame."""
    return column / 4, style / 4, (column + 1) / 4, (style + 1) / 4


def strip_at(index: int) -> Rectangle:
    """Return where a door or a shop lies in its atlas."""
    return index / 4, 0.0, (index + 1) / 4, 1.0


def sign_at(style: int) -> Rectangle:
    """Return where a fascia lies in its atlas."""
    return 0.0, style / 4, 1.0, (style + 1) / 4
