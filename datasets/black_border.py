"""The black border that undistortion leaves: the same pixels of every photo, and no scene in them.

Left in, it is learned as black things close to every camera, and a rim of one pixel caps PSNR near
23 dB.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from recon.datasets.decode import decode
from recon.datasets.stored_image import ImageSource

SAMPLED = 8
"""Photos that are looked at, spread over the capture."""
LEAST = 4
"""Of fewer photos, nothing can be said."""
BLACK = 16
"""8 bit; JPEG leaves a little light in black."""
REACH = 2
"""Pixels beside the border in which it is mixed with the photo."""
FEWEST = 0.0005
"""A smaller share of the photo is dark by chance: a rim one pixel wide is more."""
MOST = 0.05
"""A larger share of the photo is no border but a dark scene."""


def black_border(
    photos: Sequence[ImageSource], upright: bool, background: tuple[float, float, float]
) -> Bool[np.ndarray, "h w"] | None:
    """Find the pixels at the edge that are black in every photo of one camera; None where none are.

    Args:
        photos: of one size.
        upright: turn by the EXIF orientation first.
        background: behind transparent pixels.
    """
    if len(photos) < LEAST:
        return None
    chosen = np.linspace(0, len(photos) - 1, min(SAMPLED, len(photos))).round().astype(int)
    brightest = decode(photos[chosen[0]], upright, background).max(-1)
    for i in chosen[1:]:
        pixels = decode(photos[i], upright, background).max(-1)
        if pixels.shape != brightest.shape:
            return None
        brightest = np.maximum(brightest, pixels)
    return border_of(brightest)


def border_of(brightest: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"] | None:
    """Find the black pixels that touch the edge, and what lies close beside them.

    Args:
        brightest: the largest value that each pixel has in any photo.
    """
    black = (brightest <= BLACK).astype(np.uint8)
    _, parts = cv2.connectedComponents(black, connectivity=8)
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    border = np.isin(parts, rim[rim > 0]).astype(np.uint8)
    if not FEWEST <= border.mean() <= MOST:
        return None
    return cv2.dilate(border, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) > 0
