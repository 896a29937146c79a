"""A depth prior holds the rendered depth."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from recon.evidence.interface import Need
from recon.supervise import Sample, Term

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving."""


@dataclass(frozen=True)
class MonoPrior(Term):
    """Inverse depth against that of a prior, L1, weighted by the prior's confidence."""

    weight: float = 0.3
    """Multiplier; 0 leaves the term out."""
    cap: float = 0.5
    """A disagreement beyond this, in inverse depth times the scene's scale, counts as this much
    and pulls no more: the prior is then as likely wrong as the scene."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PRIOR})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over the photo's valid pixels, in units of the scene's scale."""
        prior, render = sample.evidence.prior, sample.render
        if prior is None:
            return 0.0 * render.alpha.sum()
        weight = prior.confidence * (render.alpha.detach() > LEAST_ALPHA) * (prior.depth > 0)
        if sample.valid is not None:
            weight = weight * sample.valid
        use = (weight > 0) & (render.expected_depth.detach() > 0)
        inverse = torch.where(use, render.expected_depth, 1.0).reciprocal()
        goal = torch.where(use, prior.depth, 1.0).reciprocal()
        off = (sample.scene_scale * (inverse - goal).abs()).clamp(max=self.cap)
        return (weight * off).mean()
