"""What trainings of all networks share: steps, their rate, and going on with what was stopped."""

import abc
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recon.errors import DataError, NumericError, UsageError
from recon.files import replacing


@runtime_checkable
class Schedule(Protocol):
    """What every training's settings say: a frozen dataclass, saved with the network."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def steps(self) -> int:
        """Optimisation steps."""

    @property
    def rate(self) -> float:
        """Adam's, at its highest."""

    @property
    def seed(self) -> int:
        """Of all that is random."""


Settings = TypeVar("Settings", bound=Schedule)
Network = TypeVar("Network", bound=nn.Module)
C = TypeVar("C", bound="Course[Any, Any]")


class Course(abc.ABC, Generic[Settings, Network]):
    """A network between two steps of its training."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.step, self.seconds = settings, 0, 0.0
        self.network = self._beginning()
        self.optimizer = torch.optim.Adam(self.network.parameters(), settings.rate)

    @staticmethod
    @abc.abstractmethod
    def settings_from(plain: dict[str, Any]) -> Settings:
        """Return settings as JSON holds them."""

    @abc.abstractmethod
    def _beginning(self) -> Network:
        """Return the network that has seen nothing."""

    @abc.abstractmethod
    def _losses(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Return weighted losses of this step, whose sum is to be made small, and other figures."""

    @abc.abstractmethod
    def _rate(self) -> float:
        """Return the factor of the rate at this step."""

    @property
    def done(self) -> bool:
        """Whether all steps were taken."""
        return self.step >= self.settings.steps

    def next(self) -> dict[str, float]:
        """Take a step, and return its losses, their sum and other figures by name.

        Raises:
            NumericError: the loss is not finite.
        """
        began = time.process_time()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * self._rate()
        parts, told = self._losses()
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
        return {**figures, "loss": float(loss.detach()), **told}

    def save(self, path: Path) -> None:
        """Write all that is needed to go on, whole or not at all."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{k}": v.clone() for k, v in state.items()}
        about = {"step": str(self.step), "seconds": str(self.seconds)}
        about["settings"] = json.dumps(asdict(self.settings))
        with replacing(path) as temporary:
            save_file(tensors, temporary, about)

    @classmethod
    def restored(cls: type[C], path: Path) -> C:
        """Go back to what `save` wrote.

        Raises:
            DataError: the file is damaged or holds something else.
        """
        try:
            with safetensors.safe_open(path, "pt") as file:
                about = file.metadata() or {}
            tensors = load_file(path)
            course = cls(cls.settings_from(json.loads(about["settings"])))
            course.network.load_state_dict(_part(tensors, "network."))
            states: dict[int, dict[str, Tensor]] = {}
            for name, tensor in _part(tensors, "adam.").items():
                index, key = name.split(".")
                states.setdefault(int(index), {})[key] = tensor
            whole = course.optimizer.state_dict() | {"state": states}
            course.optimizer.load_state_dict(whole)
            course.step, course.seconds = int(about["step"]), float(about["seconds"])
        except Exception as error:  # Of many classes, all of which say the same to a person.
            raise DataError(
                f"{path}: not a training that can go on ({error}). Train anew into another folder."
            ) from error
        return course


def check_schedule(settings: Schedule, counts: tuple[str, ...]) -> None:
    """Refuse what cannot be trained.

    Args:
        settings: to look at.
        counts: names of its numbers that are 1 or more, beside the steps.

    Raises:
        UsageError: a number is out of its range.
    """
    for name in ("steps", *counts):
        if getattr(settings, name) < 1:
            raise UsageError(f"--{name} {getattr(settings, name)}: expected 1 or more.")
    if not (math.isfinite(settings.rate) and settings.rate > 0):
        raise UsageError(f"--rate {settings.rate}: expected more than 0.")


def warm_restarts(step: int, cycle: int) -> float:
    """Return the factor of a rate that begins again and again (Loshchilov and Hutter 2017).

    It rises over the first 5 % of a cycle, and falls as a cosine; each cycle is half as warm.
    """
    done, share = step // cycle, (step % cycle) / cycle
    whole = min(1.0, share / 0.05 + 0.02) * 0.5 * (1 + math.cos(math.pi * share))
    return float(0.5**done * whole)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
