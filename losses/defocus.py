"""A virtual lens holds the rendered depth: what it blurs by it, against what by a prior's."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon.defocus.operator import blur
from recon.defocus.stack import BlurStack, from_stack
from recon.evidence.interface import Need
from recon.losses.functional import masked_mean, photometric
from recon.losses.virtual_lens import Focus, virtual_lens
from recon.raster.interface import NEAR as NEAR_PLANE
from recon.supervise import Sample, Term
from recon.types import ThinLens

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving."""
NEAREST = 0.1 * NEAR_PLANE
"""Depths below this are not the rasterizer's, and their inverses overflow."""
CONSTANT = 6.0
"""px; the circle of confusion everywhere, where it is constant."""


@dataclass(frozen=True)
class Defocus(Term):
    """A photo blurred by the rendered depth against the photo blurred by the prior's depth.

    Both go through one thin lens, c = K |1/z - 1/s|.
    """

    weight: float = 5.0
    """Multiplier; 0 leaves the term out."""
    form: Literal["photo", "render"] = "photo"
    """What is blurred by the rendered depth. photo: the photo itself; colours cannot answer for
    depth then. render: the rendered colours, as the method this follows has it; what differs is
    mostly colour, and says little of depth."""
    span: float = 10.0
    """The lens' strength K is such that circles of confusion span so many pixels over the depth
    range of each photo's prior, in a photo 360 px wide."""
    focus: Focus = "outside"
    """Where the lens is focused: outside takes a plane just before and one just behind the
    prior's range in turn, so that blur tells near from far; infinity; the median of the prior;
    quantiles takes three inside the range in turn. Inside the range two depths share a blur."""
    begin: float = 0.0
    """Share of the fit before which it is silent."""
    end: float = 1.0
    """Share of the fit after which it is silent."""
    ssim_weight: float = 0.2
    """Share of the structural part, in [0, 1]."""
    colors: bool = False
    """Let the form render move colours too, not only depth."""
    circles: Literal["continuous", "rounded", "constant"] = "continuous"
    """For controls: rounded to whole pixels they pass no gradient to depth, and constant ones know
    no depth at all."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PRIOR, Need.STACK})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return (1 - w) L1 + w (1 - SSIM) over the pixels with a prior, times its confidence."""
        prior, stack, render = sample.evidence.prior, sample.evidence.stack, sample.render
        if prior is None or stack is None or not self.begin <= sample.progress <= self.end:
            return 0.0 * render.alpha.sum()
        drawn = (render.alpha.detach() > LEAST_ALPHA) & (render.expected_depth.detach() > NEAREST)
        mine, seen = pooled_inverse(render.expected_depth, drawn, stack.size)
        goal, known = pooled_inverse(prior.depth, prior.confidence > 0, stack.size)
        if sample.valid is not None:
            known = known & _pooled(sample.valid.float(), stack.size).ge(0.999)
        use = seen & known
        if not bool(use.any()):
            return 0.0 * render.alpha.sum()
        lens = virtual_lens(goal[known], self.span, self.focus, sample.step, stack.size[1])
        blurred, target = self._blurred(
            stack, render.color, self._circles(mine, lens), self._circles(goal, lens)
        )
        confidence = _pooled(prior.confidence, stack.size)[..., None]
        l1 = masked_mean((blurred - target).abs() * confidence, use)
        reached = (255 * target.clamp(0, 1)).round().to(torch.uint8)
        structure = photometric(blurred, reached, use & (confidence[..., 0] > 0.5), 1.0).loss
        return (1 - self.ssim_weight) * l1 + self.ssim_weight * structure

    def _circles(self, inverse: Float[Tensor, "h w"], lens: ThinLens) -> Float[Tensor, "h w"]:
        """Return signed circles of confusion, in px, with a gradient only if continuous."""
        match self.circles:
            case "continuous":
                return lens.strength * (lens.inverse_focus - inverse)
            case "rounded":
                return (lens.strength * (lens.inverse_focus - inverse)).detach().round()
            case "constant":
                return torch.full_like(inverse, CONSTANT).detach()

    def _blurred(
        self,
        stack: BlurStack,
        color: Float[Tensor, "y x 3"],
        mine: Float[Tensor, "h w"],
        goal: Float[Tensor, "h w"],
    ) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w 3"]]:
        """Return what the rendered depth blurs, and what the prior's depth does."""
        if self.form == "photo":
            return from_stack(stack, mine), from_stack(stack, goal)
        rendered = (color if self.colors else color.detach()).clamp(0, 1)
        small = torch.stack([_pooled(c, stack.size) for c in rendered.unbind(-1)], -1)
        return blur(small, mine), blur(stack.sharp, goal)


def pooled_inverse(
    depth: Float[Tensor, "h w"], use: Bool[Tensor, "h w"], size: tuple[int, int]
) -> tuple[Float[Tensor, "v u"], Bool[Tensor, "v u"]]:
    """Return inverse depth at another size, and which of its pixels are known.

    The circle of confusion is linear in inverse depth, so that is what is averaged.
    """
    inverse = torch.where(use, torch.where(use, depth, 1.0).reciprocal(), 0.0)
    share = _pooled(use.float(), size)
    known = share > 0.5
    return _pooled(inverse, size) / torch.where(known, share, 1.0), known


def _pooled(image: Float[Tensor, "h w"], size: tuple[int, int]) -> Float[Tensor, "v u"]:
    if tuple(image.shape) == size:
        return image
    smaller = image.shape[1] > size[1]
    if smaller:
        return interpolate(image[None, None], size, mode="area")[0, 0]
    return interpolate(image[None, None], size, mode="bilinear", align_corners=False)[0, 0]
