"""`recon baseline`: another program's fit of the same photos, scored as ours are."""

import json
import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from recon.baselines.choose import Name, choose_baseline
from recon.baselines.interface import Baseline, Job
from recon.commands.capture import capture_of, rasterizer_for, under_protocol
from recon.commands.evaluate import describe, lpips_of
from recon.commands.evaluate_predictions import check_held_out, score_found
from recon.config import FitSettings
from recon.datasets.source import ReadOptions
from recon.errors import DataError, ResourceError, UsageError
from recon.lpips import Lpips
from recon.protocols import UNNAMED
from recon.types import Capture


@dataclass(frozen=True)
class RunBaseline:
    """Fit the training photos with another program that is installed here, and score it as ours.

    recon brings none of these programs. They see the photos as our fits do, undistorted and
    resized, but not their masks; they begin with the same points, and the same scorer judges them
    on the same held-out photos.
    """

    program: tyro.conf.Positional[Name]
    """OpenSplat; or, on an NVIDIA GPU, the trainer among gsplat's examples or nerfstudio's
    splatfacto."""
    data: Path
    """The capture."""
    output: Path
    """A new or empty folder, for the photos, what the program writes, the scores and the report."""
    read: Annotated[ReadOptions, tyro.conf.arg(name="")] = field(default_factory=ReadOptions)
    protocol: str | None = None
    """A named way to choose, hold out and score photos; `recon data protocols` lists them."""
    steps: int = 7_000
    """Of its optimisation."""
    command: str | None = None
    """Where it is: OpenSplat's binary, ns-train, or the Python that has gsplat; else on PATH."""
    trainer: Path | None = None
    """Of gsplat: the file examples/simple_trainer.py in its sources."""
    arguments: str = ""
    """More arguments for the program, in one string."""
    lpips_weights: Path | None = None
    """As of `recon eval`."""
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Fit, score, and print."""
        if self.steps < 1:
            raise UsageError(f"--steps {self.steps}: expected 1 or more.")
        if self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
            raise UsageError(f"{self.output}: is not empty. Give another folder with --output.")
        baseline = choose_baseline(self.program, self.command, self.trainer, rasterizer_for("auto"))
        lacking = baseline.lacks()
        if lacking is not None:
            raise ResourceError(f"{baseline.title} cannot be run here: {lacking}")
        named = None if self.protocol == UNNAMED else self.protocol
        settings = under_protocol(FitSettings(self.data, self.read, named).resolved())
        capture, lpips = capture_of(settings), lpips_of(self.lpips_weights)
        job = Job(capture, self.output, self.steps, tuple(shlex.split(self.arguments)))
        summary = run_baseline(baseline, job, named, lpips)
        print(json.dumps(summary) if self.json else describe(summary))


def run_baseline(
    baseline: Baseline, job: Job, protocol: str | None = None, lpips: Lpips | None = None
) -> dict[str, Any]:
    """Fit and score; return what `recon baseline --json` prints.

    Raises:
        DataError: no view is held out, there are no points to begin with, or predictions are bad.
        ResourceError: the program fails.
    """
    _check(job.capture)
    print(f"{baseline.title}: {job.steps} steps, its words go to {job.log}", file=sys.stderr)
    began = time.monotonic()
    found = baseline.fit(job)
    facts = {
        "program": baseline.title,
        "steps": job.steps,
        "arguments": list(job.arguments),
        "seconds_with_start_and_rendering": time.monotonic() - began,
    }
    return score_found(job.folder, found, job.capture, protocol, job.folder, facts, lpips)


def _check(capture: Capture) -> None:
    check_held_out(capture)
    if capture.points is None:
        raise DataError(
            f"{capture.path}: brings no points, and these programs begin with points. Add them to "
            "the capture (COLMAP's points3D, or ply_file_path in transforms.json)."
        )
