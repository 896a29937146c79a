"""Which photos of one thing a hand has shaken, told by the direction in which they lack detail.

A motion by so many pixels takes fine waves along its direction away and leaves those across it,
while defocus takes all alike. What a scene has of either, its other photos tell.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

LARGEST = 480
"""px; the longer side at which photos are looked at."""
FEWEST = 3
"""Photos; of fewer one cannot say which is the odd one."""
BAND = (0.06, 0.2)
"""Waves per px there that are compared."""
WEDGES = 12
"""Directions that are told apart."""
SHAKEN = 0.7
"""From here a photo may be shaken. Six focal stacks that are not stay below 0.5, one of a painted
scene with stripes at one depth reaches 1.5; so this is a hint, no verdict. Motion by 12 px, in
photos 190 to 480 px across, gives 0.7 to 2.2, by 7 px 0.4 to 1.3."""


def unevenness(photos: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float64[np.ndarray, " n"]:
    """Return how much less detail each photo has in one direction than in most, as ln of energy.

    Both are against the median of the photos; 0 for fewer than `FEWEST`.

    Args:
        photos: sRGB, of one thing, in any focus; of one size.
    """
    if len(photos) < FEWEST:
        return np.zeros(len(photos))
    energies = np.stack([_energies(photo) for photo in photos])
    apart = energies - np.median(energies, 0)
    lacking: np.ndarray = np.median(apart, 1) - apart.min(1)
    return lacking


def _energies(photo: UInt8[np.ndarray, "h w 3"]) -> Float64[np.ndarray, " k"]:
    """Return ln of the energy of a photo's waves in each direction."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = min(1.0, LARGEST / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((small - small.mean()) * window)) ** 2
    down, across = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    fineness, angle = np.hypot(across, down), np.arctan2(down, across)
    inside = (fineness > BAND[0]) & (fineness < BAND[1])
    # A wave and its opposite are one; what lies on a border is of the next direction.
    wedge = np.floor((angle % np.pi) / np.pi * WEDGES + 0.5).astype(int) % WEDGES
    return np.array([np.log(power[inside & (wedge == k)].mean() + 1e-6) for k in range(WEDGES)])
