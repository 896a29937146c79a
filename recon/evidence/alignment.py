"""The scale of a depth prior, and its shift, from depths that are known at some pixels.

Networks answer up to a factor, or bend near and far apart. Each form below is a straight line
between the prior's depth p and the true depth z in coordinates of its own, fitted so that relative
errors of depth are least. The fit is an MM-estimate (Yohai 1987): from the least median of squares
over lines through pairs of points (Rousseeuw 1984), which half of the points being wrong does not
move, down to the nearest minimum of Tukey's biweight.
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float64

from recon.errors import DataError
from recon.evidence.interface import SparseDepth
from recon.types import DepthKind, DepthMap

Values = Float64[np.ndarray, " n"]
FEWEST = 3
"""Points for a factor; below, there is no alignment."""
FEWEST_FOR_SHIFT = 12
"""Points for a factor and a shift; below, there is only a factor."""
LEAST_SPREAD = 0.02
"""Standard deviation of ln p over the points; below, they say nothing of a shift."""
STEEPEST = 3.0
"""ln z may change up to this many times as fast as ln p, or as slowly: more is no depth prior."""
PAIRS = 2000
"""Lines tried at first; drawn with a fixed seed."""
JUDGES = 400
"""Points that each of them is held against."""
ITERATIONS = 50
BINS = 8
"""Of ln z, evened out so that where points are many they do not decide alone."""
EMPTIEST = 0.1
"""Bins with fewer points than this share of a bin's mean are not lifted further: they may hold
nothing but errors."""
TUKEY = 4.685
"""Where an error stops to count, in standard deviations (95 % efficient for normal errors)."""
MAD_TO_SIGMA = 1.4826
LEAST_SIGMA = 1e-6


class Form(enum.Enum):
    """What is between a prior's depth p and the true depth z."""

    SCALE = "scale"
    """z = a p."""
    DEPTH = "depth"
    """z = a p + b."""
    DISPARITY = "disparity"
    """1 / z = a / p + b."""
    LOG = "log"
    """ln z = a ln p + b."""


FORMS = {
    DepthKind.METRIC: Form.LOG,
    DepthKind.SCALE: Form.SCALE,
    DepthKind.AFFINE: Form.DEPTH,
    DepthKind.AFFINE_DISPARITY: Form.DISPARITY,
}
"""What fits each kind of prior. Metric networks too have a scale of their own, and pull far things
together: the form with a power of p undoes that."""


@dataclass(frozen=True)
class RangeResidual:
    """How far the aligned prior is from the points of one range of depths."""

    low: float
    high: float
    points: int
    bias: float
    """Median of aligned / true depth; nan without points."""
    abs_rel: float
    """Mean of |aligned / true - 1|; nan without points."""


@dataclass(frozen=True)
class Alignment:
    """The line found, and what is left."""

    form: Form
    """As asked for, or SCALE where the points do not allow more."""
    a: float
    b: float
    points: int
    """How many lie on valid pixels of the prior."""
    inliers: float
    """Share of them that the fit did not take for wrong."""
    ranges: tuple[RangeResidual, ...]

    def apply(self, depth: DepthMap) -> DepthMap:
        """Return the prior in the points' unit; not valid where the line leads behind infinity."""
        p = torch.where(depth.valid, depth.z, 1.0).double()
        z = torch.from_numpy(_depth(self.form, self.a, self.b, p.numpy())).float()
        valid = depth.valid & z.isfinite() & (z > 0)
        return DepthMap(torch.where(valid, z, 0.0), valid, DepthKind.METRIC)


def align(
    name: str,
    prior: DepthMap,
    sparse: SparseDepth,
    form: Form,
    ranges: Sequence[tuple[float, float]] = (),
    balance: float = 0.5,
) -> Alignment:
    """Fit a prior to known depths.

    Args:
        name: the view's, for the message.
        prior: of one photo.
        sparse: known depths in that photo; up to a third of them, and often half, may be wrong.
        form: what may lie between the two. Too few points, or points all of one depth, allow only
            a factor.
        ranges: of true depth, for the report; quarters of the points where none are given.
        balance: 0 lets each point count the same, 1 each range of depths, between them a power of
            the other's weight. Where points are few, 1 gives errors much weight: with METER on a
            KITTI clip and triangulated matches, 0.5 was best for `LOG`, and 1 worst.

    Raises:
        DataError: fewer than 3 points lie on valid pixels.
    """
    p, z, weight = _overlap(prior, sparse)
    if len(z) < FEWEST:
        raise DataError(
            f"{name}: {len(z)} of {len(sparse.depth)} points with known depth lie where its prior "
            f"has depth, and its scale needs {FEWEST}. Leave its prior out, or give more points."
        )
    if len(z) < FEWEST_FOR_SHIFT or _deviation(np.log(p), weight) < LEAST_SPREAD:
        form = Form.SCALE
    line = None if form is Form.SCALE else _line(form, p, z, weight, balance)
    if line is None:
        form, line = Form.SCALE, _factor(p, z, weight, balance)
    a, b, trusted = line
    aligned = _depth(form, a, b, p)
    report = _report(aligned, z, ranges or _quarters(z))
    return Alignment(form, a, b, len(z), float((trusted > 0).mean()), report)


def _overlap(prior: DepthMap, sparse: SparseDepth) -> tuple[Values, Values, Values]:
    """Return the prior's depth, the known depth and its weight where there are all."""
    height, width = prior.z.shape
    row, column = sparse.index(width, height)
    known = sparse.depth.isfinite() & (sparse.depth > 0) & (sparse.weight > 0)
    use = prior.valid[row, column] & known
    p, z, weight = (
        values[use].double().numpy()
        for values in (prior.z[row, column], sparse.depth, sparse.weight)
    )
    return p, z, weight


def _balance(z: Values, trusted: Values) -> Values:
    """Return weights under which each range of ln z counts alike, unless it is all but empty.

    Only points that are trusted fill a range: wrong ones, spread where there are no others, would
    be lifted instead.
    """
    logs = np.log(z)
    low, high = np.quantile(logs[trusted > 0], [0.01, 0.99])
    place = (logs - low) / max(high - low, 1e-9) * BINS
    bins = np.clip(place, 0, BINS - 1).astype(np.int64)
    counts = np.bincount(bins, trusted, BINS)
    fair: Values = 1 / np.maximum(counts, EMPTIEST * counts.mean())[bins]
    return fair


def _coordinates(form: Form, p: Values, z: Values) -> tuple[Values, Values, Values]:
    """Return x, y and s of a form: y = a x + b, and (a x + b - y) s is a relative error."""
    match form:
        case Form.DEPTH:
            return p, z, 1 / z
        case Form.DISPARITY:
            return 1 / p, 1 / z, z
        case _:
            return np.log(p), np.log(z), np.ones_like(z)


def _depth(form: Form, a: float, b: float, p: np.ndarray) -> np.ndarray:
    depth: np.ndarray
    match form:
        case Form.SCALE:
            depth = a * p
        case Form.DEPTH:
            depth = a * p + b
        case Form.DISPARITY:
            inverse = a / p + b
            depth = np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1.0), -1.0)
        case Form.LOG:
            depth = np.exp(a * np.log(p) + b)
    return depth


def _factor(p: Values, z: Values, weight: Values, balance: float) -> tuple[float, float, Values]:
    """Fit z = a p, in logarithms."""
    x, y = np.log(p), np.log(z)
    offset = _weighted_median(y - x, weight)
    sigma = _sigma(y - x - offset, weight)
    for _ in range(ITERATIONS):
        trusted = weight * _tukey(y - x - offset, sigma)
        offset = float(np.average(y - x, weights=trusted * _balance(z, trusted) ** balance))
    return math.exp(offset), 0.0, _tukey(y - x - offset, sigma)


def _line(
    form: Form, p: Values, z: Values, weight: Values, balance: float
) -> tuple[float, float, Values] | None:
    """Fit a and b; None where no line that a depth prior could have goes through the points."""
    x, y, s = _coordinates(form, p, z)
    flattest, steepest = (1 / STEEPEST, STEEPEST) if form is Form.LOG else (0.0, math.inf)
    start = _least_median(x, y, s, weight, flattest, steepest)
    if start is None:
        return None
    a, b = start
    sigma = _sigma((a * x + b - y) * s, weight)
    for _ in range(ITERATIONS):
        trusted = weight * _tukey((a * x + b - y) * s, sigma)
        root = np.sqrt(trusted * _balance(z, trusted) ** balance) * s
        design = np.stack([x * root, root], axis=1)
        a, b = np.linalg.lstsq(design, y * root, rcond=None)[0].tolist()
        if not flattest < a < steepest:
            return None
    return a, b, _tukey((a * x + b - y) * s, sigma)


def _least_median(
    x: Values, y: Values, s: Values, weight: Values, flattest: float, steepest: float
) -> tuple[float, float] | None:
    """Return the line through two points that the median point is least far from."""
    generator = np.random.default_rng(0)
    share = weight / weight.sum()
    first, second, judges = (
        generator.choice(len(x), count, p=share) for count in (PAIRS, PAIRS, JUDGES)
    )
    run = x[second] - x[first]
    apart = np.abs(run) > 1e-9 * np.abs(x).max()
    first, second, run = first[apart], second[apart], run[apart]
    a = (y[second] - y[first]) / run
    a, first = a[(a > flattest) & (a < steepest)], first[(a > flattest) & (a < steepest)]
    if not len(a):
        return None
    b = y[first] - a * x[first]
    errors = np.abs((a[:, None] * x[judges] + b[:, None] - y[judges]) * s[judges])
    best = int(np.argmin(np.median(errors, axis=1)))
    return float(a[best]), float(b[best])


def _sigma(errors: Values, weight: Values) -> float:
    return max(MAD_TO_SIGMA * _weighted_median(np.abs(errors), weight), LEAST_SIGMA)


def _tukey(errors: Values, sigma: float) -> Values:
    """Return the biweight: 1 for no error, 0 from `TUKEY` standard deviations on."""
    weight: Values = np.clip(1 - (errors / (TUKEY * sigma)) ** 2, 0, None) ** 2
    return weight


def _weighted_median(values: Values, weight: Values) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(share, share[-1] / 2)]])


def _deviation(values: Values, weight: Values) -> float:
    mean = np.average(values, weights=weight)
    return math.sqrt(float(np.average((values - mean) ** 2, weights=weight)))


def _quarters(z: Values) -> list[tuple[float, float]]:
    edges = np.quantile(z, [0, 0.25, 0.5, 0.75, 1]).tolist()
    edges[-1] = math.nextafter(edges[-1], math.inf)
    return list(pairwise(edges))


def _report(
    aligned: Values, z: Values, ranges: Sequence[tuple[float, float]]
) -> tuple[RangeResidual, ...]:
    found = []
    for low, high in ranges:
        here = (z >= low) & (z < high)
        ratio = aligned[here] / z[here]
        bias = float(np.median(ratio)) if len(ratio) else math.nan
        abs_rel = float(np.abs(ratio - 1).mean()) if len(ratio) else math.nan
        found.append(RangeResidual(low, high, len(ratio), bias, abs_rel))
    return tuple(found)
