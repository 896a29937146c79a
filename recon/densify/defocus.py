"""Density control by the gradient of the defocus term (Deng et al. 2025, equations 21 to 25).

Source: arXiv 2511.10316, section 3.1.6. Its gradient is dL_dof / dx with x a Gaussian's centre.
Here x is the projected centre, in units of half the image, as in the gradient 3DGS grows by. It
is the term's own: it is taken apart from those of the other penalties, which costs one more
backward pass through the rasterizer for each step.
"""

from collections.abc import Mapping
from typing import Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.densify.guide import Guide
from recon.raster.interface import ScreenFootprint

TERM = "defocus"
"""The name of the penalty whose gradient counts."""
OWN = "defocus2d"
"""Under which its pull is gathered."""
LEAST_RANGE = 1e-12
"""Added to the range between quartiles, so that equal pulls have a weight."""


def moderation(pull: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return w = exp(-(g - Q25) / (Q75 - Q25 + eps)), which tames the largest (equation 24).

    Args:
        pull: g, the norms of a step's gradients of all Gaussians seen; at least one.
    """
    low, high = torch.quantile(pull, 0.25), torch.quantile(pull, 0.75)
    return torch.exp(-(pull - low) / (high - low + LEAST_RANGE))


def strongest(pull: Float[Tensor, " n"], share: float) -> Bool[Tensor, " n"]:
    """Return which Gaussians have at least the quantile 1 - share of the pull (equation 22)."""
    return pull >= torch.quantile(pull, 1 - share)


@final
class DefocusGuide(Guide):
    """Grows where the defocus term pulls too, and prunes where nothing does."""

    def __init__(self, keep: float, least_gradient: float) -> None:
        """Prepare.

        Args:
            keep: share of the Gaussians, those that the defocus term pulls most, that stay however
                little the whole objective pulls them.
            least_gradient: mean pull of the whole objective below which the others go.
        """
        self.keep = keep
        self.least_gradient = least_gradient
        self._gradient: Tensor | None = None

    def look(self, penalties: Mapping[str, Float[Tensor, ""]], footprint: ScreenFootprint) -> None:
        """Take the gradient of the defocus term alone (equation 21)."""
        penalty = penalties.get(TERM)
        if penalty is None or not footprint.offsets.requires_grad:
            self._gradient = None
            return
        (self._gradient,) = torch.autograd.grad(
            penalty, footprint.offsets, retain_graph=True, allow_unused=True
        )

    def gather(
        self, gathered: dict[str, Any], footprint: ScreenFootprint, size: tuple[int, int]
    ) -> None:
        """Add w g to the pull that decides on growth (equation 25), and g to a sum of its own."""
        gradient, self._gradient = self._gradient, None
        own = gathered.setdefault(OWN, torch.zeros_like(gathered["grad2d"]))
        seen = footprint.radii > 0
        if gradient is None or not bool(seen.any()):
            return
        halves = gradient.new_tensor([size[0] / 2, size[1] / 2])
        pull = (gradient[seen] * halves).norm(dim=-1)
        own[seen] += pull
        gathered["grad2d"][seen] += moderation(pull) * pull

    def idle(self, gathered: Mapping[str, Any]) -> Bool[Tensor, " n"] | None:
        """Return those seen that hardly anything pulls, but not the kept (equation 23).

        The other half of the equation, too little opacity, is the strategy's own.
        """
        count = gathered["count"]
        seen = count > 0
        if not bool(seen.any()):
            return None
        own = gathered[OWN] / count.clamp_min(1)
        kept = torch.zeros_like(seen)
        kept[seen] = strongest(own[seen], self.keep)
        still = gathered["grad2d"] / count.clamp_min(1) < self.least_gradient
        idle: Tensor = seen & still & ~kept
        return idle

    def forget(self, gathered: Mapping[str, Any]) -> None:
        """Set the sum to 0."""
        gathered[OWN].zero_()
