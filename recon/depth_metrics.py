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
from jaxtyping import Bool, Float, Float64
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
    known = truth.valid.numpy(force=True)
    z, true_z = (t.double().numpy(force=True)[known] for t in (predicted, truth.z))
    at_edges = (depth_edges(truth) if edges is None else edges).numpy(force=True)[known]
    pixels = _Pixels.of(z, true_z)
    return DepthReport(
        pixels.score(np.ones(len(z), np.bool_)),
        tuple(pixels.score((low <= true_z) & (true_z < high)) for low, high in RANGES),
        pixels.score(at_edges),
    )


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


@dataclass(frozen=True, eq=False)
class _Pixels:
    """What each pixel with truth adds to the scores, computed once for all parts of an image."""

    compared: Bool[np.ndarray, " n"]
    """Those that hold a prediction."""
    off: Float64[np.ndarray, "8 c"]
    """Of the compared: absolute error, the same and its square over the truth, square, squared
    logarithm, and whether the ratio is below each delta's bound."""

    @staticmethod
    def of(z: Float64[np.ndarray, " n"], true_z: Float64[np.ndarray, " n"]) -> "_Pixels":
        compared = np.isfinite(z) & (z > 0)
        z, true_z = z[compared], true_z[compared]
        off = np.empty((8, len(z)))
        with np.errstate(divide="ignore", invalid="ignore"):
            np.abs(z - true_z, out=off[0])
            np.divide(off[0], true_z, out=off[1])
            np.multiply(off[0], off[1], out=off[2])
            np.square(off[0], out=off[3])
            np.square(np.log(z / true_z), out=off[4])
            ratio = np.maximum(z / true_z, true_z / z)
        for row, power in zip(off[5:], (1, 2, 3), strict=True):
            row[:] = ratio < 1.25**power
        return _Pixels(compared, off)

    def score(self, part: Bool[np.ndarray, " n"]) -> DepthScore:
        """Return the scores over a part of the pixels with truth."""
        places = np.flatnonzero(part[self.compared])
        whole = len(places) == self.off.shape[1]
        off = self.off if whole else self.off.take(places, axis=1)
        total, count = int(part.sum()), off.shape[1]
        means = off.mean(axis=1).tolist() if count else [math.nan] * len(off)
        mae, abs_rel, sq_rel, square, log_square, delta1, delta2, delta3 = means
        return DepthScore(
            mae=mae,
            median=_median(off[0]),
            abs_rel=abs_rel,
            sq_rel=sq_rel,
            rmse=math.sqrt(square),
            rmse_log=math.sqrt(log_square),
            delta1=delta1,
            delta2=delta2,
            delta3=delta3,
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


def _median(values: Float64[np.ndarray, " c"]) -> float:
    """Return the middle value, or the mean of the two."""
    return float(np.median(values)) if len(values) else math.nan


def _mean(values: Iterable[float]) -> float:
    """Return the mean of the values that are not nan; nan where none is left."""
    kept = [value for value in values if not math.isnan(value)]
    return sum(kept) / len(kept) if kept else math.nan
