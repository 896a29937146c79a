"""`recon train bokeh-depth`: teach METER's encoder to look at a bokeh stack."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Annotated

import tyro

from recon.commands.progress import counting
from recon.commands.training_run import TrainingRun
from recon.errors import UsageError
from recon.files import write_text
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

    output: Path
    """A folder. Where a training in it was stopped, it goes on, with its own settings."""
    settings: Annotated[FocusTrainSettings, tyro.conf.arg(name="")] = field(
        default_factory=FocusTrainSettings
    )
    weights: Path | None = None
    """METER's; $RECON_WEIGHTS where not given."""
    validation: int = 48
    """Rendered photos that tell how well it does, and do not teach."""
    threads: int = 1
    """Of torch. The same number gives the same weights on one machine."""
    quiet: bool = False
    """Print errors only."""

    def __call__(self) -> None:
        """Render, train, judge, write; print the weights' path.

        Raises:
            StoppedError: the user stopped it; it can go on.
            UsageError: a number is out of its range, or another training was begun in the folder.
            ResourceError: Mitsuba is not installed, or METER's weights are nowhere.
        """
        if self.validation < 1:
            raise UsageError(f"--validation {self.validation}: expected 1 or more.")
        run = TrainingRun("bokeh-depth", self.output, self.threads, self.quiet)
        training = run.prepare(FocusTraining, self.settings)
        own = training.settings
        path = weights_of(own.variant).find(self.weights)
        base = load_meter(own.variant, path)
        maker = stack_maker(own.stack, own.variant, base, path)
        taught = chain(self._rendered(own, FIRST, own.scenes), photographs(own.rgbd))
        held = examples(self._rendered(own, TRIED, self.validation), own.variant, base, maker)
        training.show(base, examples(mirrored(taught), own.variant, base, maker), held)
        last = run.finish(training)
        network = training.network.eval()
        save_focus(network, self.output / file_of(own.variant))
        figures = judge(network, base, own.variant, held)
        text = focus_card(own, last, figures, run.machine, training.seconds)
        write_text(self.output / CARD, text)
        if not self.quiet:
            print(json.dumps(asdict(figures)), file=sys.stderr)
        print(self.output / file_of(own.variant))

    def _rendered(self, own: FocusTrainSettings, first: int, count: int) -> Iterator[Photograph]:
        folder = self.output / SCENES / own.variant
        with counting(f"photos from seed {first}", count, self.quiet) as advance:
            yield from rendered(folder, own.variant, first, count, advance)


def mirrored(photos: Iterable[Photograph]) -> Iterator[Photograph]:
    """Return each photo, and then what a mirror shows of it."""
    return (each for one in photos for each in (one, one.mirrored()))
