"""The report of one run, from its files."""

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recon.files import write_text
from recon.report.contents import Chart, Report, Series, Table
from recon.report.page import page
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
        title=f"{capture.path.name}: {_headline(summary)}",
        command=shlex.join(["recon", *about["argv"][1:]]),
        facts=_facts(summary, about, capture),
        verdicts=(),
        tables=tuple(_range_tables(summary)),
        charts=(*training_charts([("", run)]), *_range_charts(summary)),
        view_columns=columns,
        views=rows,
        hashes=_hashes(summary),
    )
    path = run.path / "report.html"
    write_text(path, page(report))
    return path


def _headline(summary: dict[str, Any]) -> str:
    words = f"PSNR {_number(summary['psnr'], 2)} dB"
    depth = summary.get("depth")
    return words if depth is None else f"{words}, depth AbsRel {_number(depth['abs_rel'], 3)}"


def _facts(
    summary: dict[str, Any], about: dict[str, Any], capture: Capture
) -> tuple[tuple[str, str], ...]:
    camera = capture.views[0].camera
    versions = ", ".join(f"{name} {v}" for name, v in about["versions"].items() if v)
    return (
        ("protocol", str(summary["protocol"])),
        ("held out", f"{summary['views']} of {len(capture.views)} views, {capture.split.rule}"),
        ("photos", f"{capture.format}, {camera.width}x{camera.height}"),
        ("SSIM", f"{_number(summary['ssim'], 4)}, Gaussian window 11, sigma 1.5"),
        ("LPIPS", str(summary.get("lpips") or "not computed")),
        ("unit", str(summary["unit"])),
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


def _range_tables(summary: dict[str, Any]) -> list[Table]:
    ranges = summary.get("depth", {}).get("ranges")
    if not ranges:
        return []
    names = ("abs_rel", "mae", "rmse", "delta1", "coverage")
    return [
        Table(
            f"Depth error by range, {kind} depth",
            ("range, m", "AbsRel", "MAE, m", "RMSE, m", "delta1", "coverage"),
            tuple(
                (f"{r['near']:g}-{r['far']:g}", *(_number(r[kind][name], 3) for name in names))
                for r in ranges
            ),
        )
        for kind in ("expected", "median")
    ]


def _range_charts(summary: dict[str, Any]) -> list[Chart]:
    ranges = summary.get("depth", {}).get("ranges")
    if not ranges:
        return []
    labels = tuple(f"{r['near']:g}-{r['far']:g} m" for r in ranges)
    places = tuple(float(i) for i in range(len(ranges)))
    series = tuple(
        Series(kind, places, tuple(_finite(r[kind]["abs_rel"]) for r in ranges))
        for kind in ("expected", "median")
    )
    return [Chart("Depth error by range", "true depth", "AbsRel", series, labels)]


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
            values = [_finite(row[key]) for row in rows]
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


def _hashes(summary: dict[str, Any]) -> Table:
    keys = ("prediction_sha256", "depth_prediction_sha256", "photo_sha256")
    rows = tuple(
        (file["view"], *(str(file.get(key, ""))[:16] for key in keys))
        for file in summary.get("files", [])
    )
    columns = ("view", "prediction", "predicted depth", "photo")
    return Table("SHA-256 of the files that were scored, first 16 digits", columns, rows)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def _finite(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
