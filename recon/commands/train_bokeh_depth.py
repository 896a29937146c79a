"""`recon train bokeh-depth`: teach METER's encoder to look at a bokeh stack."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated

import tyro

from recon.commands.progress import counting
from recon.commands.training_run import TrainingRun
from recon.errors import UsageError
from recon.networks.focus_examples import Photograph, examples, photographs
from recon.networks.focus_scenes import FIRST, TRIED, rendered
from recon.networks.focus_stacks import stack_maker
from recon.networks.focus_stored import CARD, file_of, focus_card, save_focus
from recon.networks.focus_training import (
    FocusTraining,
    FocusTrainSettings,
    judge,
)
from recon.networks.meter_canvas import load_meter, weights_of

SCENES = "scenes"
"""The folder in the output that holds what was rendered."""


@dataclass(frozen=True)
class TrainBokehDepth:
    """Teach METER's encoder to look at a photo and the photo through wider lenses.

    Renders photos first, which needs the extra `synth` and takes a few seconds for each; then
    writes the weights, a model card, the log, and what is needed to go on. METER itself stays.
    """

    run: Annotated[TrainingRun, tyro.conf.arg(name="")]
    settings: Annotated[FocusTrainSettings, tyro.conf.arg(name="")] = field(
        default_factory=FocusTrainSettings
    )
    weights: Path | None = None
    """METER's; $RECON_WEIGHTS where not given."""
    validation: int = 48
    """Rendered photos that tell how well it does, and do not teach."""

    def __call__(self) -> None:
        """Render, train, judge, write; print the weights' path.

        Raises:
            StoppedError: the user stopped it; it can go on.
            UsageError: a number is out of its range, or another training was begun in the folder.
            ResourceError: Mitsuba is not installed, or METER's weights are nowhere.
        """
        if self.validation < 1:
            raise UsageError(f"--validation {self.validation}: expected 1 or more.")
        run = self.run
        training = run.prepare(FocusTraining, self.settings)
        own = training.settings
        path = weights_of(own.variant).find(self.weights)
        base = load_meter(own.variant, path)
        maker = stack_maker(own.stack, own.variant, base, path)
        taught = chain(self._rendered(own, FIRST, own.scenes), photographs(own.rgbd))
        held = examples(self._rendered(own, TRIED, self.validation), own.variant, base, maker)
        training.show(base, examples(mirrored(taught), own.variant, base, maker), held)
        last = run.finish(training, "bokeh-depth")
        network = training.network.eval()
        save_focus(network, self.run.output / file_of(own.variant))
        figures = judge(network, base, own.variant, held)
        text = focus_card(own, last, figures, run.machine, training.seconds)
        run.deliver(run.output / file_of(own.variant), run.output / CARD, text, figures)

    def _rendered(self, own: FocusTrainSettings, first: int, count: int) -> Iterator[Photograph]:
        folder = self.run.output / SCENES / own.variant
        with counting(f"photos from seed {first}", count, self.run.quiet) as advance:
            yield from rendered(folder, own.variant, first, count, advance)


def mirrored(photos: Iterable[Photograph]) -> Iterator[Photograph]:
    """Return each photo, and then what a mirror shows of it."""
    return (each for one in photos for each in (one, one.mirrored()))
