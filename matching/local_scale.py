"""Depth restored locally: what is known at some pixels bends a prior's depth around them.

After Deng et al. 2025 (arXiv 2511.10316), eq. 35 to 39: in each cell of a grid a factor and an
offset bring the prior to the known depths. Here cells overlap and blend, so that no borders show;
they are fitted from coarse to fine, so that where little is known the larger cell speaks; and a
point that disagrees with its neighbours loses its pull.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import interpolate

from recon.evidence.interface import SparseDepth
from recon.matching.sightings import depth_at
from recon.types import DepthKind, DepthMap

ROUNDS = 3
"""Of reweighting, in each size of cells."""
FURTHEST = 10.0
"""No depth is restored to more than this factor of what it was, or less than its inverse."""


@dataclass(frozen=True)
class RestoreOptions:
    """How far a prior bends."""

    largest: int = 240
    """px; side of the first cells. Each size is half of the one before."""
    smallest: int = 15
    """px; side of the last cells."""
    fewest: int = 5
    """Cells that fewer points speak for stay as the larger ones left them."""
    noise: float = 0.05
    """Relative standard deviation of the known depths about a cell's fit."""
    bend: float = 0.3
    """Relative standard deviation of a cell's factor and offset, before anything is known."""


@dataclass(frozen=True, eq=False)
class Restored:
    """A prior's depth after it was bent, and where to believe it."""

    depth: DepthMap
    error: Float[Tensor, "h w"]
    """Mean relative difference of the known depths around a pixel from the restored depth, at most
    1; 1 where too few are known (eq. 38 and 39)."""


def restore(
    prior: DepthMap, known: SparseDepth, options: RestoreOptions = RestoreOptions()
) -> Restored:
    """Bend a photo's depth to what is known of it.

    Args:
        prior: in the capture's unit, roughly; see `recover_scale`.
        known: triangulated from matches, for instance.
        options: how far it bends.
    """
    at, valid = depth_at(prior, known.pixels)
    valid &= known.weight > 0
    pixels, truth = known.pixels[valid], known.depth[valid].double()
    weight = known.weight[valid].double()
    z, here = prior.z.double(), at[valid]
    height, width = z.shape
    error = torch.ones(height, width, dtype=torch.float64)
    side = float(options.largest)
    while side >= options.smallest and len(truth):
        grid = _Grid(height, width, side, pixels)
        factor, offset = grid.fit(here, truth, weight, options)
        z = _bent(z, grid.spread(factor), grid.spread(offset))
        here = _bent(here, grid.read(factor), grid.read(offset))
        rest, enough = grid.mean((here / truth - 1).abs().clamp_max(1), weight, options.fewest)
        share = grid.spread(enough.double())
        error = share * grid.spread(rest) + (1 - share) * error
        side /= 2
    z = torch.where(prior.valid, z, 0.0).to(prior.z)
    depth = DepthMap(z, prior.valid & (z > 0), DepthKind.METRIC, prior.measured)
    return Restored(depth, torch.where(prior.valid, error, 1.0).to(prior.z))


class _Grid:
    """Cells over a photo, whose values are blended linearly between their centres."""

    def __init__(self, height: int, width: int, side: float, pixels: Float[Tensor, "n 2"]) -> None:
        self.height, self.width = height, width
        self.rows, self.columns = max(1, round(height / side)), max(1, round(width / side))
        size = torch.tensor([width / self.columns, height / self.rows], dtype=torch.float64)
        place = pixels.double() / size - 0.5
        limit = torch.tensor([self.columns - 1, self.rows - 1])
        place = place.clamp(torch.zeros(2).double(), limit.double())
        first = place.floor().long()
        beyond = (first + 1).minimum(limit)
        right, down = (place - first).T
        (x0, y0), (x1, y1) = first.T, beyond.T
        self.cell: Int64[Tensor, "4 n"] = torch.stack(
            [y * self.columns + x for y in (y0, y1) for x in (x0, x1)]
        )
        """The four cells around each point."""
        self.share: Float64[Tensor, "4 n"] = torch.stack(
            [v * u for v in (1 - down, down) for u in (1 - right, right)]
        )
        """How much each of them says at the point."""

    def sum(self, values: Float64[Tensor, " n"]) -> Float64[Tensor, " c"]:
        """Add up what is said around each cell's centre."""
        total = torch.zeros(self.rows * self.columns, dtype=torch.float64)
        return total.index_add(0, self.cell.flatten(), (self.share * values).flatten())

    def read(self, cells: Float64[Tensor, " c"]) -> Float64[Tensor, " n"]:
        """Return the blended value at each point."""
        return (cells[self.cell] * self.share).sum(dim=0)

    def spread(self, cells: Float64[Tensor, " c"]) -> Float64[Tensor, "h w"]:
        """Return the blended value at each pixel."""
        whole = cells.reshape(1, 1, self.rows, self.columns)
        return interpolate(whole, (self.height, self.width), mode="bilinear")[0, 0]

    def mean(
        self, values: Float64[Tensor, " n"], weight: Float64[Tensor, " n"], fewest: int
    ) -> tuple[Float64[Tensor, " c"], Tensor]:
        """Return each cell's weighted mean, and whether enough points speak for it."""
        total = self.sum(weight)
        mean = self.sum(values * weight) / total.clamp_min(1e-12)
        return mean, self.sum(torch.ones_like(values)) >= fewest

    def fit(
        self,
        prior: Float64[Tensor, " n"],
        truth: Float64[Tensor, " n"],
        weight: Float64[Tensor, " n"],
        options: RestoreOptions,
    ) -> tuple[Float64[Tensor, " c"], Float64[Tensor, " c"]]:
        """Find factor and offset of each cell, by ridge regression towards 1 and 0 (eq. 35-37)."""
        unit = float(prior.median())
        x, precision = prior / unit, weight / (options.noise * truth / unit).square()
        enough = self.sum(torch.ones_like(x)) >= options.fewest
        steeper = shift = torch.zeros(self.rows * self.columns, dtype=torch.float64)
        for _ in range(ROUNDS):
            rest = (truth - prior) / unit - self.read(steeper) * x - self.read(shift)
            robust = precision / (1 + precision / weight * rest.square() / 4)
            missing = robust * (truth - prior) / unit
            xx, x1 = self.sum(robust * x * x) + options.bend**-2, self.sum(robust * x)
            ones = self.sum(robust) + options.bend**-2
            xy, y1 = self.sum(missing * x), self.sum(missing)
            determinant = xx * ones - x1 * x1
            steeper = torch.where(enough, (xy * ones - x1 * y1) / determinant, 0.0)
            shift = torch.where(enough, (xx * y1 - x1 * xy) / determinant, 0.0)
        return 1 + steeper, shift * unit


def _bent(depth: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    bent = factor * depth + offset
    return torch.maximum(torch.minimum(bent, FURTHEST * depth), depth / FURTHEST)
