"""A choice among planes for every pixel that changes little between neighbours.

Semi-global matching (Hirschmüller 2008, "Stereo processing by semiglobal matching and mutual
information", section 2.3): the best costs of paths that lead to a pixel from several sides.
"""

import torch
from jaxtyping import Float
from torch import Tensor

SMALL, LARGE = 0.6, 6.0
"""Costs of a step by one plane, and by more."""
EDGE = 0.02
"""A step of the guide at which a large step costs half."""


def aggregated(
    costs: Float[Tensor, "n h w"], guide: Float[Tensor, "h w"]
) -> Float[Tensor, "n h w"]:
    """Return the mean over four directions of the least costs of paths to each pixel and plane.

    Args:
        costs: of the planes, in their order.
        guide: a picture, 0 to 1; where it steps, planes may step for less.
    """
    total = torch.zeros_like(costs)
    for axis in (1, 2):
        lines, shade = costs.movedim(axis, 0), guide.movedim(axis - 1, 0)
        total += _along(lines, shade).movedim(0, axis)
        total += _along(lines.flip(0), shade.flip(0)).flip(0).movedim(0, axis)
    return total / 4


def _along(costs: Float[Tensor, "k n m"], guide: Float[Tensor, "k m"]) -> Float[Tensor, "k n m"]:
    """Return the least costs of paths along the first axis."""
    large = (LARGE / (1 + guide.diff(dim=0).abs() / EDGE)).clamp(min=SMALL)
    never = costs.new_full((1, costs.shape[2]), torch.inf)
    best, found = costs[0], [costs[0]]
    for cost, jump in zip(costs[1:], large, strict=True):
        least = best.amin(0)
        beside = torch.minimum(torch.cat([best[1:], never]), torch.cat([never, best[:-1]]))
        stay = torch.minimum(best, beside + SMALL)
        best = cost + torch.minimum(stay, least + jump) - least
        found.append(best)
    return torch.stack(found)


def refined(costs: Float[Tensor, "n h w"]) -> Float[Tensor, "h w"]:
    """Return the place of the least cost among the planes, by a parabola between them."""
    best = costs.argmin(0)
    middle = best.clamp(1, len(costs) - 2)
    a, b, c = (costs.gather(0, (middle + d)[None])[0] for d in (-1, 0, 1))
    bend = (a - 2 * b + c).clamp(min=1e-6)
    inside = middle + (0.5 * (a - c) / bend).clamp(-0.5, 0.5)
    return torch.where(best == middle, inside, best.float())
