"""The report of predictions that another program rendered."""

import json
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recon.brought import Brought
from recon.files import write_text
from recon.report.contents import Report
from recon.report.page import page
from recon.report.scored import hashes, headline, measured, range_charts, range_tables
from recon.report.views import view_rows
from recon.truth import Truths
from recon.types import Capture


def write_predictions_report(
    folder: Path, predictions: Path, found: Brought, capture: Capture, truths: Truths
) -> Path:
    """Write `report.html` beside scores, and return its path.

    Args:
        folder: of the scores.
        predictions: where the pictures lie.
        found: the files that were scored.
        capture: whose held-out views were predicted.
        truths: finds the true depth of held-out views.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    summary = json.loads((folder / "summary.json").read_text())
    unit = "m" if capture.metric else ""
    columns, rows = view_rows(folder, capture.test, truths, unit, found.files)
    report = Report(
        title=f"{predictions.name}: {headline(summary)}",
        command=shlex.join(["recon", *sys.argv[1:]]),
        facts=(
            *measured(summary, capture),
            ("predictions", f"{predictions}, {found.layout}; by {_who(summary)}"),
            ("scored by", f"recon {version('defocus-recon')} on {platform.platform()}"),
        ),
        verdicts=(),
        tables=tuple(range_tables(summary)),
        charts=tuple(range_charts(summary)),
        view_columns=columns,
        views=rows,
        hashes=hashes(summary),
    )
    path = folder / "report.html"
    write_text(path, page(report))
    return path


def _who(summary: dict[str, Any]) -> str:
    if "program" not in summary:
        return "another program"
    seconds = summary["seconds_with_start_and_rendering"]
    return f"{summary['program']}, {summary['steps']:,} steps, {seconds:.0f} s from start to files"
