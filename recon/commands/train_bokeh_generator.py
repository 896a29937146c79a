"""`recon train bokeh-generator`: teach the network that makes bokeh without depth."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from recon.commands.progress import counting
from recon.commands.training_run import TrainingRun
from recon.errors import UsageError
from recon.networks.bokeh_card import bokeh_card
from recon.networks.bokeh_light import CARD, FILE
from recon.networks.bokeh_own_scenes import own_scenes
from recon.networks.bokeh_scenes import TRIED_STILLS, rendered
from recon.networks.bokeh_training import HEIGHT, WIDTH, BokehTraining, BokehTrainSettings
from recon.networks.bokeh_validation import validate_bokeh
from recon.networks.stored import save_network

SCENES = "scenes"
"""The folder in the output that holds what was rendered."""
JUDGED = 18
"""Scenes on which the finished network is judged: still lifes, and one in three of a street."""


@dataclass(frozen=True)
class TrainBokehGenerator:
    """Teach the network that blurs a sharp photo as a lens would, without being told depth.

    Renders scenes first, which needs the extra `synth` and takes about two seconds for each; then
    writes the weights, a model card, the log, and what is needed to go on.
    """

    run: Annotated[TrainingRun, tyro.conf.arg(name="")]
    settings: Annotated[BokehTrainSettings, tyro.conf.arg(name="")] = field(
        default_factory=BokehTrainSettings
    )
    validation: int = 64
    """Pairs of photos on which the finished network is judged."""

    def __call__(self) -> None:
        """Render, train, judge, write; print the weights' path.

        Raises:
            StoppedError: the user stopped it; it can go on.
            UsageError: a number is out of its range, or another training was begun in the folder.
            ResourceError: Mitsuba is not installed.
        """
        if self.validation < 1:
            raise UsageError(f"--validation {self.validation}: expected 1 or more.")
        run = self.run
        training = run.prepare(BokehTraining, self.settings)
        count = training.settings.scenes
        own = list(own_scenes(training.settings.rgbd, WIDTH, HEIGHT))
        unseen = JUDGED if count else 0
        with counting("scenes", count + unseen, run.quiet) as advance:
            folder = run.output / SCENES
            scenes = rendered(folder, count, WIDTH, HEIGHT, advance)
            others = rendered(folder, unseen, WIDTH, HEIGHT, advance, first=TRIED_STILLS[0])
        training.show([*scenes, *own])
        last = run.finish(training, "bokeh-generator")
        save_network(training.network, run.output / FILE)
        figures = validate_bokeh(training.network.eval(), others, self.validation)
        text = bokeh_card(training.settings, last, figures, run.machine, training.seconds)
        run.deliver(run.output / FILE, run.output / CARD, text, figures)
