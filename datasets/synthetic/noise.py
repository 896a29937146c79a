"""Seeded noise images, the grain of every texture."""

import cv2
import numpy as np
from jaxtyping import Float

Image = Float[np.ndarray, "h w"]

_FINE = 24
"""A cell is computed with this many pixels at most, and enlarged from there."""


def smooth_noise(
    random: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int]
) -> Image:
    """Return noise in [0, 1] over a lattice of cells[0] by cells[1] cells; it wraps around."""
    lattice = random.random(cells, dtype=np.float32)
    wrapped = np.pad(lattice, 2, mode="wrap")
    height, width = (min(size, _FINE * count) for size, count in zip(shape, cells, strict=True))
    rows = (np.arange(height, dtype=np.float32) + 0.5) * cells[0] / height + 1.5
    columns = (np.arange(width, dtype=np.float32) + 0.5) * cells[1] / width + 1.5
    x, y = np.meshgrid(columns, rows)
    noise = np.clip(cv2.remap(wrapped, x, y, cv2.INTER_CUBIC), 0, 1)
    if noise.shape == shape:
        return noise
    return cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR).astype(
        np.float32
    )


def fractal_noise(
    random: np.random.Generator,
    shape: tuple[int, int],
    cells: tuple[int, int],
    octaves: int = 5,
    gain: float = 0.5,
) -> Image:
    """Sum smooth noise over octaves, each twice as fine and `gain` as strong; mean about 0.5.

    Octaves finer than two pixels are left out.
    """
    total = np.zeros(shape, dtype=np.float32)
    weight, sum_of_weights = 1.0, 0.0
    for octave in range(octaves):
        fine = (cells[0] << octave, cells[1] << octave)
        if 2 * fine[0] > shape[0] or 2 * fine[1] > shape[1]:
            break
        total += weight * smooth_noise(random, shape, fine)
        sum_of_weights += weight
        weight *= gain
    return total / max(sum_of_weights, 1.0)
