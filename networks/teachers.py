"""What teaches circles of confusion: two focal settings and their lens, or the truth."""

import abc
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from recon.networks.fusion import shift
from recon.networks.photographs import Pairs
from recon.networks.reblurring import blurs
from recon.networks.rerendering import rerender
from recon.networks.siamese_coc import Branch
from recon.networks.siamese_losses import (
    absolute,
    cross_focus,
    likelihood,
    reblur,
    side,
    smoothness,
)
from recon.networks.sweep import behind, certainty, expected_likelihood, sweep

SURE = 1.0
"""px; of circles of confusion that are smaller nobody asks the side."""
UNSURE = 0.05
"""Weight of pixels of which the sweep says nothing, so that they learn to be unsure."""


@dataclass(frozen=True)
class Weights:
    """How much the losses count beside the likelihood of the sizes."""

    cross_focus: float = 0.1
    """Consistency between the two settings, beside the sweep over depths."""
    reblur: float = 0.5
    """Re-blur, likewise."""
    smooth: float = 0.3
    """Edge-aware smoothness."""
    rerender: float = 0.5
    """The rendering loss, where pairs come with a fitted scene."""
    absolute: float = 0.5
    """The error of sizes in px, whatever the expected one; in supervised training."""
    side: float = 0.3
    """Telling behind from before the focus."""


class Teacher(abc.ABC):
    """Judges both branches."""

    @abc.abstractmethod
    def losses(self, pairs: Pairs, a: Branch, b: Branch) -> dict[str, Tensor]:
        """Return weighted losses by name; their sum is to be made small."""


@final
class Supervised(Teacher):
    """Knows the circles of confusion."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def losses(self, pairs: Pairs, a: Branch, b: Branch) -> dict[str, Tensor]:
        """Hold both branches to the truth."""
        sizes = likelihood(a, pairs.a.coc) + likelihood(b, pairs.b.coc)
        sides = [
            side(one, (half.coc > 0).float(), (half.coc.abs() > SURE).float())
            for one, half in ((a, pairs.a), (b, pairs.b))
        ]
        off = absolute(a, pairs.a.coc) + absolute(b, pairs.b.coc)
        return {
            "likelihood": sizes,
            "absolute": self._weights.absolute * off,
            "side": self._weights.side * torch.stack(sides).sum(),
        }


@final
class Siamese(Teacher):
    """Knows the lens of both photos; no sharp photo, no depth and no circles of confusion."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def losses(self, pairs: Pairs, a: Branch, b: Branch) -> dict[str, Tensor]:
        """Hold both branches to what their photos and the lens allow."""
        weights, lens = self._weights, pairs.a.lenses
        moved = shift(lens.strength, lens.inverse_focus, pairs.b.lenses.inverse_focus)
        with torch.no_grad():
            of_a, of_b = blurs(pairs.a.images), blurs(pairs.b.images)
            swept = sweep(of_a[..., ::2, ::2], of_b[..., ::2, ::2], moved)
            sure = certainty(swept)
        few_a, few_b = a.every_second(), b.every_second()
        sides = [
            side(one, told, sure * (one.size.detach() > SURE))
            for one, told in zip((few_a, few_b), behind(swept), strict=True)
        ]
        calm = smoothness(a, pairs.a.images) + smoothness(b, pairs.b.images)
        drawn = [
            rerender(one, half.sharp, half.images)
            for one, half in ((a, pairs.a), (b, pairs.b))
            if half.sharp is not None
        ]
        rendering = {"rerender": weights.rerender * torch.stack(drawn).sum()} if drawn else {}
        return rendering | {
            "sweep": expected_likelihood(few_a, few_b, swept, UNSURE + sure),
            "cross_focus": weights.cross_focus * cross_focus(a, b, moved),
            "reblur": weights.reblur * reblur(a, b, of_a, of_b),
            "smooth": weights.smooth * calm,
            "side": weights.side * torch.stack(sides).sum(),
        }
