"""`recon fit` and `recon resume`."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from recon import checkpoint
from recon import run as run_folder
from recon.commands.capture import capture_of
from recon.commands.evaluate import describe, evaluate
from recon.commands.progress import ProgressLine, clock
from recon.commands.stop import StopRequest
from recon.config import FitSettings
from recon.errors import DataError, StoppedError
from recon.fit import Fitting
from recon.raster.choose import choose_rasterizer
from recon.run import Run
from recon.scene_file import write_ply
from recon.types import Capture


@dataclass(frozen=True)
class Fit:
    """Fit Gaussians to posed photos, and score the photos held out."""

    settings: Annotated[FitSettings, tyro.conf.arg(name="")]
    output: Path | None = None
    """The run's folder, new or empty; runs/<data>/<time> where not given."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print one JSON object at the end."""

    def __call__(self) -> None:
        """Start a run."""
        settings = self.settings.resolved()
        capture = capture_of(settings)
        rasterizer = choose_rasterizer(settings.backend)
        surroundings = run_folder.surroundings(rasterizer.name, fingerprint(capture), settings.seed)
        run = run_folder.create(self.output, settings, surroundings)
        fitting = Fitting(run, settings, capture, rasterizer)
        if not self.quiet:
            announce(capture, run)
        finish(fitting, capture, self.quiet, self.json)


@dataclass(frozen=True)
class Resume:
    """Go on with a fit that was stopped, from its newest whole checkpoint."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print one JSON object at the end."""

    def __call__(self) -> None:
        """Continue a run, exactly as if it had never stopped."""
        run = Run(self.run)
        settings = run.settings()
        saved, problems = checkpoint.load_latest(run.checkpoints)
        for problem in problems:
            print(problem, file=sys.stderr)
        capture = capture_of(settings)
        expected = json.loads((run.path / "environment.json").read_text())["data_fingerprint"]
        if fingerprint(capture) != expected:
            raise DataError(
                f"{capture.path}: the views or their cameras are not those this run was fitted "
                "to. Restore the data, or start a new run with `recon fit`."
            )
        fitting = Fitting(run, settings, capture, choose_rasterizer(settings.backend))
        fitting.restore(saved)
        run.forget_after(saved.step)
        run.log(f"resumed at step {saved.step}")
        finish(fitting, capture, self.quiet, self.json)


def announce(capture: Capture, run: Run) -> None:
    """Say what was found and where the run goes."""
    points = 0 if capture.points is None else len(capture.points)
    camera = capture.views[0].camera
    print(
        f"{capture.path}: {capture.format}, {len(capture.train)} views to train, "
        f"{len(capture.test)} to test ({capture.split.rule}), {camera.width}x{camera.height}, "
        f"{points:,} points, {'metres' if capture.metric else 'scene units'}",
        file=sys.stderr,
    )
    for line in (*capture.notes, *capture.warnings):
        print(f"  {line}", file=sys.stderr)
    print(f"run: {run.path}", file=sys.stderr)


def finish(fitting: Fitting, capture: Capture, quiet: bool, as_json: bool) -> None:
    """Optimise to the end, write the scene, score it, and say what to do next.

    Raises:
        StoppedError: the user stopped it; a checkpoint was written.
    """
    run = fitting.run
    with (
        ProgressLine(fitting.settings.budget, fitting.step, quiet) as line,
        StopRequest() as stop,
    ):
        done = fitting.optimise(line, stop)
    run.log(f"{'finished' if done else 'stopped'} at step {fitting.step}")
    if not done:
        raise StoppedError(
            f"stopped at step {fitting.step} and saved. Continue with: recon resume {run.path}"
        )
    gaussians = fitting.model.gaussians.detached()
    write_ply(run.scene, gaussians, capture.to_source, metric=capture.metric)
    summary: dict[str, Any] = {"run": str(run.path)}
    if capture.test:
        saved, _ = checkpoint.load_latest(run.checkpoints)
        summary |= evaluate(run, capture, saved, fitting.rasterizer)
    if as_json:
        print(json.dumps(summary))
    elif not quiet:
        print(f"{len(gaussians):,} Gaussians in {clock(fitting.seconds)}: {run.scene}")
        print(describe(summary) if capture.test else "no view was held out, so none is scored")


def fingerprint(capture: Capture) -> str:
    """Digest the views' names and cameras, and which are held out."""
    digest = hashlib.sha256(repr(capture.split).encode())
    for view in capture.views:
        camera = view.camera
        numbers = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        digest.update(repr((view.name, numbers, camera.world_to_camera.tolist())).encode())
    return digest.hexdigest()
