"""LiDAR holds the rendered depth where it has hit something."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from recon.evidence.interface import Need
from recon.supervise import Sample, Term

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving; the second part of the term makes them opaque."""


@dataclass(frozen=True)
class Lidar(Term):
    """Inverse depth, L1, and opacity at the pixels that LiDAR returns fall on."""

    weight: float = 0.2
    """Multiplier; 0 leaves the term out."""
    opaque: float = 0.1
    """Share of the part that asks for opacity, in [0, 1]."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.LIDAR})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over the returns on valid pixels, in units of the scene's scale.

        Inverse depth counts errors by what they do to the image: a metre near the camera more than
        a metre far away. Expected depth is compared.
        """
        found, render = sample.evidence.lidar, sample.render
        if found is None:
            return _nothing(sample)
        height, width = render.alpha.shape
        row, column = found.index(width, height)
        weight = found.weight
        if sample.valid is not None:
            weight = weight * sample.valid[row, column]
        total = weight.sum()
        if float(total) == 0:
            return _nothing(sample)
        alpha, depth = render.alpha[row, column], render.expected_depth[row, column]
        drawn = (alpha.detach() > LEAST_ALPHA) & (depth.detach() > 0)
        inverse = torch.where(drawn, depth, 1.0).reciprocal()
        off = torch.where(drawn, (inverse - found.depth.reciprocal()).abs(), 0.0)
        off = (sample.scene_scale * off).clamp(max=1.0)
        per_return = (1 - self.opaque) * off + self.opaque * (1 - alpha)
        return (weight * per_return).sum() / total


def _nothing(sample: Sample) -> Float[Tensor, ""]:
    """Return 0, with a gradient of 0 to the scene."""
    return 0.0 * sample.render.alpha.sum()
