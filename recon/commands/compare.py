"""`recon compare`: the same fit with one thing changed at a time, and what that shows."""

import csv
import json
import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from recon import checkpoint, config
from recon import run as run_folder
from recon.arms import CLAIMS, Arm, basis, chosen
from recon.commands.capture import capture_of, fingerprint, newest, rasterizer_for, under_protocol
from recon.commands.fit import finish
from recon.commands.progress import counting
from recon.comparison import MEASURES, RunScore, Verdict, interval, spread, verdicts
from recon.config import FitSettings
from recon.errors import DataError, StoppedError, UsageError
from recon.files import write_text
from recon.fit import Fitting
from recon.protocols import UNNAMED
from recon.providers import providers_for
from recon.raster.interface import Rasterizer
from recon.report.of_comparison import write_comparison
from recon.run import Run
from recon.types import Capture
from recon.viewer.fit_page import NoPage

LONGER = 10
"""A fit that follows the clock may take this many times the steps."""


@dataclass(frozen=True)
class Compare:
    """Fit a capture in several ways, several times, and say what the differences are worth.

    What is there already is not repeated: after an interruption, the same command goes on.
    """

    settings: Annotated[FitSettings, tyro.conf.arg(name="")]
    output: Path
    """A folder for all runs, scores and verdicts."""
    arms: str = "plain,rgb2x,steps2x"
    """Names, with commas between them. Photos only: plain, rgb2x (twice the photometric weight),
    steps2x; where photos are out of focus, in-focus (only what is sharp), photo-lens and
    exif-lens. With LiDAR: lidar. With --prior.model: l1-depth, defocus, render (the render
    blurred instead of the photo), published, density (Gaussians come and go by the lens'
    gradient), and the controls constant, rounded and shuffled. By matches: multiview. All terms
    as set: full."""
    seeds: int = 3
    """How many seeds each arm is fitted with, from --seed on."""
    equal_time: bool = False
    """Also fit every arm for as long as plain took, whatever its steps, as a second table; that
    table is not repeatable to the bit."""
    quiet: bool = False
    """Print errors only."""
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Run what is missing, and tell what came out."""
        if self.seeds < 1:
            raise UsageError(f"--seeds {self.seeds}: expected 1 or more.")
        arms, settings = chosen(self.arms), basis(under_protocol(self.settings.resolved()))
        if self.equal_time and all(arm.name != "plain" for arm in arms):
            raise UsageError("--equal-time needs the arm plain, whose time the others get.")
        quiet = self.quiet or self.json
        capture = capture_of(settings, quiet=quiet)
        rasterizer = rasterizer_for(settings.backend)
        check(arms, capture, settings, quiet)
        bench = Bench(capture, rasterizer, quiet)
        steps = bench.run(self._jobs(arms, settings, "equal-steps"))
        tables = {"equal_steps": steps}
        if self.equal_time:
            seconds = float(np.mean([run.seconds for run in steps["plain"]]))
            hurried = replace(settings, minutes=seconds / 60)
            tables["equal_time"] = bench.run(self._jobs(arms, hurried, "equal-time"))
        found: dict[str, Any] = {name: summary(runs) for name, runs in tables.items()}
        found["data_fingerprint"] = fingerprint(capture)
        write_text(self.output / "compare.json", json.dumps(found, indent=2) + "\n")
        self._report(capture, tables, settings)
        if self.json:
            print(json.dumps(found))
        elif not self.quiet:
            for name, runs in tables.items():
                tell(name.replace("_", " "), runs)

    def _report(
        self, capture: Capture, tables: dict[str, dict[str, list[RunScore]]], settings: FitSettings
    ) -> None:
        """Write the page, and say where it is."""
        runs = {
            arm: Run(self.output / "equal-steps" / arm / f"seed_{settings.seed}")
            for arm in tables["equal_steps"]
        }
        path = write_comparison(
            self.output,
            shlex.join(["recon", *sys.argv[1:]]),
            capture,
            {name.replace("_", " "): scores for name, scores in tables.items()},
            runs,
            {arm: scores_of(run) for arm, run in runs.items()},
        )
        if not (self.quiet or self.json):
            print(f"report: {path}", file=sys.stderr)

    def _jobs(self, arms: Sequence[Arm], settings: FitSettings, table: str) -> Iterator["Job"]:
        """List the fits, seed by seed, so that an interrupted comparison has whole rounds."""
        for seed in range(settings.seed, settings.seed + self.seeds):
            for arm in arms:
                changed = arm.change(replace(settings, seed=seed))
                if settings.minutes is not None and table == "equal-time":
                    changed = replace(changed, steps=LONGER * settings.budget.steps)
                yield Job(arm.name, Run(self.output / table / arm.name / f"seed_{seed}"), changed)


@dataclass(frozen=True)
class Job:
    """One fit of a comparison."""

    arm: str
    run: Run
    settings: FitSettings


@dataclass(frozen=True, eq=False)
class Bench:
    """What all fits of a comparison share."""

    capture: Capture
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
        if run.data_fingerprint() != fingerprint(self.capture):
            raise DataError(
                f"{run.path}: fitted to other views or cameras. Restore the data, or give another "
                "--output."
            )

    def _fit(self, job: Job) -> None:
        run, settings = job.run, job.settings
        if not self.quiet:
            print(f"{job.arm}, seed {settings.seed}: {run.path}", file=sys.stderr)
        if not run.settings_file.is_file():
            about = run_folder.surroundings(
                self.rasterizer.name, fingerprint(self.capture), settings.seed
            )
            run = run_folder.create(run.path, settings, about)
        fitting = Fitting(run, settings, self.capture, self.rasterizer)
        if checkpoint.any_in(run.checkpoints):
            fitting.restore(newest(run))
        run.forget_after(fitting.step)
        try:
            finish(fitting, self.capture, NoPage(), quiet=True)
        except StoppedError as why:
            raise StoppedError(
                f"stopped in {job.arm}, seed {settings.seed}. All is kept: the same command goes "
                "on."
            ) from why


def check(arms: Sequence[Arm], capture: Capture, settings: FitSettings, quiet: bool) -> None:
    """Refuse arms that could not be what they are called, before anything is run.

    Raises:
        DataError: evidence is missing, or no view is held out.
    """
    if not capture.test:
        raise DataError(
            f"{capture.path}: no view is held out, so nothing can be compared. Use --hold-every 8."
        )
    for arm in arms:
        providers = providers_for(arm.needs, capture, settings.prior, settings.matching)
        for provider in providers:
            for warning in provider.prepare(partial(counting, quiet=quiet)):
                print(f"{arm.name}: {warning}", file=sys.stderr)
        given = {p.gives for p in providers if not p.knows_nothing}
        for need in arm.needs - given:
            raise DataError(
                f"--arms {arm.name}: needs {need.value}, which {capture.path} does not bring or "
                "the flags do not ask for (--prior.model, --drive.lidar, --matching.matcher). "
                "Leave the arm out."
            )


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


def summary(runs: Mapping[str, Sequence[RunScore]]) -> dict[str, Any]:
    """Return one table of a comparison, as JSON."""
    arms = {}
    for name, scores in runs.items():
        measured = {}
        for measure in MEASURES:
            mean = interval(scores, measure.name)
            if mean is not None:
                measured[measure.name] = {
                    "mean": mean.mean,
                    "low": mean.low,
                    "high": mean.high,
                    "between_seeds": spread(scores, measure.name),
                }
        arms[name] = {"runs": [score.as_json() for score in scores], "mean": measured}
    return {"arms": arms, "verdicts": [v.as_json() for v in verdicts(runs, CLAIMS)]}


def tell(title: str, runs: Mapping[str, Sequence[RunScore]]) -> None:
    """Print one table of a comparison, and the verdicts."""
    count = len(next(iter(runs.values())))
    table = Table(
        title=f"{title}, {count} {'seed' if count == 1 else 'seeds'}", title_justify="left"
    )
    table.add_column("arm")
    for words in (*(m.words for m in MEASURES), "Gaussians", "seconds"):
        table.add_column(words, justify="right")
    for name, scores in runs.items():
        cells = []
        for m in MEASURES:
            mean = interval(scores, m.name)
            cells.append("" if mean is None else f"{mean.mean:.{m.digits}f}{m.unit}")
        gaussians = np.mean([score.gaussians for score in scores])
        seconds = np.mean([score.seconds for score in scores])
        table.add_row(name, *cells, f"{gaussians:,.0f}", f"{seconds:.0f}")
    console = Console()
    console.print(table)
    judged: list[Verdict] = verdicts(runs, CLAIMS)
    for verdict in judged:
        console.print(verdict.sentence(), highlight=False, soft_wrap=True)
