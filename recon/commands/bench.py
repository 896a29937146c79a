"""The fits of a comparison: each once, from what it begins with, and its scores read back."""

import csv
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon import checkpoint, config
from recon import run as run_folder
from recon.commands.capture import capture_of, fingerprint, newest
from recon.commands.fit import finish
from recon.comparison import RunScore
from recon.config import FitSettings
from recon.errors import DataError, StoppedError, UsageError
from recon.fit import Fitting
from recon.protocols import UNNAMED
from recon.raster.interface import Rasterizer
from recon.run import Run
from recon.start_points import Start
from recon.types import Capture
from recon.viewer.fit_page import NoPage


@dataclass(frozen=True)
class Job:
    """One fit of a comparison."""

    arm: str
    run: Run
    settings: FitSettings


@dataclass(frozen=True, eq=False)
class Bench:
    """What all fits of a comparison share."""

    captures: dict[Start, Capture]
    """By the points that fits begin with; an arm that begins with others adds them."""
    rasterizer: Rasterizer
    quiet: bool

    def run(self, jobs: Iterator[Job]) -> dict[str, list[RunScore]]:
        """Fit what is not fitted yet, and return the scores by arm.

        Raises:
            StoppedError: the user stopped it; all that was done is kept.
            UsageError: a folder holds a fit with other settings.
        """
        found: dict[str, list[RunScore]] = {}
        for job in jobs:
            self._check_begun(job)
            begun = job.run.settings_file.is_file()
            if not (begun and (scores_of(job.run) / "summary.json").is_file()):
                self._fit(job)
            found.setdefault(job.arm, []).append(read_score(job))
        return found

    def _capture(self, settings: FitSettings) -> Capture:
        """Return the capture with the points to begin with; the same for every seed."""
        start = settings.read.start
        if start not in self.captures:
            self.captures[start] = capture_of(settings, quiet=self.quiet)
        return self.captures[start]

    def _check_begun(self, job: Job) -> None:
        """Refuse to mix fits of several comparisons."""
        run = job.run
        if not run.settings_file.is_file():
            return
        if config.to_json(run.settings()) != config.to_json(job.settings):
            raise UsageError(
                f"{run.path}: fitted with other settings. Give another --output, or the flags "
                "that this comparison was begun with."
            )
        if run.data_fingerprint() != fingerprint(self._capture(job.settings)):
            raise DataError(
                f"{run.path}: fitted to other views or cameras. Restore the data, or give another "
                "--output."
            )

    def _fit(self, job: Job) -> None:
        run, settings = job.run, job.settings
        capture = self._capture(settings)
        if not self.quiet:
            print(f"{job.arm}, seed {settings.seed}: {run.path}", file=sys.stderr)
        if not run.settings_file.is_file():
            about = run_folder.surroundings(
                self.rasterizer.name, fingerprint(capture), settings.seed
            )
            run = run_folder.create(run.path, settings, about)
        fitting = Fitting(run, settings, capture, self.rasterizer)
        if checkpoint.any_in(run.checkpoints):
            fitting.restore(newest(run))
        run.forget_after(fitting.step)
        try:
            finish(fitting, capture, NoPage(), quiet=True)
        except StoppedError as why:
            raise StoppedError(
                f"stopped in {job.arm}, seed {settings.seed}. All is kept: the same command goes "
                "on."
            ) from why


def scores_of(run: Run) -> Path:
    """Return the folder of a run's scores."""
    return run.evaluations / (run.settings().protocol or UNNAMED)


def read_score(job: Job) -> RunScore:
    """Read a run's scores back.

    Raises:
        DataError: the files are damaged.
    """
    folder = scores_of(job.run)
    try:
        about = json.loads((folder / "summary.json").read_text())
        with (folder / "views.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {"psnr": "psnr", "ssim": "ssim", "abs_rel": "expected_abs_rel"}
        return RunScore(
            arm=job.arm,
            seed=job.settings.seed,
            views=tuple(row["view"] for row in rows),
            values={
                name: np.array([float(row.get(column) or math.nan) for row in rows])
                for name, column in columns.items()
            },
            gaussians=about["gaussians"],
            seconds=about["seconds"],
            steps=about["step"],
            peak_memory_bytes=about["peak_memory_bytes"],
        )
    except (OSError, ValueError, KeyError, TypeError) as why:
        raise DataError(
            f"{folder}: damaged scores ({why}). Remove that folder and run the same command again."
        ) from why
