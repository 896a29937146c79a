"""How far a render is from the truth: images in dB and SSIM, depth in its own unit.

Every score is of one image. `mean_image_score` and `mean_depth_score` report a set as the mean of
its images' scores, as the field does (not the score of all pixels pooled); an image without pixels
to compare is left out. The counts that go with a score allow to pool: mean times count is the sum.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from scipy.ndimage import gaussian_filter
from torch import Tensor

from recon.types import DepthKind, DepthMap

Pixels = UInt8[Tensor, "h w 3"] | Float[Tensor, "h w 3"]
Image = Float64[np.ndarray, "h w 3"]
WINDOW_REACH = 5
"""SSIM's window reaches this many pixels to each side."""
WINDOW_SIGMA = 1.5
RANGES = ((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0))
"""True depths, in metres, that are scored apart: from the first, up to but without the second."""
EDGE_RATIO = 1.1
"""A pixel lies at a depth edge where the true depths around it, 3x3, differ by this factor."""


@dataclass(frozen=True)
class ImageScore:
    """How far one render is from its photo, or the mean over a set of images."""

    psnr: float
    """dB; infinite for equal images, nan where no pixel counts."""
    ssim: float
    """At most 1; nan where no pixel counts."""
    pixels: int
    """How many were compared; the sum over a set."""


@dataclass(frozen=True)
class DepthScore:
    """Errors of depth over a set of pixels, nan where none was compared.

    Eigen et al. 2014 (arXiv 1406.2283), section 4.1, for all but the median.
    """

    mae: float
    """Mean |z - true z|, in the unit of the depth."""
    median: float
    """Median |z - true z|."""
    abs_rel: float
    """Mean |z - true z| / true z."""
    sq_rel: float
    """Mean (z - true z)² / true z."""
    rmse: float
    rmse_log: float
    """Root mean square of ln z - ln true z."""
    delta1: float
    """Share of pixels with max(z / true z, true z / z) below 1.25."""
    delta2: float
    """The same below 1.25²."""
    delta3: float
    """The same below 1.25³."""
    coverage: float
    """Share of the pixels with truth that hold a prediction, which alone are compared."""
    compared: int
    """Pixels with truth and prediction; the sum over a set."""
    known: int
    """Pixels with truth; the sum over a set."""


@dataclass(frozen=True)
class DepthReport:
    """Depth errors of one image, or of a set: all of it, by range, and at depth edges."""

    overall: DepthScore
    ranges: tuple[DepthScore, ...]
    """In the order of `RANGES`."""
    edges: DepthScore


def psnr(predicted: Pixels, photo: Pixels, mask: Bool[Tensor, "h w"] | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB, for a peak of 1.

    Args:
        predicted: 0 to 255 where 8 bit, else 0 to 1.
        photo: like predicted.
        mask: True for the pixels that count; all of them where None.

    Returns:
        Infinity for equal images, nan where no pixel counts.
    """
    difference = _unit_range(predicted) - _unit_range(photo)
    if mask is not None:
        difference = difference[mask.numpy(force=True)]
    if not difference.size:
        return math.nan
    mean_square = float(np.mean(difference**2))
    return -10 * math.log10(mean_square) if mean_square else math.inf


def ssim(predicted: Pixels, photo: Pixels, mask: Bool[Tensor, "h w"] | None = None) -> float:
    """Return the mean structural similarity over the pixels whose whole window is in the image.

    This is the flavour of scikit-image's `structural_similarity` with `gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False`. (The photometric loss pads with zeros instead.)

    Args:
        predicted: 0 to 255 where 8 bit, else 0 to 1.
        photo: like predicted.
        mask: True for the pixels that count. Elsewhere the prediction is taken equal to the photo,
            which the windows of pixels that count may reach.

    Returns:
        At most 1; nan where no pixel counts.

    Raises:
        ValueError: the images are smaller than the window, 11 pixels.
    """
    x, y = _unit_range(predicted), _unit_range(photo)
    height, width, _ = y.shape
    if min(height, width) <= 2 * WINDOW_REACH:
        raise ValueError(
            f"SSIM needs images of at least 11x11 pixels, and this is {width}x{height}"
        )
    use = np.ones((height, width), bool) if mask is None else mask.numpy(force=True)
    inner = (slice(WINDOW_REACH, -WINDOW_REACH),) * 2
    similarity = _similarity(np.where(use[..., None], x, y), y)[inner][use[inner]]
    return float(similarity.mean()) if similarity.size else math.nan


def score_image(
    predicted: Pixels, photo: Pixels, mask: Bool[Tensor, "h w"] | None = None
) -> ImageScore:
    """Return PSNR and SSIM of a render; see `psnr` and `ssim`."""
    pixels = photo.shape[0] * photo.shape[1] if mask is None else int(mask.sum())
    return ImageScore(psnr(predicted, photo, mask), ssim(predicted, photo, mask), pixels)


def mean_image_score(scores: Iterable[ImageScore]) -> ImageScore:
    """Return the mean of the images' scores."""
    scores = list(scores)
    return ImageScore(
        psnr=_mean(s.psnr for s in scores),
        ssim=_mean(s.ssim for s in scores),
        pixels=sum(s.pixels for s in scores),
    )


def score_depth(
    predicted: Float[Tensor, "h w"], truth: DepthMap, mask: Bool[Tensor, "h w"] | None = None
) -> DepthReport:
    """Return the errors of a depth map, computed in float64, without aligning anything.

    Args:
        predicted: along the optical axis, in the unit of the truth. Pixels that are not finite or
            not positive hold no prediction.
        truth: of kind METRIC.
        mask: True for the pixels that count; all of them where None.

    Raises:
        ValueError: the truth's scale is not known.
    """
    if truth.kind is not DepthKind.METRIC:
        raise ValueError(f"depth errors need a metric truth, and this one is {truth.kind.value}")
    z, true_z = predicted.double(), truth.z.double()
    known = truth.valid if mask is None else truth.valid & mask
    ranges = tuple(
        _score_pixels(z, true_z, known & (low <= true_z) & (true_z < high)) for low, high in RANGES
    )
    edges = _score_pixels(z, true_z, known & depth_edges(truth))
    return DepthReport(_score_pixels(z, true_z, known), ranges, edges)


def mean_depth_score(reports: Iterable[DepthReport]) -> DepthReport:
    """Return the mean of the images' scores, overall, for each range and for edges."""
    reports = list(reports)
    ranges = (_mean_depth(r.ranges[i] for r in reports) for i in range(len(RANGES)))
    edges = _mean_depth(r.edges for r in reports)
    return DepthReport(_mean_depth(r.overall for r in reports), tuple(ranges), edges)


def depth_edges(truth: DepthMap) -> Bool[Tensor, "h w"]:
    """Return the pixels around which, 3x3, valid depths differ by more than `EDGE_RATIO`."""
    deepest = torch.where(truth.valid, truth.z, -math.inf)
    nearest = torch.where(truth.valid, -truth.z, -math.inf)
    around = torch.nn.MaxPool2d(3, stride=1, padding=1)(torch.stack([deepest, nearest]))
    jumps: Tensor = around[0] > -EDGE_RATIO * around[1]
    return truth.valid & jumps


def _score_pixels(
    z: Float[Tensor, "h w"], true_z: Float[Tensor, "h w"], known: Bool[Tensor, "h w"]
) -> DepthScore:
    compared = known & torch.isfinite(z) & (z > 0)
    count, total = int(compared.sum()), int(known.sum())
    z, true_z = z[compared], true_z[compared]
    error = (z - true_z).abs()
    ratio = torch.maximum(z / true_z, true_z / z)
    return DepthScore(
        mae=float(error.mean()),
        median=_median(error),
        abs_rel=float((error / true_z).mean()),
        sq_rel=float((error**2 / true_z).mean()),
        rmse=float((error**2).mean().sqrt()),
        rmse_log=float((z / true_z).log().square().mean().sqrt()),
        delta1=float((ratio < 1.25).double().mean()),
        delta2=float((ratio < 1.25**2).double().mean()),
        delta3=float((ratio < 1.25**3).double().mean()),
        coverage=count / total if total else math.nan,
        compared=count,
        known=total,
    )


def _mean_depth(scores: Iterable[DepthScore]) -> DepthScore:
    scores = list(scores)
    return DepthScore(
        mae=_mean(s.mae for s in scores),
        median=_mean(s.median for s in scores),
        abs_rel=_mean(s.abs_rel for s in scores),
        sq_rel=_mean(s.sq_rel for s in scores),
        rmse=_mean(s.rmse for s in scores),
        rmse_log=_mean(s.rmse_log for s in scores),
        delta1=_mean(s.delta1 for s in scores),
        delta2=_mean(s.delta2 for s in scores),
        delta3=_mean(s.delta3 for s in scores),
        coverage=_mean(s.coverage for s in scores),
        compared=sum(s.compared for s in scores),
        known=sum(s.known for s in scores),
    )


def _similarity(x: Image, y: Image) -> Image:
    """Return SSIM at every pixel: Wang et al. 2004 (IEEE TIP 13(4)), equation 13."""

    def blur(image: Image) -> Image:
        sigmas = (WINDOW_SIGMA, WINDOW_SIGMA, 0)
        return gaussian_filter(image, sigmas, radius=(WINDOW_REACH, WINDOW_REACH, 0))

    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = blur(x), blur(y)
    covariance = blur(x * y) - mean_x * mean_y
    variances = blur(x * x) - mean_x**2 + blur(y * y) - mean_y**2
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    similarity: Image = means * (2 * covariance + c2) / (variances + c2)
    return similarity


def _unit_range(image: Tensor) -> Image:
    pixels = image.numpy(force=True)
    return pixels / 255.0 if pixels.dtype == np.uint8 else pixels.astype(np.float64)


def _median(values: Float[Tensor, " n"]) -> float:
    """Return the mean of the two middle values, which `torch.median` does not."""
    if not len(values):
        return math.nan
    ordered = values.sort().values
    return float(ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where none is left."""
    kept = [value for value in values if not math.isnan(value)]
    return sum(kept) / len(kept) if kept else math.nan
