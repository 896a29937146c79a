"""How far each part of a photo is out of focus, told from the photo alone.

A step blurred by a Gaussian of variance s² has gradients whose squares sum to something that falls
as 1/s. So the energy of the gradients of a photo blurred a little more, by a² and by b², tells s:
the ratio of the two is r = sqrt((s² + b²) / (s² + a²)), hence s² = (b² - r² a²) / (r² - 1). The
idea is that of Zhuo and Sim 2011, "Defocus map estimation from a single image", section 3, over
windows instead of single edges. Finer texture than steps only raises the ratio, which counts as
sharp.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

from recon.optics import REFERENCE_WIDTH

LITTLE, MORE = 1.0, 2.0
"""px; standard deviations of the blurs that are compared."""
WINDOW = 0.03
"""Standard deviation of the window around a pixel, in widths of the photo."""
FAINTEST = 1.0
"""Root mean square of gradients in a window, in 8 bit steps a pixel; below it is no texture."""
WIDEST = 40.0
"""px; larger circles of confusion are not told apart."""
IN_FOCUS = 2.0
"""px; the largest estimate that counts as sharp, in a photo REFERENCE_WIDTH px wide. Texture finer
than steps makes estimates too small: on the synthetic street at f/0.4, 320 px wide, 97 % of pixels
with circles below 3 px are kept, 4 of 5 from 3 to 6 px, and 1 of 4 beyond."""
PIXELS = 2.5
"""px; an estimate that pixels alone can give."""


def confusion(photo: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
    """Return about how large circles of confusion are, in px; NaN where there is no texture.

    A disc of diameter c counts as a Gaussian of standard deviation c / 4. What no lens has blurred,
    but pixels have, comes out at 1 to 2 px.
    """
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    window = WINDOW * photo.shape[1]
    fine, coarse = (_energy(grey, sigma, window) for sigma in (LITTLE, MORE))
    with np.errstate(divide="ignore", invalid="ignore"):
        square = (fine / coarse) ** 2
        variance = (MORE**2 - square * LITTLE**2) / (square - 1)
    variance = np.where(square > 1, np.clip(variance, 0, (WIDEST / 4) ** 2), (WIDEST / 4) ** 2)
    circles = np.where(fine >= FAINTEST**2, 4 * np.sqrt(variance), np.nan)
    return circles.astype(np.float32)


def in_focus(photo: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Return the pixels that are sharp, and those without texture, which look alike either way."""
    circles = confusion(photo)
    largest = max(PIXELS, IN_FOCUS * photo.shape[1] / REFERENCE_WIDTH)
    sharp: np.ndarray = np.isnan(circles) | (circles <= largest)
    return sharp


def _energy(
    grey: Float32[np.ndarray, "h w"], sigma: float, window: float
) -> Float32[np.ndarray, "h w"]:
    """Return the windowed mean of the squared gradient of an image blurred by `sigma`."""
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REFLECT)
    square = across * across + down * down
    mean: np.ndarray = cv2.GaussianBlur(square, (0, 0), window, borderType=cv2.BORDER_REFLECT)
    return mean
