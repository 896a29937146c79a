"""Training a network in a folder, to its end or until the user stops it."""

import json
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from recon.commands.stop import StopRequest
from recon.errors import StoppedError, UsageError
from recon.files import write_text
from recon.networks.course import Course

SAVE_EVERY, LOG_EVERY = 50, 10
"""Steps."""
STATE, LOG = "training.safetensors", "metrics.jsonl"

C = TypeVar("C", bound=Course[Any, Any])


@dataclass(frozen=True)
class TrainingRun:
    """Where and how to train; the folder holds the log, and what is needed to go on."""

    output: Path
    """A folder. Where a training in it was stopped, it goes on, with its own settings."""
    threads: int = 1
    """Of torch. The same number gives the same weights on one machine."""
    quiet: bool = False
    """Print errors only."""

    def __post_init__(self) -> None:
        """Refuse what cannot run.

        Raises:
            UsageError: no threads.
        """
        if self.threads < 1:
            raise UsageError(f"--threads {self.threads}: expected 1 or more.")

    @property
    def machine(self) -> str:
        """What it runs on, for the model card."""
        return f"{platform.machine()}, torch {torch.__version__}, threads: {self.threads}"

    def prepare(self, kind: type[C], settings: Any) -> C:
        """Begin a training, or go back to the one that was stopped in the folder.

        Args:
            kind: of training.
            settings: its settings; as they are by default they may differ from those in the folder.

        Raises:
            DataError: what is in the folder is damaged.
            UsageError: a training with other settings was begun in the folder.
        """
        torch.set_num_threads(self.threads)
        state = self.output / STATE
        if not state.exists():
            return kind(settings)
        found = kind.restored(state)
        if settings not in (type(settings)(), found.settings):
            raise UsageError(
                f"{state}: a training with other settings was begun here. Leave them out to go on "
                "with it, or choose another --output."
            )
        return found

    def finish(self, training: Course[Any, Any], network: str) -> dict[str, float]:
        """Run to the end, and return the means of the last steps.

        Args:
            training: as it was prepared.
            network: what `recon train` calls it.

        Raises:
            StoppedError: the user stopped it; it can go on.
            NumericError: the loss is not finite.
        """
        state, lines = self.output / STATE, _lines_until(self.output / LOG, training.step)
        recent: list[dict[str, float]] = []
        with StopRequest() as stop:
            while not training.done and not stop():
                recent.append(training.next())
                if training.step % LOG_EVERY == 0 or training.done:
                    lines.append(json.dumps(_means(recent) | {"step": training.step}))
                    if not self.quiet:
                        print(lines[-1], file=sys.stderr)
                    recent.clear()
                if training.step % SAVE_EVERY == 0 or training.done:
                    training.save(state)
                    write_text(self.output / LOG, "".join(f"{line}\n" for line in lines))
        if not training.done:
            training.save(state)
            raise StoppedError(
                f"stopped at step {training.step} and saved. Continue with: recon train "
                f"{network} --output {self.output}"
            )
        return {name: value for name, value in json.loads(lines[-1]).items() if name != "step"}

    def deliver(self, weights: Path, card: Path, text: str, figures: Any) -> None:
        """Write the model card, and print what a finished network is worth and where it is.

        Args:
            weights: of the network, which are there.
            card: where the card goes.
            text: of the card.
            figures: a dataclass.
        """
        write_text(card, text)
        if not self.quiet:
            print(json.dumps(asdict(figures)), file=sys.stderr)
        print(weights)


def _means(events: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(sum(e[name] for e in events) / len(events), 4) for name in events[0]}


def _lines_until(path: Path, step: int) -> list[str]:
    """Return the log's lines up to a step; what a crash left beyond is done again."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if json.loads(line)["step"] <= step]
