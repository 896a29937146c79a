"""Two focal settings and their lens, tried at every depth: what blur alone says of a pair.

A surface at some depth has one circle of confusion in each photo, which the lens ties to one
another. If the depth is right, the sharper photo blurred by sqrt(c_b² - c_a²) is the other one.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.networks.bands import smooth
from recon.networks.reblurring import FAINT, blurred
from recon.networks.siamese_coc import Branch
from recon.srgb import to_srgb

REACH, STEP = 15.0, 1.25
"""px; circles of confusion that are tried in the first photo, and between them."""
WINDOW = 1.2
"""px of the photos as they are given; sigma of the window over which they are compared."""
DOUBT = 0.1
"""A share of the photos' difference, left unexplained, that makes a depth e times less likely."""


USUAL = 5.0
"""px; Laplace's scale of circles of confusion before the photos are looked at. Without texture,
where all depths explain both photos alike, what people focus on is near the focus."""


@dataclass(frozen=True, eq=False)
class Swept:
    """A posterior over depths, as signed circles of confusion."""

    coc_a: Float[Tensor, " n"]
    """In the first photo, in px."""
    coc_b: Float[Tensor, "n b"]
    """In the second photo of each pair."""
    share: Float[Tensor, "n b h w"]
    """Sums to 1 over n; flat where there is no texture."""


def sweep(
    levels_a: Float[Tensor, "b n h w"],
    levels_b: Float[Tensor, "b n h w"],
    moved: Float[Tensor, "b 1 1"],
) -> Swept:
    """Try all depths.

    Args:
        levels_a: the first photos' blurs, by `reblurring.blurs`.
        levels_b: the second photos'.
        moved: c_a - c_b in px, by `fusion.shift`.
    """
    coc_a = torch.arange(-REACH, REACH + STEP / 2, STEP)
    coc_b = coc_a[:, None] - moved[:, 0, 0]
    a, b = to_srgb(levels_a[:, 0]), to_srgb(levels_b[:, 0])
    whole = smooth((a - b).abs()[:, None], WINDOW)[:, 0] + FAINT
    left = []
    for one, others in zip(coc_a, coc_b, strict=True):
        more = (others**2 - one**2)[:, None, None].expand_as(a)
        forth = (to_srgb(blurred(levels_a, more)) - b).abs()
        back = (to_srgb(blurred(levels_b, -more)) - a).abs()
        left.append(torch.where(more > 0, forth, back))
    share_left = smooth(torch.stack(left, 1), WINDOW) / whole[:, None]
    possible = (coc_b.abs() <= REACH).T[:, :, None, None]
    likely = (coc_a.abs()[:, None] + coc_b.abs()).T[:, :, None, None] / USUAL
    score = torch.where(possible, -share_left / DOUBT - likely, -1e4)
    return Swept(coc_a, coc_b, score.softmax(1).transpose(0, 1))


def certainty(swept: Swept) -> Float[Tensor, "b h w"]:
    """Return 1 - entropy / its largest value: 0 where depths are alike, 1 where one stands out."""
    entropy = -(swept.share * swept.share.clamp(min=1e-12).log()).sum(0)
    return 1 - entropy / math.log(len(swept.share))


def expected_likelihood(
    a: Branch, b: Branch, swept: Swept, weight: Float[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Return Laplace's likelihood of both branches' sizes, expected over the posterior."""
    total = a.spread.log() + b.spread.log()
    for share, one, others in zip(swept.share, swept.coc_a, swept.coc_b, strict=True):
        off_a = (a.size - one.abs()).abs() / a.spread
        off_b = (b.size - others.abs()[:, None, None]).abs() / b.spread
        total = total + share * (off_a + off_b)
    return (weight * total).sum() / weight.sum()


def behind(swept: Swept) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Return the probability that a surface lies behind the focus, of both photos."""
    first = (swept.share * (swept.coc_a > 0)[:, None, None, None]).sum(0)
    second = (swept.share * (swept.coc_b > 0)[..., None, None]).sum(0)
    return first, second
