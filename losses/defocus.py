"""A virtual lens holds the rendered depth: the photo, blurred by it, against that by a prior."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon.defocus.stack import from_stack
from recon.evidence.interface import Need
from recon.losses.functional import masked_mean, photometric
from recon.raster.interface import NEAR as NEAR_PLANE
from recon.supervise import Sample, Term

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving."""
NEAREST = 0.1 * NEAR_PLANE
"""Depths below this are not the rasterizer's, and their inverses overflow."""
REFERENCE_WIDTH = 360
"""px; `span` is meant for photos of this width and scales with it."""
NEAR, FAR = 0.98, 0.02
"""Quantiles of the prior's inverse depth that count as the range's ends."""
OUTSIDE = (1.2, 0.8)
"""Planes of focus before and behind the range, in units of its ends' inverse depth."""
QUANTILES = (0.15, 0.5, 0.85)

Focus = Literal["outside", "infinity", "median", "quantiles"]


@dataclass(frozen=True)
class Defocus(Term):
    """The photo blurred with the rendered depth against the photo blurred with the prior's.

    Both go through one thin lens, c = K |1/z - 1/s|. The gradient goes to depth only, since the
    photo is the same on both sides: unlike blurring the render, colours cannot answer for depth.
    """

    weight: float = 15.0
    """Multiplier; 0 leaves the term out."""
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
        strength, plane = self.lens(goal[known], sample.step, stack.size[1])
        target = from_stack(stack, strength * (goal - plane))
        blurred = from_stack(stack, strength * (mine - plane))
        confidence = _pooled(prior.confidence, stack.size)[..., None]
        l1 = masked_mean((blurred - target).abs() * confidence, use)
        reached = (255 * target).round().to(torch.uint8)
        structure = photometric(blurred, reached, use & (confidence[..., 0] > 0.5), 1.0).loss
        return (1 - self.ssim_weight) * l1 + self.ssim_weight * structure

    def lens(
        self, inverse: Float[Tensor, " n"], step: int, width: int
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the virtual lens for one photo at one step.

        Args:
            inverse: of the prior's depth, where it is known.
            step: chooses among planes that take turns.
            width: of the photo that is blurred, in px.

        Returns:
            The strength K, in px times the capture's unit, and the inverse of the focus distance.
        """
        near, far = inverse.quantile(NEAR), inverse.quantile(FAR)
        range_ = (near - far).clamp(min=1e-3 * float(near))
        strength = self.span * width / REFERENCE_WIDTH / range_
        match self.focus:
            case "infinity":
                return self.span * width / REFERENCE_WIDTH / near, torch.zeros_like(near)
            case "outside":
                return strength, OUTSIDE[0] * near if step % 2 == 0 else OUTSIDE[1] * far
            case "median":
                return strength, inverse.quantile(0.5)
            case "quantiles":
                return strength, inverse.quantile(QUANTILES[step % 3])


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
