"""Teaches the siamese network, by two focal settings of painted scenes."""

import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import l1_loss

from recon.errors import DataError, NumericError, UsageError
from recon.files import replacing
from recon.networks.photographs import Photographer
from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.teachers import Siamese, Supervised, Teacher, Weights


@dataclass(frozen=True)
class TrainSettings:
    """How a network is taught; saved with it."""

    mode: Literal["siamese", "supervised"] = "supervised"
    """siamese is told the lens of two focal settings, and neither depth nor a sharp picture;
    supervised is told the circles of confusion of the painted scenes. The weights that come with
    recon are supervised."""
    steps: int = 1_000
    """Optimisation steps."""
    cycle: int = 500
    """Steps in which the rate falls once; it begins again at half of what it was."""
    pairs: int = 5
    """Pairs of photos at each step."""
    side: int = 80
    """Of the photos, in px; a multiple of 16."""
    rate: float = 2e-3
    """Adam's, at its highest; it rises over the first steps of a cycle and falls as a cosine."""
    seed: int = 0
    """Of scenes, lenses, noise and first weights."""
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            UsageError: a number is out of its range.
        """
        if self.side < 32 or self.side % 16:
            raise UsageError(f"--side {self.side}: expected a multiple of 16, 32 or more.")
        for name in ("steps", "cycle", "pairs"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name} {getattr(self, name)}: expected 1 or more.")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise UsageError(f"--rate {self.rate}: expected more than 0.")
        for name, value in asdict(self.weights).items():
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"--weights.{name} {value}: expected 0 or more.".replace("_", "-"))


class Training:
    """A network between two steps."""

    def __init__(self, settings: TrainSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.step, self.seconds = settings, 0, 0.0
        self.network = SiameseNetwork()
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.rate)
        teaches = {"siamese": Siamese, "supervised": Supervised}[settings.mode]
        self._teacher: Teacher = teaches(settings.weights)
        self._photographer = Photographer(settings.seed, settings.side)

    @property
    def done(self) -> bool:
        """Whether all steps were taken."""
        return self.step >= self.settings.steps

    def next(self) -> dict[str, float]:
        """Take a step, and return its losses and the error of |CoC| in px, by name.

        Raises:
            NumericError: the loss is not finite.
        """
        began = time.process_time()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * rate_at(self.step, self.settings.cycle)
        pairs = self._photographer.pairs(self.step, self.settings.pairs)
        a, b = (self.network(half.images, half.lenses) for half in (pairs.a, pairs.b))
        parts = self._teacher.losses(pairs, a, b)
        loss = torch.stack(list(parts.values())).sum()
        if not bool(loss.isfinite()):
            raise NumericError(
                f"the loss is {float(loss)} at step {self.step}; train again with a lower --rate."
            )
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.seconds += time.process_time() - began
        figures = {name: float(part.detach()) for name, part in parts.items()}
        error = [
            float(l1_loss(one.size.detach(), half.coc.abs()))
            for one, half in ((a, pairs.a), (b, pairs.b))
        ]
        return {**figures, "loss": float(loss.detach()), "mae_px": sum(error) / 2}

    def save(self, path: Path) -> None:
        """Write all that is needed to go on, whole or not at all."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v.clone() for k, v in state.items()}
        about = {"step": str(self.step), "seconds": str(self.seconds)}
        about["settings"] = json.dumps(asdict(self.settings))
        with replacing(path) as temporary:
            save_file(tensors, temporary, about)

    @staticmethod
    def restored(path: Path) -> "Training":
        """Go back to what `save` wrote.

        Raises:
            DataError: the file is damaged or holds something else.
        """
        try:
            with safetensors.safe_open(path, "pt") as file:
                about = file.metadata() or {}
            tensors = load_file(path)
            training = Training(settings_from(json.loads(about["settings"])))
            training.network.load_state_dict(_part(tensors, "network."))
            states: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, "adam.").items():
                index, key = name.split(".")
                states.setdefault(int(index), {})[key] = tensor
            whole = training.optimizer.state_dict() | {"state": states}
            training.optimizer.load_state_dict(whole)
            training.step, training.seconds = int(about["step"]), float(about["seconds"])
        except Exception as error:  # Of many classes, all of which say the same to a person.
            raise DataError(
                f"{path}: not a training that can go on ({error}). Train anew into another folder."
            ) from error
        return training


def settings_from(plain: dict[str, Any]) -> TrainSettings:
    """Return settings as JSON holds them."""
    return TrainSettings(**plain | {"weights": Weights(**plain["weights"])})


def rate_at(step: int, cycle: int) -> float:
    """Return the factor of the rate: warm restarts (Loshchilov and Hutter 2017), each half as warm.

    It rises over the first 5 % of a cycle, and falls as a cosine.
    """
    done, share = step // cycle, (step % cycle) / cycle
    whole = min(1.0, share / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * share))
    return float(0.5**done * whole)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
