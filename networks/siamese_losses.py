"""The losses that teach circles of confusion: by two focal settings alone, or by the truth."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from recon.networks.bands import smooth
from recon.networks.fusion import residuals
from recon.networks.reblurring import FAINT, blurred
from recon.networks.siamese_coc import Branch
from recon.srgb import to_srgb


def likelihood(branch: Branch, truth: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Return the mean of |size - |truth|| / spread + ln spread: Laplace's, for supervision."""
    off = (branch.size - truth.abs()).abs()
    return (off / branch.spread + branch.spread.log()).mean()


def absolute(branch: Branch, truth: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Return the mean of |size - |truth|| in px, which where it is unsure still pulls."""
    return (branch.size - truth.abs()).abs().mean()


def side(
    branch: Branch, behind: Float[Tensor, "b h w"], weight: Float[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Return the weighted cross entropy of which side of the focus a surface lies on.

    Args:
        branch: whose answer is judged.
        behind: the probability that is taught.
        weight: of the pixels.
    """
    each = binary_cross_entropy_with_logits(branch.behind, behind, reduction="none")
    return (weight * each).sum() / weight.sum().clamp(min=1)


def cross_focus(a: Branch, b: Branch, moved: Float[Tensor, "b 1 1"]) -> Float[Tensor, ""]:
    """Hold two settings to one lens: signed circles of confusion differ by `moved` everywhere.

    The signs are those that agree best. Laplace's likelihood, with the spreads of both added.
    """
    off = residuals(a.size, b.size, moved).amin(0)
    spread = a.spread + b.spread
    return (off / spread + spread.log()).mean()


def reblur(
    a: Branch, b: Branch, levels_a: Float[Tensor, "b n h w"], levels_b: Float[Tensor, "b n h w"]
) -> Float[Tensor, ""]:
    """Return how much of the photos' difference the relative blur leaves, 0 to about 1.

    Wherever one photo is the sharper, blurring it by sqrt(c_b² - c_a²) must give the other.
    """
    more = b.size.square() - a.size.square()
    forth = (to_srgb(blurred(levels_a, more)) - to_srgb(levels_b[:, 0])).abs()
    back = (to_srgb(blurred(levels_b, -more)) - to_srgb(levels_a[:, 0])).abs()
    left = torch.where(more > 0, forth, back)
    differ = (to_srgb(levels_a[:, 0]) - to_srgb(levels_b[:, 0])).abs()[:, None]
    whole = smooth(differ, 2.0)[:, 0].detach() + FAINT
    return (left / whole).clamp(max=3).mean()


def smoothness(branch: Branch, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """Return the mean step of ln(1 + size) between neighbours, less where the photo has edges."""
    size, grey = (1 + branch.size).log(), images.mean(1)
    total = size.new_zeros(())
    for axis in (1, 2):
        calm = torch.exp(-15 * grey.diff(dim=axis).abs())
        total = total + (calm * size.diff(dim=axis).abs()).mean()
    return total
