"""3DGS as Markov chain Monte Carlo (Kheradmand et al. 2024, arXiv 2404.09591)."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.densify.interface import Densifier, Densify
from recon.gaussians import rotations
from recon.model import Model
from recon.raster.interface import ScreenFootprint


class McmcDensifier(Densifier):
    """Moves Gaussians that have faded to where opacity is, on a growing budget.

    The budget grows geometrically from the initial count to the cap, so that a fit of any length
    reaches it at the same share of its steps.
    """

    def __init__(self, settings: Densify, cap: int, initial: int) -> None:
        self.settings = settings
        self.cap = cap
        self.initial = initial

    def before_gradients(
        self,
        penalties: Mapping[str, Float[Tensor, ""]],
        footprint: ScreenFootprint,
        progress: float,
    ) -> None:
        """Do nothing."""

    def after_step(
        self,
        model: Model,
        footprint: ScreenFootprint,
        size: tuple[int, int],
        step: int,
        progress: float,
    ) -> None:
        """Move the dead, grow towards the budget, and shake the faint."""
        settings = self.settings
        due = step % settings.every == 0 and settings.begin <= progress < settings.end
        with torch.no_grad():
            if due:
                self._relocate_dead(model)
                self._grow(model, self._budget(progress))
            if progress < settings.end:
                _shake_faint(model, settings.noise)

    def state(self) -> dict[str, Tensor]:
        """Return the count that the budget grows from."""
        return {"initial": torch.tensor(self.initial)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back the count that the budget grows from."""
        self.initial = int(state["initial"])

    def _budget(self, progress: float) -> int:
        begin, full = self.settings.begin, self.settings.full
        share = min(1.0, (progress - begin) / max(full - begin, 1e-9))
        growth = math.pow(self.cap / self.initial, share)
        return math.floor(self.initial * growth)

    def _relocate_dead(self, model: Model) -> None:
        opacities = model.gaussians.opacities
        dead = (opacities <= self.settings.dead_opacity).nonzero()[:, 0]
        alive = (opacities > self.settings.dead_opacity).nonzero()[:, 0]
        if len(dead) == 0 or len(alive) == 0:
            return
        source = alive[torch.multinomial(opacities[alive], len(dead), replacement=True)]
        _share_between_copies(model, source)
        for tensor in model.gaussians.named().values():
            tensor[dead] = tensor[source]
        model.forget(torch.cat([dead, source]))

    def _grow(self, model: Model, budget: int) -> None:
        missing = budget - len(model.gaussians)
        if missing <= 0:
            return
        source = torch.multinomial(model.gaussians.opacities, missing, replacement=True)
        _share_between_copies(model, source)
        model.forget(source)
        model.append(source)


def _share_between_copies(model: Model, source: Int[Tensor, " m"]) -> None:
    """Give each Gaussian that will be copied the opacity and scale that its copies share."""
    gaussians = model.gaussians
    copies = torch.bincount(source, minlength=len(gaussians))[source] + 1
    opacity, shrink = relocated(gaussians.opacities[source], copies)
    least = torch.finfo(torch.float32).eps
    gaussians.opacity_logits[source] = torch.logit(opacity.clamp(0.005, 1 - least))
    # Each source is written once per copy, always with the same value.
    gaussians.log_scales[source] = gaussians.log_scales[source] + shrink.log()[:, None]


def relocated(
    opacity: Float[Tensor, " m"], copies: Int[Tensor, " m"], most: int = 51
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """Share one Gaussian's opacity between copies so that the image hardly changes.

    Returns the copies' opacity, 1 - (1 - o)^(1/n), and the factor on their scales
    (arXiv 2404.09591, eq. 9). The alternating sum needs float64.

    Args:
        opacity: of the Gaussian that is copied, in (0, 1).
        copies: n, how many stand there afterwards, itself included; above `most`, `most`.
        most: the largest n.
    """
    count = copies.clamp(1, most)
    old = opacity.double()
    new = -torch.expm1(torch.log1p(-old) / count)
    denominator = torch.zeros_like(old)
    for i in range(1, int(count.max()) + 1):
        k = torch.arange(i, dtype=torch.float64)
        binomials = torch.tensor([math.comb(i - 1, j) for j in range(i)], dtype=torch.float64)
        signs = torch.where(k % 2 == 0, 1.0, -1.0)
        inner = (binomials * signs / (k + 1).sqrt() * new[:, None] ** (k + 1)).sum(-1)
        denominator += torch.where(count >= i, inner, 0.0)
    return new.float(), (old / denominator).float()


FAINT = 0.1
"""Noise on a Gaussian more opaque than this is below 1e-4 of its full strength, and is left out."""


def _shake_faint(model: Model, strength: float) -> None:
    """Add noise in the Gaussians' own shape to the centres of the faint ones (eq. 8, 11)."""
    gaussians = model.gaussians
    faint = (gaussians.opacity_logits < math.log(FAINT / (1 - FAINT))).nonzero()[:, 0]
    if len(faint) == 0:
        return
    opacity = gaussians.opacities[faint]
    gate = torch.sigmoid(100 * ((1 - opacity) - 0.995))
    axes = rotations(gaussians.quaternions[faint]) * gaussians.scales[faint][:, None]
    noise = torch.randn(len(faint), 3, device=opacity.device)
    noise = noise * (gate * model.means_rate * strength)[:, None]
    moved = (axes @ (axes.mT @ noise[..., None]))[..., 0]
    gaussians.means[faint] = gaussians.means[faint] + moved
