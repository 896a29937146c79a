"""How far a rendered depth is from the truth, in the truth's own unit.

Every score is of one image. `mean_depth_score` reports a set as the mean of its images' scores, as
the field does (not the score of all pixels pooled); an image without pixels to compare is left out.
The counts that go with a score allow to pool: mean times count is the sum.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.types import DepthKind, DepthMap

RANGES = ((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0))
"""True depths, in metres, that are scored apart: from the first, up to but without the second."""
EDGE_RATIO = 1.1
"""A pixel lies at a depth edge where the true depths around it, 3x3, differ by this factor."""
SPARSE_EDGE_RATIO = 1.25
"""The same where truth is sparse, and "around" wider: a road changes by less within it."""
SPARSE_REACH = 160
"""Sparse truth is looked at over so many times less than the photo's width to each side, which is
a little more than what lies between two beams of a car's LiDAR."""


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


def score_depth(
    predicted: Float[Tensor, "h w"], truth: DepthMap, edges: Bool[Tensor, "h w"] | None = None
) -> DepthReport:
    """Return the errors of a depth map, computed in float64, without aligning anything.

    Args:
        predicted: along the optical axis, in the unit of the truth. Pixels that are not finite or
            not positive hold no prediction.
        truth: of kind METRIC.
        edges: the pixels at depth edges; those of `depth_edges` where None.

    Raises:
        ValueError: the truth's scale is not known.
    """
    if truth.kind is not DepthKind.METRIC:
        raise ValueError(f"depth errors need a metric truth, and this one is {truth.kind.value}")
    z, true_z = predicted.double(), truth.z.double()
    known = truth.valid
    ranges = tuple(
        _score_pixels(z, true_z, known & (low <= true_z) & (true_z < high)) for low, high in RANGES
    )
    at_edges = _score_pixels(z, true_z, depth_edges(truth) if edges is None else known & edges)
    return DepthReport(_score_pixels(z, true_z, known), ranges, at_edges)


def mean_depth_score(reports: Iterable[DepthReport]) -> DepthReport:
    """Return the mean of the images' scores, overall, for each range and for edges."""
    reports = list(reports)
    ranges = (_mean_depth(r.ranges[i] for r in reports) for i in range(len(RANGES)))
    edges = _mean_depth(r.edges for r in reports)
    return DepthReport(_mean_depth(r.overall for r in reports), tuple(ranges), edges)


def depth_edges(truth: DepthMap) -> Bool[Tensor, "h w"]:
    """Return the pixels around which, 3x3, valid depths differ by more than `EDGE_RATIO`."""
    return _jumps(truth, 1, EDGE_RATIO)


def sparse_edges(truth: DepthMap) -> Bool[Tensor, "h w"]:
    """Return the pixels with depth near which others differ by more than `SPARSE_EDGE_RATIO`."""
    return _jumps(truth, -(-truth.z.shape[1] // SPARSE_REACH), SPARSE_EDGE_RATIO)


def _jumps(truth: DepthMap, reach: int, ratio: float) -> Bool[Tensor, "h w"]:
    z, valid = truth.z.float().numpy(), truth.valid.numpy()
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    deepest = cv2.dilate(np.where(valid, z, 0), around)
    nearest = cv2.erode(np.where(valid, z, np.float32(np.inf)), around)
    return torch.from_numpy(valid & (deepest / ratio > nearest))


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
