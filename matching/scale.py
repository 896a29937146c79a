"""The scale of monocular depth, recovered over all photos at once from matches and poses.

After Deng et al. 2025 (arXiv 2511.10316), eq. 26 to 29: each photo's depth is scaled, and shifted
where its kind asks for it, so that matched pixels, lifted and projected into the other photo, fall
on their partners, and so that the depth found there is the other photo's. Poses fix the unit.
Other than there, the ratio is that of the corrected depths, residuals are weighed by how precise
matches and prior are, and matches that disagree lose their pull.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.optimize import minimize
from torch import Tensor

from recon.errors import DataError
from recon.matching.cameras import Cameras
from recon.matching.pair import PairMatches
from recon.matching.robust import median_by, robust_line
from recon.matching.sightings import Sightings, sightings
from recon.types import DepthKind, DepthMap

LEAST_ANGLE = 0.5
"""Degrees between rays; a match seen under less says little of depth."""
FEWEST = 10
"""Photos with fewer such matches have no scale of their own."""
ROBUST = 2.0
"""Standard deviations at which a residual's pull is strongest (Cauchy)."""
ROUNDS = 2
"""How far a match moves with depth is worked out once for each."""


@dataclass(frozen=True)
class ScaleOptions:
    """How residuals are weighed."""

    pixel: float = 1.0
    """px; standard deviation of matches."""
    prior: float = 0.1
    """Relative standard deviation of the prior's depth, once it is scaled."""
    ratio: float = 0.5
    """Weight of the depth ratios beside the reprojections (lambda in eq. 28)."""
    tie: float = 0.1
    """Relative standard deviation of the factors that metric depth needs, from photo to photo."""


@dataclass(frozen=True, eq=False)
class Scales:
    """What makes each photo's depth that of the capture: factor * value + offset.

    The value is depth or, for AFFINE_DISPARITY, its inverse.
    """

    kind: DepthKind
    """Of the depth that goes in."""
    factor: Float64[Tensor, " v"]
    """NaN for photos of which nothing is known."""
    offset: Float64[Tensor, " v"]
    """0 for METRIC and SCALE."""
    matches: Int64[Tensor, " v"]
    """How many matches say something of each photo."""
    disagreement: Float64[Tensor, " v"]
    """Median relative difference between a photo's corrected depth and that triangulated from its
    matches; NaN where there are none."""

    def apply(self, view: int, depth: DepthMap) -> DepthMap:
        """Correct a photo's depth; what would not be positive, or is not known, is not valid."""
        z = _depth(
            self.kind, _value(self.kind, depth.z.double()), self.factor[view], self.offset[view]
        )
        valid = depth.valid & (z > 0) & z.isfinite()
        z = torch.where(valid, z, 0.0).to(depth.z)
        return DepthMap(z, valid, DepthKind.METRIC, depth.measured)


def recover_scale(
    depths: Sequence[DepthMap | None],
    cameras: Cameras,
    pairs: Sequence[PairMatches],
    options: ScaleOptions = ScaleOptions(),
) -> Scales:
    """Find the factors, and offsets where the kind of depth asks for them, of all photos.

    Metric depth is scaled as well: networks err by a factor on cameras unlike those they know. Its
    factors are tied to one another, so that photos without matches have one too.

    Args:
        depths: of one kind, of each view at its size; None where there is none.
        cameras: of the views.
        pairs: matches, which may hold outliers.
        options: how residuals are weighed.

    Raises:
        DataError: no match says anything of the depth, and the message says why.
    """
    kinds = {depth.kind for depth in depths if depth is not None}
    if len(kinds) != 1:
        raise ValueError(f"depth of one kind was expected, not of {len(kinds)}")
    kind = kinds.pop()
    seen = sightings(depths, cameras, pairs)
    telling = _telling(seen)
    count = torch.bincount(seen.view[telling], minlength=len(cameras))
    if not (count >= FEWEST).any():
        raise DataError(
            "the scale of the depth prior cannot be recovered: of "
            f"{len(seen) // 2} matches where it has depth, {int(telling.sum()) // 2} are seen "
            f"under {LEAST_ANGLE}° or more. Photos must overlap, and be taken from places some way "
            "apart; look at `recon inspect --matches`."
        )
    factor, offset = _start(seen, telling, kind, len(cameras))
    known = factor.isfinite()
    factor = torch.where(known, factor, factor[known].median())
    for _ in range(ROUNDS):
        factor, offset = _minimise(seen, kind, factor, offset, options)
    if kind is not DepthKind.METRIC:
        factor = torch.where(known, factor, torch.nan)
    return Scales(kind, factor, offset, count, _disagreement(seen, telling, kind, factor, offset))


def _value(kind: DepthKind, depth: Tensor) -> Tensor:
    return 1 / depth if kind is DepthKind.AFFINE_DISPARITY else depth


def _depth(kind: DepthKind, value: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    corrected = factor * value + offset
    return 1 / corrected if kind is DepthKind.AFFINE_DISPARITY else corrected


def _telling(seen: Sightings) -> Tensor:
    """Say which sightings, taken alone, tell a depth."""
    depth, sine = seen.triangulated()
    return (depth > 0) & depth.isfinite() & (sine.asin().rad2deg() >= LEAST_ANGLE)


def _start(
    seen: Sightings, telling: Tensor, kind: DepthKind, views: int
) -> tuple[Float64[Tensor, " v"], Float64[Tensor, " v"]]:
    """Fit each photo's depth to that which its matches give one by one.

    Where they give none, because no photo was taken from far enough, the depth of a photo that has
    been fitted serves as well. NaN where there is nothing.
    """
    factor = torch.full((views,), torch.nan, dtype=torch.float64)
    offset = torch.zeros_like(factor)

    def fit(view: Tensor, value: Tensor, depth: Tensor) -> None:
        enough = torch.bincount(view, minlength=views) >= FEWEST
        for v in (enough & factor.isnan()).nonzero()[:, 0].tolist():
            x, y = value[view == v], _value(kind, depth[view == v])
            if kind in (DepthKind.AFFINE, DepthKind.AFFINE_DISPARITY):
                factor[v], offset[v] = robust_line(x, y)
            else:
                factor[v] = (y / x).median()

    value, other_value = _value(kind, seen.depth), _value(kind, seen.other_depth)
    fit(seen.view[telling], value[telling], seen.triangulated()[0][telling])
    for _ in range(views):
        known = factor.isfinite()
        depth = _depth(kind, value, factor[seen.view], offset[seen.view])
        there = seen.lifted(depth)[:, 2]
        usable = known[seen.view] & ~known[seen.other] & (depth > 0) & (there > 0)
        fit(seen.other[usable], other_value[usable], there[usable])
        if torch.equal(factor.isfinite(), known):
            break
    return factor, offset


def _minimise(
    seen: Sightings, kind: DepthKind, factor: Tensor, offset: Tensor, options: ScaleOptions
) -> tuple[Float64[Tensor, " v"], Float64[Tensor, " v"]]:
    """Adjust all photos together, by L-BFGS over the logs of factors and relative offsets."""
    shifts = kind in (DepthKind.AFFINE, DepthKind.AFFINE_DISPARITY)
    unit = (factor[seen.view] * _value(kind, seen.depth)).median()
    variance = _variance(seen, kind, factor, offset, options)

    def corrected(change: Tensor) -> tuple[Tensor, Tensor]:
        return factor * change[0].exp(), offset + unit * change[1] * shifts

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        change = torch.from_numpy(flat).reshape(2, -1).requires_grad_()
        # Nothing else holds photos without matches.
        total = _cost(seen, kind, *corrected(change), variance, options)
        total = total + 1e-6 * change.square().sum()
        if kind is DepthKind.METRIC:
            logs = corrected(change)[0].log()
            total = total + ((logs - logs.mean()) / options.tie).square().sum() / 2
        (gradient,) = torch.autograd.grad(total, change)
        return float(total.detach()), gradient.flatten().numpy()

    found = minimize(cost, np.zeros(2 * len(factor)), jac=True, method="L-BFGS-B")
    return corrected(torch.from_numpy(found.x).reshape(2, -1))


def _cost(
    seen: Sightings,
    kind: DepthKind,
    factor: Tensor,
    offset: Tensor,
    variance: Float64[Tensor, " m"],
    options: ScaleOptions,
) -> Tensor:
    """Sum eq. 28 over all sightings, in standard deviations, with Cauchy's robust measure."""
    depth, other = (
        _depth(kind, _value(kind, raw), factor[view], offset[view])
        for raw, view in ((seen.depth, seen.view), (seen.other_depth, seen.other))
    )
    local = seen.lifted(depth)
    ahead = (depth > 0) & (other > 0) & (local[:, 2] > 0)
    # Values are made safe before they are divided by, or their gradients would not be numbers.
    local_z, other_z = (torch.where(ahead, v, 1.0) for v in (local[:, 2], other))
    off = seen.other_focal * (local[:, :2] / local_z[:, None] - seen.other_rays)
    ratio = (local_z / other_z).log() / (2**0.5 * options.prior)
    terms = _cauchy(off.square().sum(dim=1) / variance) + options.ratio * _cauchy(ratio.square())
    return torch.where(ahead, terms, 50.0).sum()


def _variance(
    seen: Sightings, kind: DepthKind, factor: Tensor, offset: Tensor, options: ScaleOptions
) -> Float64[Tensor, " m"]:
    """Return by how many pixels, squared, right matches may lie off: they and the prior err.

    Where the baseline is wide, a little error in depth is many pixels.
    """
    depth = _depth(kind, _value(kind, seen.depth), factor[seen.view], offset[seen.view])
    depth = depth.clamp_min(1e-3 * float(depth.abs().median()))
    local = seen.lifted(depth)
    z = local[:, 2:].abs().clamp_min(1e-3 * float(depth.median()))
    moves = (seen.sight[:, :2] - seen.sight[:, 2:] * local[:, :2] / z) / z * depth[:, None]
    return options.pixel**2 + options.prior**2 * (seen.other_focal * moves).square().sum(dim=1)


def _cauchy(square: Tensor) -> Tensor:
    return ROBUST**2 / 2 * torch.log1p(square / ROBUST**2)


def _disagreement(
    seen: Sightings, telling: Tensor, kind: DepthKind, factor: Tensor, offset: Tensor
) -> Float64[Tensor, " v"]:
    view = seen.view[telling]
    found = seen.triangulated()[0][telling]
    corrected = _depth(kind, _value(kind, seen.depth[telling]), factor[view], offset[view])
    return median_by((corrected / found - 1).abs(), view, len(factor))
