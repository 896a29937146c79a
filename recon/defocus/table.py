"""Blur kernels on the pixel lattice, for every size at once.

A disc smaller than a pixel cannot be sampled, and the sum over a larger one jumps where its edge
crosses a pixel. So the kernel is a profile with a soft edge, and its numbers are chosen so that on
the lattice itself its sum is 1 and its variance is exactly that of the shape. It is the identity at
size 0, smooth in the size, and as sensitive to it below one pixel as blur really is: blurring by a
variance v adds v/2 times the image's Laplacian.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from recon.defocus.shapes import Shape

SPACING = 1 / 32
"""px of circle of confusion between two tabulated kernels."""
STEPS = 45
"""Of the bisections; each halves the interval."""


@dataclass(frozen=True, eq=False)
class KernelTable:
    """The three numbers of a shape's kernel, as cubics between tabulated sizes.

    Of a disc or polygon they are (a, b, n), and the weight at a gauge g is max(0, min(n, a - b g)).
    Of a bell they are (q, e, n), and the weight is n max(0, q^g - e): q^g is a Gaussian, and e
    brings it to zero where it ends.
    """

    cubics: Float[Tensor, "intervals 3 4"]
    """Coefficients of x^0 to x^3 for x from 0 to 1 in each interval, float64."""
    supports: Float[Tensor, " intervals"]
    """The gauge beyond which weights are zero in the whole interval."""

    @property
    def largest(self) -> float:
        """The largest circle of confusion in the table, px."""
        return len(self.cubics) * SPACING

    def numbers(self, size: Float[Tensor, "h w"]) -> Float[Tensor, "3 h w"]:
        """Interpolate at circles of confusion from 0 to `largest`; differentiable."""
        place = size / SPACING
        index = place.detach().floor().long().clamp(max=len(self.cubics) - 1)
        x = (place - index)[..., None]
        c = self.cubics.to(size)[index]
        values = c[..., 0] + x * (c[..., 1] + x * (c[..., 2] + x * c[..., 3]))
        return values.permute(2, 0, 1)

    def radius(self, shape: Shape, size: float) -> int:
        """Return how many pixels the kernels up to a size reach to each side."""
        intervals = min(int(size / SPACING) + 1, len(self.supports))
        return int(shape.reach * math.sqrt(float(self.supports[:intervals].max())))


@dataclass(frozen=True, eq=False)
class _Lattice:
    """The pixels around one, grouped by their gauge."""

    gauges: Float[Tensor, " gauges"]
    counts: Float[Tensor, " gauges"]
    squares: Float[Tensor, " gauges"]
    """The mean over each group of (x² + y²) / 2, whose weighted mean is the variance."""


def table_for(shape: Shape, largest: float) -> KernelTable:
    """Return a table that goes at least to a circle of confusion."""
    doublings = max(0, math.ceil(math.log2(max(largest, 1e-9) / 16)))
    return _build(shape, 16 * 2**doublings)


@lru_cache(maxsize=32)
def _build(shape: Shape, largest: int) -> KernelTable:
    # One more than needed, for the last slope.
    sizes = SPACING * torch.arange(round(largest / SPACING) + 2, dtype=torch.float64)
    reach = largest + 2 if shape.is_bell else shape.reach * (largest / 2 + 4)
    lattice = _lattice(shape, math.ceil(reach))
    solve = _bells if shape.is_bell else _plateaus
    chunks = [sizes[i : i + 128] for i in range(0, len(sizes), 128)]
    rows, supports = zip(*(solve(shape, c, lattice) for c in chunks), strict=True)
    knots, ends = torch.cat(rows), torch.cat(supports)
    # Kernels are even in their size: the slope is 0 at 0.
    slopes = torch.cat([torch.zeros(1, 3, dtype=torch.float64), (knots[2:] - knots[:-2]) / 2])
    left, right, rise, next_rise = knots[:-2], knots[1:-1], slopes[:-1], slopes[1:]
    bends = 3 * (right - left) - 2 * rise - next_rise
    cubics = torch.stack([left, rise, bends, rise + next_rise - 2 * (right - left)], -1)
    # Cubics overshoot their ends a little.
    return KernelTable(cubics, 1.02 * torch.maximum(ends[:-2], ends[1:-1]) + 0.1)


def _lattice(shape: Shape, radius: int) -> _Lattice:
    axis = torch.arange(-radius, radius + 1, dtype=torch.float64)
    x, y = axis[None, :].expand(len(axis), -1), axis[:, None].expand(-1, len(axis))
    gauges, group, counts = torch.unique(
        (shape.gauge(x, y) * 1e9).round(), return_inverse=True, return_counts=True
    )
    squares = torch.zeros_like(gauges).index_add(0, group.flatten(), (x**2 + y**2).flatten() / 2)
    return _Lattice(gauges / 1e9, counts.double(), squares / counts)


def _plateaus(
    shape: Shape, sizes: Float[Tensor, " n"], lattice: _Lattice
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Find the height of ramps with an edge of one pixel that have the shape's variance."""
    # A ramp of slope b in the gauge is 1 / (b c) pixels wide at the edge of a large disc.
    slope = 1 / (1 + sizes**6 / (sizes**4 + 30)).sqrt()
    gauges = lattice.gauges

    def weights(height: Tensor) -> Tensor:
        return (height[:, None] - slope[:, None] * gauges).clamp(0, 1) * lattice.counts

    low, high = slope * gauges[gauges > 0].min().clamp(max=1), slope * (sizes**2 / 4 + 4) + 1
    height = _bisect(weights, lattice.squares, low, high, _spread(shape, sizes))
    scale = 1 / weights(height).sum(-1)
    return torch.stack([height * scale, slope * scale, scale], -1), height / slope


def _bells(
    shape: Shape, sizes: Float[Tensor, " n"], lattice: _Lattice
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Find the weight of the next pixel of Gaussians, cut at 4 sigma, with the variance."""
    ends = sizes**2 + 2.25

    def weights(next_pixel: Tensor) -> Tensor:
        falling = next_pixel[:, None] ** lattice.gauges
        return (falling - (next_pixel**ends)[:, None]).clamp(min=0) * lattice.counts

    low, high = torch.zeros_like(sizes), torch.ones_like(sizes)
    next_pixel = _bisect(weights, lattice.squares, low, high, _spread(shape, sizes))
    scale = 1 / weights(next_pixel).sum(-1)
    return torch.stack([next_pixel, next_pixel**ends, scale], -1), ends


def _spread(shape: Shape, sizes: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    return torch.tensor([shape.variance(c) for c in sizes.tolist()], dtype=torch.float64)


def _bisect(
    weights: Callable[[Tensor], Tensor],
    squares: Float[Tensor, " gauges"],
    low: Float[Tensor, " n"],
    high: Float[Tensor, " n"],
    target: Float[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """Return the largest parameters found whose weights spread less than the target."""
    for _ in range(STEPS):
        middle = (low + high) / 2
        w = weights(middle)
        short = (w @ squares) / w.sum(-1) < target
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return low
