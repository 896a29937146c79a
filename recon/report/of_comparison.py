"""The report of a comparison, from the files of its runs."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recon.arms import CLAIMS
from recon.comparison import MEASURES, Measure, RunScore, interval, spread, verdicts
from recon.files import write_text
from recon.pictures import error_picture
from recon.predictions import prediction_files
from recon.report.contents import Chart, Column, Picture, Report, Series, Table, ViewRow
from recon.report.of_run import training_charts
from recon.report.page import page
from recon.report.views import jpeg
from recon.run import Run
from recon.types import Capture, View

SHOWN = 4
"""At most so many arms' renders are shown of a view."""
LARGEST_ERROR = 0.25

Scores = Mapping[str, Sequence[RunScore]]
"""By arm, one for each seed."""


def write_comparison(
    output: Path,
    command: str,
    capture: Capture,
    tables: Mapping[str, Scores],
    runs: Mapping[str, Run],
    folders: Mapping[str, Path],
) -> Path:
    """Write `report.html` into a comparison's folder, and return its path.

    Args:
        output: the comparison's folder.
        command: what makes the numbers again.
        capture: what was fitted.
        tables: scores by table ("equal steps"), the repeatable one first.
        runs: of each arm of the first table, that of the first seed.
        folders: of these runs' scores.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    scores = next(iter(tables.values()))
    camera = capture.views[0].camera
    first = next(iter(scores.values()))
    columns, rows = _views(capture.test, scores, folders)
    about = json.loads(next(iter(runs.values())).environment_file.read_text())
    report = Report(
        title=f"{capture.path.name}: {', '.join(scores)}",
        command=command,
        facts=(
            ("photos", f"{capture.format}, {camera.width}x{camera.height}"),
            ("held out", f"{len(capture.test)} of {len(capture.views)} views, "
             f"{capture.split.rule}"),
            ("seeds", ", ".join(str(score.seed) for score in first)),
            ("same for all", "data, schedule and cap, and the first Gaussians for all arms that do "
             "not name others; the last step is scored"),
            ("intervals", "95 %, from resampling seeds and views together, paired by view: they "
             "speak of other seeds and views of this scene, not of other scenes"),
            ("machine", f"{about['platform']}, {about['backend']}, {about['threads']} threads"),
            ("commit", str(about["commit"] or "unknown")),
            ("views and cameras", f"SHA-256 {about['data_fingerprint']}"),
        ),
        verdicts=tuple(
            f"At {name}: {verdict.sentence()}"
            for name, found in tables.items()
            for verdict in verdicts(found, CLAIMS)
        ),
        tables=tuple(_arms_table(name, found) for name, found in tables.items()),
        charts=(*_range_chart(folders), *training_charts(list(runs.items()))),
        view_columns=columns,
        views=rows,
        hashes=None,
    )  # fmt: skip
    path = output / "report.html"
    write_text(path, page(report))
    return path


def _arms_table(name: str, scores: Scores) -> Table:
    measured = [m for m in MEASURES if any(interval(s, m.name) for s in scores.values())]
    rows = []
    for arm, runs in scores.items():
        rows.append(
            (
                arm,
                *(cell for m in measured for cell in _cells(runs, m)),
                f"{np.mean([run.gaussians for run in runs]):,.0f}",
                f"{np.mean([run.steps for run in runs]):,.0f}",
                f"{np.mean([run.seconds for run in runs]):,.0f}",
                f"{np.max([run.peak_memory_bytes for run in runs]) / 2**20:,.0f}",
            )
        )
    named = [title for m in measured for title in (f"{m.words}{m.unit and ','}{m.unit}", "seeds")]
    columns = ("arm", *named, "Gaussians", "steps", "seconds", "MiB")
    return Table(f"Arms at {name}", columns, tuple(rows))


def _cells(runs: Sequence[RunScore], measure: Measure) -> tuple[str, str]:
    """Write a mean, and the standard deviation between seeds."""
    mean, between = interval(runs, measure.name), spread(runs, measure.name)
    return (
        "" if mean is None else f"{mean.mean:.{measure.digits}f}",
        "" if between is None else f"±{between:.{measure.digits}f}",
    )


def _views(
    views: Sequence[View], scores: Scores, folders: Mapping[str, Path]
) -> tuple[tuple[Column, ...], tuple[ViewRow, ...]]:
    """Return PSNR and depth error of every view by arm, the worst for the first arm first."""
    measured = [
        m
        for m in MEASURES
        if m.name != "ssim" and any(interval(s, m.name) for s in scores.values())
    ]
    columns = tuple(
        Column(f"{m.words} {arm}", m.digits, m.higher_is_better) for m in measured for arm in scores
    )
    means = {
        (m.name, arm): np.mean([run.values[m.name] for run in runs], axis=0)
        for m in measured
        for arm, runs in scores.items()
    }
    place = {name: i for i, name in enumerate(next(iter(scores.values()))[0].views)}
    rows = []
    for view in views:
        numbers = [float(means[m.name, arm][place[view.name]]) for m in measured for arm in scores]
        known = tuple(n if math.isfinite(n) else None for n in numbers)
        rows.append(ViewRow(view.name, known, _pictures(view, views, folders)))
    rows.sort(key=lambda row: math.inf if row.numbers[0] is None else row.numbers[0])
    return columns, tuple(rows)


def _pictures(
    view: View, views: Sequence[View], folders: Mapping[str, Path]
) -> tuple[Picture, ...]:
    photo, valid = view.photo.pixels(), view.photo.valid()
    use = (photo >= 0).all(dim=-1) if valid is None else valid
    found = [Picture("photo", jpeg(photo.numpy()))]
    for arm in list(folders)[:SHOWN]:
        files = prediction_files(folders[arm], views)[view.name]
        color = files.load(view.camera).color
        difference = (color.float() - photo.float()).abs().mean(dim=-1) / 255
        found += [
            Picture(arm, jpeg(color.numpy())),
            Picture(f"error of {arm}", jpeg(error_picture(difference, use, LARGEST_ERROR))),
        ]
    return tuple(found)


def _range_chart(folders: Mapping[str, Path]) -> list[Chart]:
    """Draw each arm's depth error by range, of the first seed."""
    found = {}
    for arm, folder in folders.items():
        summary = json.loads((folder / "summary.json").read_text())
        ranges = summary.get("depth", {}).get("ranges")
        if ranges:
            found[arm] = ranges
    if not found:
        return []
    first = next(iter(found.values()))
    places = tuple(float(i) for i in range(len(first)))
    series = tuple(
        Series(arm, places, tuple(_error(r) for r in ranges)) for arm, ranges in found.items()
    )
    labels = tuple(f"{r['near']:g}-{r['far']:g} m" for r in first)
    return [Chart("Depth error by range, expected depth", "true depth", "AbsRel", series, labels)]


def _error(entry: Mapping[str, Mapping[str, float | None]]) -> float:
    value = entry["expected"]["abs_rel"]
    return math.nan if value is None else value
