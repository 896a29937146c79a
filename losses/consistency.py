"""The depths that two views show of the same place agree (Deng et al. 2025, equations 32 to 34)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import project, unproject
from recon.evidence.interface import Need
from recon.raster.interface import COVERED
from recon.supervise import Sample, Term

EVERY = 2
"""px between those that are asked, down and across; which ones changes with the step."""


@dataclass(frozen=True)
class Consistency(Term):
    """Each pixel's point against the depth of a neighbouring view, as that was rendered last.

    No match is needed: the rendered depth itself says where a pixel's point lies in the neighbour.
    """

    weight: float = 0.1
    """Multiplier; 0 leaves the term out."""
    begin: float = 0.2
    """Share of the fit from which it is used: before, depth says little of where to look."""
    hidden: float = 0.15
    """Where the two inverse depths differ by more than this share of the neighbour's, one view
    sees what hides the other's point, and nothing is asked."""
    needs: ClassVar[frozenset[Need]] = frozenset({Need.NEIGHBOUR})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over pixels that both views show, of inverse depth in the neighbour.

        It is in units of the scene's scale. The gradient flows to the view that is rendered.
        """
        pair, render = sample.neighbour, sample.render
        if pair is None or sample.progress < self.begin:
            return 0.0 * render.alpha.sum()
        down, across = sample.step % EVERY, sample.step // EVERY % EVERY
        some = (slice(down, None, EVERY), slice(across, None, EVERY))
        depth, alpha = render.expected_depth[some], render.alpha.detach()[some]
        use = (alpha > COVERED) & (depth.detach() > 0)
        if sample.valid is not None:
            use = use & sample.valid[some]
        rows, columns = use.nonzero().T
        pixels = torch.stack([EVERY * columns + across, EVERY * rows + down], dim=1) + 0.5
        points = unproject(pair.here, pixels.to(depth.dtype), depth[use])
        places, there = project(pair.there.camera, points)
        goal, known = pair.there.at(places.detach())
        ahead = there.detach() > 0
        inverse = torch.where(ahead, there, 1.0).reciprocal()
        off = (inverse - goal).abs()
        asked = known & ahead & (off.detach() < self.hidden * goal)
        return sample.scene_scale * (off * asked).sum() / asked.sum().clamp(min=1)
