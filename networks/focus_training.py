"""Teaches METER's attention over focus, by photos whose depth is known; METER itself stays."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, final

import torch
from torch import Tensor

from recon.errors import UsageError
from recon.networks.course import Course, check_schedule, warm_restarts
from recon.networks.focus_examples import NEAREST, Examples
from recon.networks.focus_losses import distillation, edge_guided, scale_invariant_log
from recon.networks.focus_meter import MeterFocus, StackName
from recon.networks.meter_canvas import TRAINING, MeterVariant
from recon.networks.meter_network import MeterXxs

Base = Literal["meter-kitti", "meter-nyu"]
JUDGE_EVERY = 50
"""Steps."""


@dataclass(frozen=True)
class FocusWeights:
    """How much each loss counts."""

    depth: float = 1.0
    """Of the scale-invariant error of log depth."""
    scale: float = 0.15
    """Within it, of the squared mean error beside the variance; 0 leaves the scale to METER."""
    edges: float = 1.0
    """Of depth up to scale and shift in patches at the photo's edges."""
    distill: float = 0.1
    """Of the distance from what the base says of the sharp photo."""


@dataclass(frozen=True)
class FocusTrainSettings:
    """How attention over focus is taught; saved with it."""

    base: Base = "meter-kitti"
    """What it is for: meter-kitti sees streets, meter-nyu rooms."""
    scenes: int = 288
    """Photos rendered by Mitsuba, of streets or of still lifes; 0 needs no Mitsuba."""
    rgbd: tuple[str, ...] = ()
    """Folders of your own photos with depth in metres, in any format that recon reads; added."""
    stack: StackName = "own"
    """Who blurs: own by METER's own depth, light the generator without depth that comes with recon,
    exact by the true depth, which only training has; sharp nobody, to tell what the same training
    brings without bokeh."""
    steps: int = 1_500
    """Optimisation steps."""
    cycle: int = 1_500
    """Steps in which the rate falls once; it begins again at half of what it was."""
    batch: int = 4
    """Photos at each step."""
    rate: float = 1e-3
    """Adam's, at its highest; it rises over the first steps of a cycle and falls as a cosine."""
    seed: int = 0
    """Of first weights and the order of photos."""
    weights: FocusWeights = field(default_factory=FocusWeights)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a number is out of its range.
        """
        check_schedule(self, ("cycle", "batch"))
        if self.scenes < 0 or not (self.scenes or self.rgbd):
            raise UsageError(
                f"--scenes {self.scenes}: nothing to learn from; expected 1 or more, or --rgbd."
            )
        for name, value in asdict(self.weights).items():
            if not 0 <= value < float("inf"):
                raise UsageError(f"--weights.{name} {value}: expected 0 or more.")

    @property
    def variant(self) -> MeterVariant:
        """METER's weights that it is for."""
        return "kitti" if self.base == "meter-kitti" else "nyu"


@final
class FocusTraining(Course[FocusTrainSettings, MeterFocus]):
    """Attention over focus between two steps; it wants to be shown its examples first."""

    def show(self, base: MeterXxs, taught: Examples, held: Examples) -> None:
        """Give what it learns from.

        Args:
            base: with its weights, which stay.
            taught: stacks that teach.
            held: stacks that only tell how well it does.
        """
        self._base = base.requires_grad_(False)
        self._taught, self._held = taught, held
        self._told = self._judged()

    def _judged(self) -> dict[str, float]:
        figures = judge(self.network, self._base, self.settings.variant, self._held)
        return {"held_abs_rel": figures.abs_rel, "held_abs_rel_base": figures.abs_rel_base}

    @staticmethod
    def settings_from(plain: dict[str, Any]) -> FocusTrainSettings:
        """Return settings as JSON holds them."""
        parts = {"rgbd": tuple(plain["rgbd"]), "weights": FocusWeights(**plain["weights"])}
        return FocusTrainSettings(**plain | parts)

    def _beginning(self) -> MeterFocus:
        return MeterFocus(self.settings.variant, self.settings.stack)

    def _rate(self) -> float:
        return warm_restarts(self.step, self.settings.cycle)

    def _losses(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return the three losses, and AbsRel with and without the attention."""
        own, weights = self.settings, self.settings.weights
        random = torch.Generator().manual_seed(own.seed * 1_000_003 + self.step)
        index = torch.randint(len(self._taught), (own.batch,), generator=random)
        taken = self._taught.chosen(index)
        found = log_depth(self.network, self._base, own.variant, taken)
        shape = scale_invariant_log(found, taken.truth, taken.known, weights.scale)
        losses = {
            "depth": weights.depth * shape,
            "edges": weights.edges * edge_guided(found, taken.truth, taken.known, taken.edges),
            "distill": weights.distill * distillation(found, taken.base),
        }
        if self.step % JUDGE_EVERY == 0:
            self._told = self._judged()
        return losses, {
            "abs_rel": float(abs_rel(found.detach(), taken).mean()),
            "abs_rel_base": float(abs_rel(taken.base, taken).mean()),
            **self._told,
        }


@dataclass(frozen=True)
class FocusFigures:
    """How good depth is on stacks that did not teach: means over photos of mean relative errors."""

    photos: int
    abs_rel: float
    abs_rel_base: float
    """Of the base on the sharp photos."""


def judge(
    network: MeterFocus, base: MeterXxs, variant: MeterVariant, held: Examples
) -> FocusFigures:
    """Return how good depth is on stacks."""
    errors = []
    with torch.no_grad():
        for at in torch.split(torch.arange(len(held)), 8):
            some = held.chosen(at)
            errors.append(abs_rel(log_depth(network, base, variant, some), some))
    return FocusFigures(
        len(held), float(torch.cat(errors).mean()), float(abs_rel(held.base, held).mean())
    )


def log_depth(
    network: MeterFocus, base: MeterXxs, variant: MeterVariant, stacks: Examples
) -> Tensor:
    """Return the logarithm of the depth, `b h w`, that stacks get with attention over focus."""
    depth = network(stacks.frames, stacks.strengths).depth(base)[:, 0]
    metres: Tensor = TRAINING[variant].unit * depth
    return metres.clamp(min=NEAREST).log()


def abs_rel(found: Tensor, stacks: Examples) -> Tensor:
    """Return the mean relative error of log depth's depth for each photo."""
    error = ((found - stacks.truth).exp() - 1).abs() * stacks.known
    total: Tensor = error.sum((1, 2))
    return total / stacks.known.sum((1, 2)).clamp(min=1)
