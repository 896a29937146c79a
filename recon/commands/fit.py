"""`recon fit` and `recon resume`."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from recon import checkpoint, config
from recon import run as run_folder
from recon.commands.capture import (
    capture_of,
    fingerprint,
    newest,
    rasterizer_for,
    reopen,
    under_protocol,
)
from recon.commands.evaluate import describe, evaluate
from recon.commands.progress import ProgressLine, clock, counting
from recon.commands.stop import StopRequest
from recon.commands.tensorboard import TensorBoard
from recon.config import FitSettings
from recon.errors import StoppedError
from recon.files import write_text
from recon.fit import Fitting, Progress
from recon.forecast import check_memory
from recon.run import Run
from recon.scene_file import write_ply
from recon.types import Capture
from recon.viewer.address import Address
from recon.viewer.fit_page import FitPage, NoPage
from recon.words import counted
from recon.workload import Workload


@dataclass(frozen=True)
class PageSettings:
    """Whether to look on in the browser."""

    view: bool = False
    """Show the fit in the browser while it runs, and the scene afterwards until Ctrl-C."""
    address: Annotated[Address, tyro.conf.arg(name="")] = field(default_factory=Address)


@dataclass(frozen=True)
class Telling:
    """What a person is told while a fit runs."""

    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print one JSON object at the end."""
    tensorboard: bool = False
    """Also write the metrics for TensorBoard, into tensorboard/ of the run's folder."""
    page: Annotated[PageSettings, tyro.conf.arg(name="")] = field(default_factory=PageSettings)


@dataclass(frozen=True)
class Fit:
    """Fit Gaussians to posed photos, and score the photos held out."""

    settings: Annotated[FitSettings, tyro.conf.arg(name="")]
    output: Path | None = None
    """The run's folder, new or empty; runs/<data>/<time> where not given."""
    telling: Annotated[Telling, tyro.conf.arg(name="")] = field(default_factory=Telling)

    def __call__(self) -> None:
        """Start a run."""
        settings = under_protocol(self.settings.resolved())
        capture = capture_of(settings, quiet=self.telling.quiet)
        rasterizer = rasterizer_for(settings.backend)
        check_memory(settings, Workload.of(capture), rasterizer.device)
        surroundings = run_folder.surroundings(rasterizer.name, fingerprint(capture), settings.seed)
        run = run_folder.create(self.output, settings, surroundings)
        fitting = Fitting(run, settings, capture, rasterizer)
        if not self.telling.quiet:
            announce(capture, run)
        to_the_end(fitting, capture, self.telling)


@dataclass(frozen=True)
class Resume:
    """Go on with a fit that was stopped, from its newest whole checkpoint."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""
    telling: Annotated[Telling, tyro.conf.arg(name="")] = field(default_factory=Telling)

    def __call__(self) -> None:
        """Continue a run, exactly as if it had never stopped."""
        run = Run(self.run)
        settings, capture = reopen(run, self.data, start_points=True)
        began = checkpoint.any_in(run.checkpoints)
        saved = newest(run) if began else None
        fitting = Fitting(run, settings, capture, rasterizer_for(settings.backend))
        if saved is not None:
            fitting.restore(saved)
        if self.data is not None:
            write_text(run.settings_file, config.to_json(settings))
        run.forget_after(fitting.step)
        run.log(f"resumed at step {fitting.step}")
        to_the_end(fitting, capture, self.telling)


def all_of(watchers: Sequence[Callable[[Progress], None]]) -> Callable[[Progress], None]:
    """Return the watcher that tells all of them."""

    def tell(progress: Progress) -> None:
        for watch in watchers:
            watch(progress)

    return tell


def announce(capture: Capture, run: Run) -> None:
    """Say what was found and where the run goes."""
    points = 0 if capture.points is None else len(capture.points)
    camera = capture.views[0].camera
    print(
        f"{capture.path}: {capture.format}, {counted(len(capture.train), 'view')} to train, "
        f"{len(capture.test)} to test ({capture.split.rule}), {camera.width}x{camera.height}, "
        f"{counted(points, 'point')}, {'metres' if capture.metric else 'scene units'}",
        file=sys.stderr,
    )
    for line in (*capture.notes, *capture.warnings):
        print(f"  {line}", file=sys.stderr)
    print(f"run: {run.path}", file=sys.stderr)


def to_the_end(fitting: Fitting, capture: Capture, telling: Telling) -> None:
    """Run a fit as `finish` does, and keep its page open afterwards, where one is wished for."""
    with page_of(fitting, capture, telling.page) as page:
        finish(
            fitting,
            capture,
            page,
            quiet=telling.quiet,
            as_json=telling.json,
            tensorboard=telling.tensorboard,
        )
        page.stay()


@contextmanager
def page_of(fitting: Fitting, capture: Capture, settings: PageSettings) -> Iterator[FitPage]:
    """Open the page of a fit, where one is wished for."""
    if not settings.view:
        yield NoPage()
        return
    # Here, because viser takes a second to import.
    from recon.viewer.live_page import live_page

    with live_page(fitting, capture, settings.address) as page:
        yield page


def finish(
    fitting: Fitting,
    capture: Capture,
    page: FitPage,
    *,
    quiet: bool = False,
    as_json: bool = False,
    tensorboard: bool = False,
) -> None:
    """Optimise to the end, write the scene, score it, and say what to do next.

    Raises:
        StoppedError: the user stopped it; a checkpoint was written.
    """
    run = fitting.run
    for warning in fitting.prepare(partial(counting, quiet=quiet)):
        if warning not in capture.warnings:
            run.log(warning)
            if not quiet:
                print(f"  {warning}", file=sys.stderr)
    with ExitStack() as open_:
        watchers: list[Callable[[Progress], None]] = [
            open_.enter_context(ProgressLine(fitting.settings.budget, fitting.step, quiet)),
            page.tell,
        ]
        if tensorboard:
            watchers.append(open_.enter_context(TensorBoard(run.path / "tensorboard")))
        stop = open_.enter_context(StopRequest())
        done = fitting.optimise(all_of(watchers), partial(page.attend, stop))
    outcome = "finished" if done else "stopped"
    page.finish(outcome)
    run.log(f"{outcome} at step {fitting.step}")
    if not done:
        raise StoppedError(
            f"stopped at step {fitting.step} and saved. Continue with: recon resume {run.path}"
        )
    gaussians = fitting.model.gaussians.detached()
    write_ply(run.scene, gaussians, capture.to_source, metric=capture.metric)
    summary: dict[str, Any] = {"run": str(run.path)}
    if capture.test:
        saved, _ = checkpoint.load_latest(run.checkpoints)
        try:
            summary |= evaluate(run, fitting.settings, capture, saved, fitting.rasterizer, quiet)
        except KeyboardInterrupt as why:
            raise StoppedError(
                f"{run.scene} is finished, its scores are not. Score it with: recon eval {run.path}"
            ) from why
    if as_json:
        print(json.dumps(summary))
    elif not quiet:
        if lens := fitting.parts.lens.found():
            print(f"lens of the photos: {lens}")
        print(f"{len(gaussians):,} Gaussians in {clock(fitting.seconds)}: {run.scene}")
        print(describe(summary) if capture.test else "no view was held out, so none is scored")
