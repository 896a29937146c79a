"""What several focal settings of one scene say together, through the lens model.

With signed circles of confusion c = K (1/s - w), w the inverse depth, two settings of one lens
differ everywhere by the same c_a - c_b = K (1/s_a - 1/s_b): that tells their signs.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import UsageError
from recon.evidence.coc import CocMap
from recon.types import ThinLens

SIGNS = ((1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0))
FALSE = 0.02
"""Share of estimates that are plainly wrong; no single one rules a depth out."""


def shift(
    strength: Float[Tensor, " b"],
    inverse_focus_a: Float[Tensor, " b"],
    inverse_focus_b: Float[Tensor, " b"],
) -> Float[Tensor, "b 1 1"]:
    """Return c_a - c_b in px, which is the same for every depth."""
    return (strength * (inverse_focus_a - inverse_focus_b))[:, None, None]


def residuals(
    size_a: Float[Tensor, "b h w"], size_b: Float[Tensor, "b h w"], moved: Float[Tensor, "b 1 1"]
) -> Float[Tensor, "4 b h w"]:
    """Return |c_a - c_b - shift| in px for each choice of signs, in the order of `SIGNS`."""
    return torch.stack([(p * size_a - q * size_b - moved).abs() for p, q in SIGNS])


def agreed(
    size_a: Float[Tensor, "b h w"], size_b: Float[Tensor, "b h w"], moved: Float[Tensor, "b 1 1"]
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Return the signs, 1 or -1, with which both sizes agree best with the lens."""
    best = residuals(size_a, size_b, moved).argmin(0)
    table = torch.tensor(SIGNS, device=size_a.device)
    return table[best, 0], table[best, 1]


def inverse_depth(
    maps: Sequence[CocMap], lenses: Sequence[ThinLens], planes: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h w"]]:
    """Return the inverse depth that explains all maps best, and how much is sure of it.

    The posterior's mean around its highest plane is the answer. One map alone is told by its side.

    Args:
        maps: of photos from one place, of one size.
        lenses: of the photos.
        planes: inverse depths to choose from, evenly spaced, in 1/m.

    Returns:
        Inverse depth in 1/m, and the share of the posterior around it, 0 to 1.

    Raises:
        UsageError: there are no maps, or their sizes differ.
    """
    if not maps or len({tuple(one.size.shape) for one in maps}) != 1 or len(maps) != len(lenses):
        raise UsageError("a focal stack needs one lens for each slice, and slices of one size")
    total = log_likelihood(maps, lenses, planes)
    share = total.softmax(0)
    # Summed over five neighbours, so that a peak between planes counts whole.
    near = torch.nn.functional.avg_pool1d(
        share.permute(1, 2, 0).reshape(-1, 1, len(planes)), 5, stride=1, padding=2
    )
    near = 5 * near.reshape(*maps[0].size.shape, len(planes))
    sure, best = near.max(-1)
    index = (best[..., None] + torch.arange(-2, 3)).clamp(0, len(planes) - 1)
    weights = share.permute(1, 2, 0).gather(-1, index)
    mean = (weights * planes[index]).sum(-1) / weights.sum(-1).clamp(min=1e-12)
    return mean, sure.clamp(0, 1)


def log_likelihood(
    maps: Sequence[CocMap], lenses: Sequence[ThinLens], planes: Float[Tensor, " n"]
) -> Float[Tensor, "n h w"]:
    """Return how well maps agree with each inverse depth, each on its own.

    Every map gives each plane a Laplace likelihood of |c|, and a probability of its side.

    Args:
        maps: of photos from one place, of one size.
        lenses: of the photos.
        planes: inverse depths in 1/m.
    """
    total = torch.zeros(len(planes), *maps[0].size.shape)
    for one, lens in zip(maps, lenses, strict=True):
        coc = (lens.strength * (lens.inverse_focus - planes))[:, None, None]
        off = (one.size - coc.abs()).abs() / one.spread
        side = torch.where(coc >= 0, one.behind, 1 - one.behind).clamp(0.02, 0.98)
        total += ((1 - FALSE) * torch.exp(-off) + FALSE).log() + side.log()
    return total
