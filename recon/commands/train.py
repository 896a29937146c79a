"""`recon train`: teach the networks that come with recon again, or others like them."""

import json
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from recon.commands.stop import StopRequest
from recon.errors import StoppedError, UsageError
from recon.files import write_text
from recon.networks.card import card
from recon.networks.stored import CARD, FILE, save_network
from recon.networks.training import Training, TrainSettings
from recon.networks.validation import validate

SAVE_EVERY, LOG_EVERY = 50, 10
"""Steps."""
STATE, LOG = "training.safetensors", "metrics.jsonl"


@dataclass(frozen=True)
class Train:
    """Teach the siamese network on scenes that it paints itself; goes on with what was stopped.

    Writes the weights, a model card, the log, and what is needed to go on.
    """

    network: tyro.conf.Positional[Literal["siamese"]]
    """siamese tells circles of confusion and depth from the blur of one photo."""
    output: Path
    """A folder. Where a training in it was stopped, it goes on, with its own settings."""
    settings: Annotated[TrainSettings, tyro.conf.arg(name="")] = field(
        default_factory=TrainSettings
    )
    validation: int = 64
    """Pairs of photos on which the finished network is judged."""
    threads: int = 1
    """Of torch. The same number gives the same weights on one machine."""
    quiet: bool = False
    """Print errors only."""

    def __call__(self) -> None:
        """Train, judge, write; print the weights' path.

        Raises:
            StoppedError: the user stopped it; it can go on.
            UsageError: a number is out of its range, or another training was begun in the folder.
        """
        if self.validation < 1 or self.threads < 1:
            raise UsageError("--validation and --threads: expected 1 or more.")
        torch.set_num_threads(self.threads)
        training = self._training()
        last = self._train(training)
        save_network(training.network, self.output / FILE)
        figures = validate(training.network.eval(), self.validation)
        machine = f"{platform.machine()}, torch {torch.__version__}, threads: {self.threads}"
        text = card(training.settings, last, figures, machine, training.seconds)
        write_text(self.output / CARD, text)
        if not self.quiet:
            print(json.dumps(asdict(figures)), file=sys.stderr)
        print(self.output / FILE)

    def _training(self) -> Training:
        state = self.output / STATE
        if not state.exists():
            return Training(self.settings)
        found = Training.restored(state)
        if self.settings not in (TrainSettings(), found.settings):
            raise UsageError(
                f"{state}: a training with other settings was begun here. Leave them out to go on "
                "with it, or choose another --output."
            )
        return found

    def _train(self, training: Training) -> dict[str, float]:
        """Run to the end, and return the means of the last steps."""
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
                f"{self.network} --output {self.output}"
            )
        return {name: value for name, value in json.loads(lines[-1]).items() if name != "step"}


def _means(events: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(sum(e[name] for e in events) / len(events), 4) for name in events[0]}


def _lines_until(path: Path, step: int) -> list[str]:
    """Return the log's lines up to a step; what a crash left beyond is done again."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if json.loads(line)["step"] <= step]
