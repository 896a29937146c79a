"""Matches between photos hold the rendered depth where they determine a point."""

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
class Multiview(Term):
    """Inverse depth at matched pixels against that of the points which their matches triangulate.

    All views of a point are held at the one place where their sights meet, so they agree with each
    other there. A point asks nothing of views in which it was not matched: what hides it from them
    plays no part.
    """

    weight: float = 0.1
    """Multiplier; 0 leaves the term out."""
    cap: float = 0.5
    """A disagreement, in inverse depth times the scene's scale, never counts as more than this, and
    one of this size pulls a quarter as hard as a small one: it may be a wrong match."""
    needs: ClassVar[frozenset[Need]] = frozenset({Need.MATCHES})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over matched valid pixels, weighted by the certainty of their depths.

        A disagreement x counts as x / (1 + x / cap). Expected depth is compared.
        """
        found, render = sample.evidence.matches, sample.render
        if found is None:
            return 0.0 * render.alpha.sum()
        height, width = render.alpha.shape
        row, column = found.index(width, height)
        alpha, depth = render.alpha[row, column].detach(), render.expected_depth[row, column]
        drawn = (alpha > LEAST_ALPHA) & (depth.detach() > 0)
        weight = found.weight * drawn
        if sample.valid is not None:
            weight = weight * sample.valid[row, column]
        inverse = torch.where(drawn, depth, 1.0).reciprocal()
        off = sample.scene_scale * (inverse - found.depth.reciprocal()).abs()
        total = weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
        return (weight * off / (1 + off / self.cap)).sum() / total
