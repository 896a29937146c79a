"""The blur of a photo holds the rendered depth: what a network saw, against what the lens draws."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from recon.evidence.interface import Need
from recon.optics import signed_coc
from recon.raster.interface import NEAR as NEAR_PLANE
from recon.supervise import Sample, Term

LEAST_ALPHA = 0.05
"""Fainter pixels have no depth worth moving."""
NEAREST = 0.1 * NEAR_PLANE
"""Depths below this are not the rasterizer's."""
LEAST_CHANCE = 0.02
"""Of either side of the focus; the network is never believed altogether."""


@dataclass(frozen=True)
class SiameseCoc(Term):
    """Circles of confusion of the photo's lens at the rendered depth, against predicted ones.

    For photos that are out of focus in places, whose lens is known or learned (--parts.lens).
    """

    weight: float = 0.0
    """Multiplier; 0 leaves the term out."""
    cap: float = 4.0
    """A disagreement of more expected errors than this counts as this many, and pulls no more."""
    begin: float = 0.1
    """Share of the fit before which it is silent: depth has no meaning yet."""
    weights: Path | None = None
    """Of the network, as `recon train siamese` writes them; those that come with recon where not
    given."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.COC})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean of -ln(p exp(-|c - s|/b) + q exp(-|c + s|/b)) over drawn, valid pixels.

        c is the lens' signed circle of confusion at the expected depth, s and b are the predicted
        size and its expected error, p and q the chances that the surface lies behind and before
        the focus. It is at least 0. The gradient flows to depth, and to a lens that is learned.
        """
        seen, render = sample.evidence.coc, sample.render
        if seen is None or sample.lens is None or sample.progress < self.begin:
            return 0.0 * render.alpha.sum()
        drawn = (render.alpha.detach() > LEAST_ALPHA) & (render.expected_depth.detach() > NEAREST)
        use = drawn if sample.valid is None else drawn & sample.valid
        if not bool(use.any()):
            return 0.0 * render.alpha.sum()
        coc = signed_coc(render.expected_depth[use], sample.lens)
        size, spread = seen.size[use], seen.spread[use]
        chance = seen.behind[use].clamp(LEAST_CHANCE, 1 - LEAST_CHANCE)
        behind = chance.log() - (coc - size).abs() / spread
        before = (1 - chance).log() - (coc + size).abs() / spread
        return (-torch.logaddexp(behind, before)).clamp(max=self.cap).mean()
