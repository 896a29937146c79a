"""`recon train siamese`: teach the network that tells blur."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from recon.commands.training_run import TrainingRun
from recon.errors import UsageError
from recon.networks.card import card
from recon.networks.stored import CARD, FILE, save_network
from recon.networks.training import Training, TrainSettings
from recon.networks.validation import validate
from recon.scene_lessons import pairs_of_stacks

SCENES = "scenes"


@dataclass(frozen=True)
class TrainSiamese:
    """Teach the network that tells circles of confusion and depth from the blur of one photo.

    Writes the weights, a model card, the log, and what is needed to go on.
    """

    run: Annotated[TrainingRun, tyro.conf.arg(name="")]
    settings: Annotated[TrainSettings, tyro.conf.arg(name="")] = field(
        default_factory=TrainSettings
    )
    validation: int = 64
    """Pairs of photos on which the finished network is judged."""

    def __call__(self) -> None:
        """Train, judge, write; print the weights' path.

        Raises:
            StoppedError: the user stopped it; it can go on.
            UsageError: a number is out of its range, or another training was begun in the folder.
        """
        if self.validation < 1:
            raise UsageError(f"--validation {self.validation}: expected 1 or more.")
        run = self.run
        training = run.prepare(Training, self.settings)
        if training.settings.stacks:
            training.source = pairs_of_stacks(training.settings, run.output / SCENES)
        last = run.finish(training, "siamese")
        save_network(training.network, run.output / FILE)
        figures = validate(training.network.eval(), self.validation)
        text = card(training.settings, last, figures, run.machine, training.seconds)
        run.deliver(run.output / FILE, run.output / CARD, text, figures)
