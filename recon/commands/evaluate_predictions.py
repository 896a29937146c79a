"""`recon eval --predictions`: the held-out views as another program has rendered them."""

import sys
from pathlib import Path
from typing import Any

from recon.brought import Brought, brought
from recon.commands.capture import capture_of, under_protocol
from recon.commands.progress import counting
from recon.config import FitSettings
from recon.datasets.source import ReadOptions
from recon.errors import DataError
from recon.evaluate import Judge, forget_scores, score
from recon.lpips import Lpips
from recon.protocols import UNNAMED
from recon.report.of_predictions import write_predictions_report
from recon.types import Capture


def evaluate_predictions(
    predictions: Path,
    data: Path,
    read: ReadOptions,
    protocol: str | None = None,
    output: Path | None = None,
    lpips: Lpips | None = None,
) -> dict[str, Any]:
    """Score pictures, and depths where they are; return what `recon eval --json` prints.

    Args:
        predictions: the folder, see `recon.brought`.
        data: the capture whose held-out views they are of.
        read: how it is read, as a fit would; a protocol goes before.
        protocol: which views are held out, and how large they are; None where `read` says so.
        output: for scores and report; beside the predictions where None.
        lpips: measures the perceptual distance, if wanted.

    Raises:
        DataError: no view is held out, or a prediction is missing, damaged or of another size.
        UsageError: there is no such protocol, or `read` says something else.
    """
    named = None if protocol == UNNAMED else protocol
    settings = under_protocol(FitSettings(data, read, named).resolved())
    capture = capture_of(settings, start_points=False)
    check_held_out(capture)
    predictions = predictions.resolve()
    folder = output or predictions.with_name(f"{predictions.name}-scores")
    forget_scores(folder)
    found = brought(predictions, capture.test)
    for note in found.notes:
        print(note, file=sys.stderr)
    return score_found(predictions, found, capture, named, folder, {}, lpips)


def score_found(
    predictions: Path,
    found: Brought,
    capture: Capture,
    protocol: str | None,
    folder: Path,
    facts: dict[str, Any],
    lpips: Lpips | None = None,
) -> dict[str, Any]:
    """Score the files that were found, and write the report; return what `--json` prints.

    Args:
        predictions: where they lie.
        found: what lies there.
        capture: whose held-out views they are of.
        protocol: that the capture was read under, if any.
        folder: for scores and report.
        facts: what else the summary shall say.
        lpips: measures the perceptual distance, if wanted.

    Raises:
        DataError: a prediction is missing, damaged or of another size.
    """
    judge = Judge.of(capture, lpips)
    facts = {
        "predictions": str(predictions),
        "layout": found.layout,
        "notes": list(found.notes),
        **facts,
    }
    with counting("scoring", len(capture.test)) as done:
        evaluation = score(
            folder, capture.test, protocol=f"{protocol or UNNAMED}, {capture.split.rule}",
            metric=capture.metric, judge=judge, files=found.files, facts=facts, on_view=done,
        )  # fmt: skip
    report = write_predictions_report(folder, predictions, found, capture, judge.truths)
    print(f"report: {report}", file=sys.stderr)
    return {**evaluation.summary(), **facts}


def check_held_out(capture: Capture) -> None:
    """Refuse a capture of which nothing is to be predicted.

    Raises:
        DataError: no view is held out.
    """
    if not capture.test:
        raise DataError(
            f"{capture.path}: no view is held out ({capture.split.rule}), so there is nothing to "
            "score. Use --hold-every 8, --test-list or --protocol, as the predictions were made."
        )
