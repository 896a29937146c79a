"""How far a depth prior is believed while the scene grows: what says that it is wrong?

What is believed of a prior before a fit comes from points and neighbouring priors. The scene that
grows knows more: where photos from several places do not allow the prior's depth, the rendered
depth stays away from it. A lens shows that. Where a photo has texture, both depths should blur it
alike. Where they do not, the prior is believed less, by every term that asks for it alike.
"""

import abc
from dataclasses import replace
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from recon.defocus.stack import BlurStack, from_stack
from recon.evidence.interface import DenseDepth, Need
from recon.losses.defocus import LEAST_ALPHA, NEAREST, pooled_inverse
from recon.losses.virtual_lens import virtual_lens
from recon.optics import REFERENCE_WIDTH
from recon.supervise import Sample

SPAN = 10.0
"""px that circles of confusion span over a photo's prior, in a photo 360 px wide."""
TOLERATED = 0.07
"""Difference between circles of confusion, as a share of the span, at which a prior is believed
0.61 as much."""
CAP = 3.0
"""Differences beyond so many times the tolerated one count as so much: how wrong a wrong depth is
must not matter."""
WINDOW = 0.025
"""Half the window that differences are averaged over, in widths of the photo."""
FAINTEST = 0.25 / 255
"""Mean change by the tolerated difference below which there is no texture to tell it by."""


class Doubt(abc.ABC):
    """Looks at each step's view before any term does."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    """The evidence that it asks for, beside the prior."""

    @abc.abstractmethod
    def weigh(self, sample: Sample) -> Sample:
        """Return the sample with the prior's confidence as it is after what was rendered."""


@final
class NoDoubt(Doubt):
    """A prior stays as credible as it was before the fit."""

    def weigh(self, sample: Sample) -> Sample:
        """Return the sample as it is."""
        return sample


@final
class BlurDoubt(Doubt):
    """A prior is believed as far as it blurs the photo's texture as the rendered depth does."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.STACK})

    def __init__(self, begin: float) -> None:
        """Prepare.

        Args:
            begin: share of the fit before which the rendered depth is no witness.
        """
        self.begin = begin

    def weigh(self, sample: Sample) -> Sample:
        """Return the sample with the prior's confidence times the agreement."""
        prior, stack = sample.evidence.prior, sample.evidence.stack
        if prior is None or stack is None or sample.progress < self.begin:
            return sample
        with torch.no_grad():
            agreed = agreement(sample, prior, stack)
        believed = DenseDepth(prior.depth, prior.confidence * agreed)
        return replace(sample, evidence=replace(sample.evidence, prior=believed))


def agreement(sample: Sample, prior: DenseDepth, stack: BlurStack) -> Float[Tensor, "h w"]:
    """Return how alike the rendered depth and the prior blur the photo, at the prior's size.

    The change that the two make is held against what the tolerated difference would make at the
    same place, both averaged over a window.

    Args:
        sample: with the rendered depth.
        prior: of its photo.
        stack: the photo under several blurs.

    Returns:
        Values in (0, 1]: exp(-q²/2) of the quotient q of the two changes, at most CAP; 1 where the
        photo has no texture or is not valid, or one of the depths is not known.
    """
    render = sample.render
    drawn = (render.alpha > LEAST_ALPHA) & (render.expected_depth > NEAREST)
    if sample.valid is not None:
        drawn = drawn & sample.valid
    mine, seen = pooled_inverse(render.expected_depth, drawn, stack.size)
    goal, known = pooled_inverse(prior.depth, prior.confidence > 0, stack.size)
    both = (seen & known).float()
    whole = torch.ones_like(prior.depth)
    if not bool(known.any()):
        return whole
    lens = virtual_lens(goal[known], SPAN, "outside", sample.step, stack.size[1])
    circles, other = (lens.strength * (lens.inverse_focus - inverse) for inverse in (goal, mine))
    target = from_stack(stack, circles)
    change = (from_stack(stack, other) - target).abs().mean(-1)
    tolerated = TOLERATED * SPAN * stack.size[1] / REFERENCE_WIDTH
    # Towards no blur, so that the stack's widest disc does not hide it.
    nearer = circles.abs() - tolerated
    nearby = torch.where(nearer > 0, nearer, circles.abs() + tolerated)
    texture = (from_stack(stack, nearby) - target).abs().mean(-1)
    reach = max(1, round(WINDOW * stack.size[1]))
    change, texture = (_around(x * both, reach) for x in (change, texture))
    share = _around(both, reach).clamp(min=1e-6)
    told = texture > FAINTEST * share
    quotient = (change / torch.where(told, texture, 1.0)).clamp(max=CAP)
    agreed = torch.where(told, torch.exp(-0.5 * quotient**2), 1.0)
    if tuple(agreed.shape) == tuple(whole.shape):
        return agreed
    size = (whole.shape[0], whole.shape[1])
    return interpolate(agreed[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def _around(image: Float[Tensor, "h w"], reach: int) -> Float[Tensor, "h w"]:
    """Return the mean over a square window, what is beyond the photo left out."""
    edge = 2 * reach + 1
    mean: Tensor = avg_pool2d(
        image[None, None], edge, stride=1, padding=reach, count_include_pad=False
    )
    return mean[0, 0]


def choose_doubt(begin: float, needs: frozenset[Need]) -> Doubt:
    """Return who doubts the prior.

    Args:
        begin: share of the fit from which the rendered depth is a witness; 1 for never.
        needs: of the terms in use.
    """
    return BlurDoubt(begin) if begin < 1 and Need.PRIOR in needs else NoDoubt()
