"""Teaches the siamese network, by two focal settings of painted scenes."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from recon.errors import UsageError
from recon.networks.course import Course, check_schedule
from recon.networks.photographs import PairSource, Photographer
from recon.networks.scenes import DepthPhotos, Either, PaintedScenes, Scenes
from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.teachers import Siamese, Supervised, Teacher, Weights
from recon.networks.turns import Turns

USED = 3
"""Steps for which a scene is kept; painting one takes longer than blurring it."""
RISE, FALL = 100, 0.3
"""Steps over which the rate rises, and the last share of all over which it falls."""


@dataclass(frozen=True)
class TrainSettings:
    """How a network is taught; saved with it."""

    mode: Literal["siamese", "supervised"] = "supervised"
    """siamese is told the lens of two focal settings, and neither depth nor a sharp picture;
    supervised is told the circles of confusion of the painted scenes. The weights that come with
    recon are supervised."""
    steps: int = 3_400
    """Optimisation steps."""
    pairs: int = 5
    """Pairs of photos at each step."""
    side: int = 96
    """Of the photos, in px; a multiple of 16."""
    rate: float = 2e-3
    """Adam's, at its highest: it rises, stays, and falls to 0 over the last steps."""
    rgbd: tuple[str, ...] = ()
    """Captures of sharp photos with depth, or folders of them: half of the scenes are theirs, the
    blur rendered by their depth."""
    seed: int = 0
    """Of scenes, lenses, noise and first weights."""
    weights: Weights = field(default_factory=Weights)
    stacks: tuple[str, ...] = ()
    """Focal stacks that state their lenses, as `recon fit` takes them, to learn from instead of
    painted scenes; with siamese, no label of theirs is looked at."""
    turns: Turns = field(default_factory=Turns)
    """Of the network and of scenes that are fitted to the stacks, for the rendering loss."""

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a number is out of its range.
        """
        if self.side < 32 or self.side % 16:
            raise UsageError(f"--side {self.side}: expected a multiple of 16, 32 or more.")
        check_schedule(self, ("pairs",))
        self.turns.check()
        if self.stacks and self.mode == "supervised":
            raise UsageError("--stacks are learned from without labels: give --mode siamese too.")
        if self.stacks and self.rgbd:
            raise UsageError("--stacks and --rgbd are learned from alone: give one of them.")
        for name, value in asdict(self.weights).items():
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"--weights.{name} {value}: expected 0 or more.".replace("_", "-"))


@final
class Training(Course[TrainSettings, SiameseNetwork]):
    """The siamese network between two steps."""

    def __init__(self, settings: TrainSettings) -> None:
        super().__init__(settings)
        teaches = {"siamese": Siamese, "supervised": Supervised}[settings.mode]
        self._teacher: Teacher = teaches(settings.weights)
        scenes: Scenes = PaintedScenes()
        if settings.rgbd:
            scenes = Either(scenes, DepthPhotos([Path(folder) for folder in settings.rgbd]))
        self.source: PairSource = Photographer(
            settings.seed, settings.side, used=USED, scenes=scenes
        )
        """Of pairs: blurred scenes, if nothing else is put here before the first step."""

    @staticmethod
    def settings_from(plain: dict[str, Any]) -> TrainSettings:
        """Return settings as JSON holds them."""
        nested = {"weights": Weights(**plain["weights"]), "turns": Turns(**plain["turns"])}
        lists = {name: tuple(plain[name]) for name in ("stacks", "rgbd")}
        return TrainSettings(**plain | nested | lists)

    def _beginning(self) -> SiameseNetwork:
        return SiameseNetwork()

    def _rate(self) -> float:
        return rate_at(self.step, self.settings.steps)

    def _losses(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return the teacher's losses, and the error of |CoC| in px."""
        pairs = self.source.pairs(self.step, self.settings.pairs, self.network)
        # Half of the digits do for what is averaged over many steps, and are faster.
        with torch.autocast("cpu", torch.bfloat16):
            seen = [self.network(half.images, half.lenses) for half in (pairs.a, pairs.b)]
        a, b = (branch.float() for branch in seen)
        off = [
            (one.size.detach() - half.coc.abs()).abs() for one, half in ((a, pairs.a), (b, pairs.b))
        ]
        # Stacks may come without the truth, which only this figure asks for.
        error = float(torch.stack(off).nanmean())
        figures = {} if math.isnan(error) else {"mae_px": error}
        return self._teacher.losses(pairs, a, b), figures


def rate_at(step: int, steps: int) -> float:
    """Return the factor of the rate: it rises, stays at 1, and falls as a cosine.

    Until it falls it does not depend on how many steps there are.
    """
    rise = min(1.0, (step + 1) / RISE)
    fallen = max(0.0, step / steps - (1 - FALL)) / FALL
    return rise * 0.5 * (1 + math.cos(math.pi * fallen))
