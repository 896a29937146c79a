"""Teaches the light generator, by sharp photos, a lens' strength and the photos through it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.datasets.synthetic.painted import Painted
from recon.defocus import blur
from recon.errors import UsageError
from recon.networks.bokeh_network import BokehNetwork
from recon.networks.bokeh_pairs import DISTANT, BokehPairs, PairMaker
from recon.networks.course import Course, check_schedule, warm_restarts
from recon.srgb import to_srgb

WIDTH, HEIGHT = 192, 144
"""px; of the photos that teach."""
FAINT = 0.01
"""sRGB, 0 to 1; added to how much a photo changes by blur, so that little change counts little."""
SHARPNESS = 10.0
"""Differences of colour by 1 / this let the rate change e times as cheaply."""


@dataclass(frozen=True)
class BokehTrainSettings:
    """How the light generator is taught; saved with it."""

    steps: int = 1_000
    """Optimisation steps."""
    cycle: int = 1_000
    """Steps in which the rate falls once; it begins again at half of what it was."""
    pairs: int = 6
    """Pairs of photos at each step."""
    made: int = 2
    """Of these, so many are also made by the network and the operator, which takes longer."""
    rate: float = 1.5e-3
    """Adam's, at its highest; it rises over the first steps of a cycle and falls as a cosine."""
    measured: float = 0.5
    """Weight of what is measured in pairs, beside the photos themselves."""
    smooth: float = 0.02
    """Weight of edge-aware smoothness of the defocus rate."""
    seed: int = 0
    """Of strengths, noise, painted scenes and first weights."""
    scenes: int = 360
    """Scenes rendered by Mitsuba beside those that are painted, one in three of a street; 0 needs
    no Mitsuba, and teaches little."""
    rgbd: tuple[str, ...] = ()
    """Folders of your own sharp photos with depth in metres, in any format that recon reads; added.
    The network is shown what the lens makes of them, not their depth."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a number is out of its range.
        """
        check_schedule(self, ("cycle", "pairs", "made"))
        if self.scenes < 0:
            raise UsageError(f"--scenes {self.scenes}: expected 0 or more.")
        for name in ("measured", "smooth"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"--{name} {getattr(self, name)}: expected 0 or more.")


@final
class BokehTraining(Course[BokehTrainSettings, BokehNetwork]):
    """The light generator's network between two steps."""

    def __init__(self, settings: BokehTrainSettings) -> None:
        super().__init__(settings)
        self.show(())

    @staticmethod
    def settings_from(plain: dict[str, Any]) -> BokehTrainSettings:
        """Return settings as JSON holds them."""
        return BokehTrainSettings(**plain | {"rgbd": tuple(plain.get("rgbd", ()))})

    def show(self, scenes: Sequence[Painted]) -> None:
        """Set the scenes that pairs are made from, beside those that are painted."""
        self._maker = PairMaker(self.settings.seed, scenes, HEIGHT, WIDTH)

    def _beginning(self) -> BokehNetwork:
        return BokehNetwork()

    def _rate(self) -> float:
        return warm_restarts(self.step, self.settings.cycle)

    def _losses(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return how far the photos made are off, and the same in dB."""
        pairs = self._maker.pairs(self.step, self.settings.pairs)
        rates = self.network(pairs.sharp)
        few = pairs.first(self.settings.made)
        made = through(few, rates[: self.settings.made])
        off = (made - few.bokeh).abs().mean((1, 2, 3))
        change = (to_srgb(few.light) - few.bokeh).abs().mean((1, 2, 3))
        calm = self.settings.smooth * smoothness(rates, pairs.sharp)
        psnr = -10 * (made.detach() - few.bokeh).square().mean((1, 2, 3)).log10()
        ratio = ((rates + DISTANT) / (pairs.rates + DISTANT)).log().abs()
        told = (pairs.trust * ratio).sum() / pairs.trust.sum()
        parts = {
            "pair": (off / (change + FAINT)).mean(),
            "measured": self.settings.measured * told,
            "smooth": calm,
        }
        return parts, {"psnr_db": float(psnr.mean())}


def through(pairs: BokehPairs, rates: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w 3"]:
    """Return the sharp photos through their lenses, blurred by rates in 1/m, with a gradient."""
    made = [
        to_srgb(blur(light, (-strength * rate).contiguous(), encoded=False))
        for light, strength, rate in zip(pairs.light, pairs.strengths, rates, strict=True)
    ]
    return torch.stack(made)


def smoothness(rates: Float[Tensor, "b h w"], images: Float[Tensor, "b 3 h w"]) -> Tensor:
    """Return how much rates change where colours do not, relative to the photo's mean rate."""
    relative = rates / rates.detach().mean((1, 2), keepdim=True)
    across = torch.exp(-SHARPNESS * images.diff(dim=3).abs().mean(1))
    down = torch.exp(-SHARPNESS * images.diff(dim=2).abs().mean(1))
    return (relative.diff(dim=2).abs() * across).mean() + (relative.diff(dim=1).abs() * down).mean()
