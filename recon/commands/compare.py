"""`recon compare`: the same fit with one thing changed at a time, and what that shows."""

import json
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

from recon.arms import CLAIMS, Arm, basis, chosen
from recon.commands.bench import Bench, Job, scores_of
from recon.commands.capture import capture_of, fingerprint, rasterizer_for, under_protocol
from recon.commands.progress import counting
from recon.comparison import MEASURES, RunScore, Verdict, interval, spread, verdicts
from recon.config import FitSettings
from recon.errors import DataError, UsageError
from recon.files import write_text
from recon.providers import providers_for
from recon.report.of_comparison import write_comparison
from recon.run import Run
from recon.types import Capture

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
    steps2x, dense (begun where neighbouring photos agree about depth); where photos are out of
    focus, in-focus (only what is sharp), photo-lens and exif-lens. With LiDAR: lidar. With
    --prior.model: l1-depth, defocus, render (the render blurred instead of the photo), published,
    density (Gaussians come and go by the lens' gradient), and the controls constant, rounded and
    shuffled. By matches: multiview. All terms as set: full."""
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
        bench = Bench({settings.read.start: capture}, rasterizer, quiet)
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
        coc_weights = settings.supervision.siamese_coc.weights
        providers = providers_for(
            arm.needs, capture, settings.prior, settings.matching, coc_weights
        )
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
