"""The report of one run, from its files."""

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recon.files import write_text
from recon.report.contents import Chart, Report, Series
from recon.report.page import page
from recon.report.scored import finite, hashes, headline, measured, range_charts, range_tables
from recon.report.views import view_rows
from recon.run import Run
from recon.truth import Truths
from recon.types import Capture


def write_report(run: Run, folder: Path, capture: Capture, truths: Truths) -> Path:
    """Write `report.html` beside a run's other files, and return its path.

    Args:
        run: scored.
        folder: of the scores.
        capture: what it was fitted to.
        truths: finds the true depth of held-out views.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    summary = json.loads((folder / "summary.json").read_text())
    about = json.loads(run.environment_file.read_text())
    columns, rows = view_rows(folder, capture.test, truths, "m" if capture.metric else "")
    report = Report(
        title=f"{capture.path.name}: {headline(summary)}",
        command=shlex.join(["recon", *about["argv"][1:]]),
        facts=_facts(summary, about, capture),
        verdicts=(),
        tables=tuple(range_tables(summary)),
        charts=(*training_charts([("", run)]), *range_charts(summary)),
        view_columns=columns,
        views=rows,
        hashes=hashes(summary),
    )
    path = run.path / "report.html"
    write_text(path, page(report))
    return path


def _facts(
    summary: dict[str, Any], about: dict[str, Any], capture: Capture
) -> tuple[tuple[str, str], ...]:
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v)
    return (
        *measured(summary, capture),
        ("Gaussians", f"{summary['gaussians']:,}"),
        ("time", f"{summary['seconds']:.0f} s for {summary['step']:,} steps"),
        ("memory", f"{summary['peak_memory_bytes'] / 2**20:,.0f} MiB at most"),
        ("drawn by", f"{about['backend']}, {about['threads']} threads"),
        ("machine", str(about["platform"])),
        ("seed", str(about["seed"])),
        ("commit", str(about["commit"] or "unknown")),
        ("versions", versions),
        ("views and cameras", f"SHA-256 {about['data_fingerprint']}"),
    )


def training_charts(runs: Sequence[tuple[str, Run]]) -> list[Chart]:
    """Draw how runs went: PSNR of the training renders, and Gaussians, over the steps.

    Args:
        runs: by the name that the legend gives them.
    """
    events = {name: read_events(run) for name, run in runs}
    charts = []
    for title, key, unit in (
        ("PSNR while training", "psnr", "dB, mean of ten"),
        ("Gaussians", "gaussians", "count"),
    ):
        series = []
        for name, rows in events.items():
            steps = tuple(float(row["step"]) for row in rows)
            values = [finite(row[key]) for row in rows]
            smooth = tuple(_mean(values[max(0, i - 9) : i + 1]) for i in range(len(values)))
            series.append(Series(name or key, steps, smooth))
        if any(one.x for one in series):
            charts.append(Chart(title, "step", unit, tuple(series)))
    return charts


def read_events(run: Run) -> list[dict[str, Any]]:
    """Read a run's metrics; a line that a crash has cut short ends them."""
    events = []
    if run.metrics_file.is_file():
        for line in run.metrics_file.read_text().splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                break
    return events


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan
