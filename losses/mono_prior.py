"""A depth prior holds the rendered depth."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import pad

from recon.evidence.interface import Need
from recon.supervise import Sample, Term

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving."""
LEAST_VARIANCE = 1e-8
"""Of what is compared, in units of the scene's scale; less is a plane that faces the camera, with
which nothing correlates."""


@dataclass(frozen=True)
class MonoPrior(Term):
    """Rendered depth against that of a prior, L1 and correlation, by the prior's confidence."""

    weight: float = 0.3
    """Multiplier; 0 leaves the term out."""
    cap: float = 0.5
    """A disagreement beyond this, in inverse depth times the scene's scale, counts as this much
    and pulls no more: the prior is then as likely wrong as the scene."""
    compare: Literal["inverse-depth", "depth"] = "inverse-depth"
    """What is compared: inverse depth counts errors by what they do to the image, depth, over the
    scene's scale, counts them by their length."""
    correlation: float = 0.0
    """Beside the L1 part, so much times 1 - Pearson's correlation of a photo's confident pixels,
    which knows the prior's shape and minds neither its scale nor its offset."""
    edge_aware: float = 0.0
    """How much less pixels count at edges of the photo, where priors smear: one whose grey value
    differs by d, 0 to 1, from a neighbour's counts exp(-edge_aware d)."""
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PRIOR})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over the photo's valid pixels, in units of the scene's scale.

        It is L_abs + alpha L_corr of Deng et al. 2025 (arXiv 2511.10316, equation 40), with a true
        correlation in place of their product of normalised depths, which is not least at equality.
        """
        prior, render = sample.evidence.prior, sample.render
        if prior is None:
            return 0.0 * render.alpha.sum()
        weight = prior.confidence * (render.alpha.detach() > LEAST_ALPHA) * (prior.depth > 0)
        if sample.valid is not None:
            weight = weight * sample.valid
        if self.edge_aware > 0:
            weight = weight * torch.exp(-self.edge_aware * steps(sample.photo, sample.valid))
        use = (weight > 0) & (render.expected_depth.detach() > 0)
        weight = weight * use
        mine = self._compared(torch.where(use, render.expected_depth, 1.0), sample.scene_scale)
        goal = self._compared(torch.where(use, prior.depth, 1.0), sample.scene_scale)
        absolute = (weight * (mine - goal).abs().clamp(max=self.cap)).mean()
        if self.correlation == 0:
            return absolute
        unlike = weight.mean() * (1 - correlation(mine, goal, weight))
        return absolute + self.correlation * unlike

    def _compared(self, depth: Float[Tensor, "h w"], scale: float) -> Float[Tensor, "h w"]:
        return scale * depth.reciprocal() if self.compare == "inverse-depth" else depth / scale


def correlation(
    x: Float[Tensor, "h w"], y: Float[Tensor, "h w"], weight: Float[Tensor, "h w"]
) -> Float[Tensor, ""]:
    """Return Pearson's correlation of weighted pixels, 0 where one of the two hardly varies."""
    share = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
    x, y = x - (share * x).sum(), y - (share * y).sum()
    variances = (share * x * x).sum() + LEAST_VARIANCE, (share * y * y).sum() + LEAST_VARIANCE
    return (share * x * y).sum() / (variances[0] * variances[1]).sqrt()


def steps(photo: UInt8[Tensor, "h w 3"], valid: Bool[Tensor, "h w"] | None) -> Float[Tensor, "h w"]:
    """Return each pixel's largest step in grey, 0 to 1, to a neighbour beside, above or below it.

    Pixels that are not valid are nobody's neighbours.
    """
    grey = photo.float().mean(dim=-1) / 255
    across, down = grey.diff(dim=1).abs(), grey.diff(dim=0).abs()
    if valid is not None:
        across = across * (valid[:, 1:] & valid[:, :-1])
        down = down * (valid[1:] & valid[:-1])
    sides = [pad(across, (1, 0)), pad(across, (0, 1))]
    return torch.stack([*sides, pad(down, (0, 0, 1, 0)), pad(down, (0, 0, 0, 1))]).amax(dim=0)
