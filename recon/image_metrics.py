"""How far a rendered image is from the photo: PSNR in dB, and structural similarity.

Every score is of one image, or of a part of it. `mean_image_score` reports a set as the mean of its
images' scores, as the field does (not the score of all pixels pooled); an image without pixels to
compare is left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor

Pixels = UInt8[Tensor, "h w 3"] | Float[Tensor, "h w 3"]
Plane = Float64[np.ndarray, "h w"]
WINDOW_REACH = 5
"""SSIM's window reaches this many pixels to each side."""
WINDOW_SIGMA = 1.5
SQUARE_REACH = 3
"""The same of the even square window of scikit-image's default."""
FULL = "full"
"""The region that is all of what counts."""


@dataclass(frozen=True)
class ImageScore:
    """How far one render is from its photo, or the mean over a set of images."""

    psnr: float
    """dB; infinite for equal images, nan where no pixel counts."""
    ssim: float
    """At most 1; nan where no pixel counts."""
    ssim_skimage7: float
    """The same by an even window of 7x7 pixels, as peers on drives report it."""
    pixels: int
    """How many were compared; the sum over a set."""


def score_image(
    predicted: Pixels, photo: Pixels, mask: Bool[Tensor, "h w"] | None = None
) -> ImageScore:
    """Score a render over the pixels of a mask; see `score_regions`."""
    return score_regions(predicted, photo, mask, {})[FULL]


def score_regions(
    predicted: Pixels,
    photo: Pixels,
    mask: Bool[Tensor, "h w"] | None,
    regions: Mapping[str, Bool[Tensor, "h w"]],
) -> dict[str, ImageScore]:
    """Score a render over all pixels that count, and over parts of them.

    SSIM is the mean over the pixels whose whole window is in the image: the flavours of
    scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`, and with its defaults. (The photometric loss pads with zeros
    instead.) Windows of pixels that count may reach those that do not: there the prediction is
    taken equal to the photo.

    Args:
        predicted: 0 to 255 where 8 bit, else 0 to 1.
        photo: like predicted.
        mask: True for the pixels that count; all of them where None.
        regions: parts by name; what the mask leaves out does not count in them either.

    Returns:
        The scores by name, that of `FULL` first.

    Raises:
        ValueError: the images are smaller than the larger window, 11 pixels.
    """
    x, y = _unit_range(predicted), _unit_range(photo)
    height, width, _ = y.shape
    if min(height, width) <= 2 * WINDOW_REACH:
        raise ValueError(
            f"SSIM needs images of at least 11x11 pixels, and this is {width}x{height}"
        )
    use = np.ones((height, width), np.bool_) if mask is None else mask.numpy(force=True)
    x = np.where(use[..., None], x, y)
    maps = _Maps(
        error=np.asarray(np.square(x - y).mean(axis=-1)),
        ssim=_inner(_similarity(x, y, _gaussian, 1.0), WINDOW_REACH),
        ssim_skimage7=_inner(_similarity(x, y, _square, _UNBIASED), SQUARE_REACH),
    )
    found = {FULL: maps.score(use)}
    for name, region in regions.items():
        found[name] = maps.score(use & region.numpy(force=True))
    return found


def mean_image_score(scores: Iterable[ImageScore]) -> ImageScore:
    """Return the mean of the images' scores."""
    scores = list(scores)
    return ImageScore(
        psnr=_mean(s.psnr for s in scores),
        ssim=_mean(s.ssim for s in scores),
        ssim_skimage7=_mean(s.ssim_skimage7 for s in scores),
        pixels=sum(s.pixels for s in scores),
    )


@dataclass(frozen=True, eq=False)
class _Maps:
    """What each pixel adds to the scores; NaN where its window leaves the image."""

    error: Plane
    """Mean square over the channels."""
    ssim: Plane
    ssim_skimage7: Plane

    def score(self, use: Bool[np.ndarray, "h w"]) -> ImageScore:
        count = int(use.sum())
        mean_square = float(self.error[use].mean()) if count else math.nan
        return ImageScore(
            psnr=-10 * math.log10(mean_square) if mean_square else math.inf,
            ssim=_mean(self.ssim[use]),
            ssim_skimage7=_mean(self.ssim_skimage7[use]),
            pixels=count,
        )


def _similarity(
    x: Float64[np.ndarray, "h w 3"],
    y: Float64[np.ndarray, "h w 3"],
    blur: Callable[[Plane], Plane],
    unbiased: float,
) -> Plane:
    """Return SSIM at every pixel: Wang et al. 2004 (IEEE TIP 13(4)), equation 13.

    Args:
        x: an image.
        y: another.
        blur: averages over the window.
        unbiased: factor of variances and covariances.
    """
    c1, c2 = 0.01**2, 0.03**2
    total = np.zeros(x.shape[:2])
    for a, b in zip(np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0), strict=True):
        mean_a, mean_b = blur(a), blur(b)
        covariance = unbiased * (blur(a * b) - mean_a * mean_b)
        variances = unbiased * (blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2)
        means = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        total += means * (2 * covariance + c2) / (variances + c2)
    return np.asarray(total / x.shape[-1])


def _gaussian(plane: Plane) -> Plane:
    weights = cv2.getGaussianKernel(2 * WINDOW_REACH + 1, WINDOW_SIGMA, cv2.CV_64F)
    return np.asarray(cv2.sepFilter2D(plane, cv2.CV_64F, weights, weights))


def _square(plane: Plane) -> Plane:
    side = 2 * SQUARE_REACH + 1
    return np.asarray(cv2.blur(plane, (side, side)))


_UNBIASED = (2 * SQUARE_REACH + 1) ** 2 / ((2 * SQUARE_REACH + 1) ** 2 - 1)


def _inner(plane: Plane, reach: int) -> Plane:
    """Forget the pixels whose window leaves the image."""
    found = np.full_like(plane, np.nan)
    inner = (slice(reach, -reach),) * 2
    found[inner] = plane[inner]
    return found


def _unit_range(image: Tensor) -> Float64[np.ndarray, "h w 3"]:
    pixels = image.numpy(force=True)
    return np.asarray(pixels / 255.0 if pixels.dtype == np.uint8 else pixels, np.float64)


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where none is left."""
    kept = np.asarray(list(values) if not isinstance(values, np.ndarray) else values)
    kept = kept[~np.isnan(kept)]
    return float(kept.mean()) if len(kept) else math.nan
