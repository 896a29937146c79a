"""How sharp and how bright photos are, and which of them stand out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.srgb import to_linear

# A robust z-score beyond 3.5 is the usual mark of an outlier (Iglewicz and Hoaglin 1993).
OUTLIER = 3.5
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Spread:
    """How a number varies over photos."""

    lowest: float
    median: float
    highest: float
    outliers: tuple[str, ...]
    """Names of the photos that stand out, the worst first."""


def sharpness(pixels: UInt8[Tensor, "h w 3"], valid: Bool[Tensor, "h w"] | None) -> float:
    """Return the variance of the Laplacian of the grey photo, of levels 0 to 255.

    It falls with blur and with a lack of texture, so it only compares photos of one scene at one
    resolution (Pech-Pacheco et al. 2000).
    """
    grey = cv2.cvtColor(pixels.numpy(), cv2.COLOR_RGB2GRAY)
    response = cv2.Laplacian(grey, cv2.CV_32F)
    return float(response[use(valid, response)].var())


def luminance(pixels: UInt8[Tensor, "h w 3"], valid: Bool[Tensor, "h w"] | None) -> float:
    """Return the mean relative luminance in linear light, 0 to 1 (IEC 61966-2-1, Rec. 709)."""
    linear = to_linear(torch.arange(256, dtype=torch.float64) / 255).numpy()
    table = np.stack([linear * weight for weight in (0.2126, 0.7152, 0.0722)])
    image = pixels.numpy()
    mask = use(valid, image[..., 0])
    return float(sum(table[channel][image[..., channel][mask]].mean() for channel in range(3)))


def use(valid: Bool[Tensor, "h w"] | None, like: np.ndarray) -> np.ndarray:
    """Return which pixels count: all where a mask is absent or leaves nothing."""
    if valid is None or not bool(valid.any()):
        return np.ones(like.shape[:2], bool)
    return valid.numpy()


def spread(names: Sequence[str], values: Sequence[float], ratio: float, low_only: bool) -> Spread:
    """Summarise positive numbers, one a photo.

    Args:
        names: of the photos.
        values: of the photos.
        ratio: how far from the median, as a factor, a photo must lie to stand out at all.
        low_only: whether only low values are of interest.
    """
    logs = np.log(np.maximum(values, 1e-12))
    away = logs - np.median(logs)
    sigma = MAD_TO_SIGMA * float(np.median(np.abs(away)))
    limit = max(math.log(ratio), OUTLIER * sigma)
    badness = -away if low_only else np.abs(away)
    worst = [names[i] for i in np.argsort(-badness, kind="stable") if badness[i] > limit]
    return Spread(float(min(values)), float(np.median(values)), float(max(values)), tuple(worst))
