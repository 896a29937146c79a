"""Scores of a scene, from the files that `recon.predictions` has written.

Images: PSNR and SSIM of the 8 bit prediction against the photo, over the photo's valid pixels and
over parts of them; LPIPS where its weights were given, with the photo in place of pixels that do
not count. Depth, where the view's true depth is known: errors of the expected and of the
median depth over the pixels that have a true depth and that the scene covers (alpha of at least
0.5); `coverage` is their share of the pixels with a true depth. Scores of a set are means of its
views' scores.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from recon.ahead import each
from recon.depth_metrics import score_depth
from recon.drive_types import Boxes, moving_tracks
from recon.error_strip import error_strip
from recon.errors import DataError
from recon.files import remove, write_text
from recon.image_metrics import FULL, score_regions
from recon.lpips import SMALLEST, Lpips
from recon.pictures import Picture, write_png
from recon.predictions import PredictedDepth, Prediction, PredictionFiles, prediction_files
from recon.regions import regions_of
from recon.scores import DepthScores, Evaluation, ViewScore
from recon.truth import Truth, Truths
from recon.types import Capture, View
from recon.view_files import file_stems


class Judge:
    """Holds predictions against what is known of views."""

    def __init__(
        self,
        truths: Truths | None = None,
        moving: Sequence[Boxes] = (),
        lpips: Lpips | None = None,
    ) -> None:
        """Prepare.

        Args:
            truths: finds true depths; without LiDAR where None.
            moving: the boxes of objects that move, by time step.
            lpips: measures the perceptual distance; nobody does where None.
        """
        self.truths = truths or Truths()
        self.lpips = lpips
        self._moving = {frame.step: frame for frame in moving}

    @staticmethod
    def of(capture: Capture, lpips: Lpips | None = None) -> "Judge":
        """Return the judge of a capture's views."""
        tracks = moving_tracks(capture.boxes)
        moving = [frame.only(tracks) for frame in capture.boxes]
        return Judge(Truths(capture.lidar, moving, capture.views), moving, lpips)

    def score(
        self, view: View, prediction: Prediction, metric: bool
    ) -> tuple[ViewScore, Callable[[], Picture]]:
        """Score one view, and say how a picture of it for people is drawn.

        Raises:
            DataError: the view's depth cannot be read, or LPIPS needs a larger photo.
        """
        photo, valid = view.photo.pixels(), view.photo.valid()
        truth = self.truths.of(view, valid)
        moving = None if view.step is None else self._moving.get(view.step)
        regions = regions_of(view, truth if metric else None, moving)
        image = score_regions(prediction.color, photo, valid, regions)
        digests = {"photo_sha256": _digest(photo)}
        if truth is not None:
            digests["depth_sha256"] = _digest(truth.depth.z)
        captions = view.name, f"render, {image[FULL].psnr:.2f} dB"
        use = torch.ones(photo.shape[:2], dtype=torch.bool) if valid is None else valid
        unit = "m" if metric else ""
        strip = partial(error_strip, photo, use, prediction, truth, captions, unit)
        scored = ViewScore(
            view=view.name,
            sensor=view.sensor,
            step=view.step,
            image=image.pop(FULL),
            regions=image,
            depth=_depth_scores(prediction.depth, truth, metric),
            lpips=None if self.lpips is None else _distance(self.lpips, view, prediction, use),
            digests=digests,
        )
        return scored, strip


def score(
    folder: Path,
    views: Sequence[View],
    *,
    protocol: str,
    metric: bool,
    judge: Judge | None = None,
    files: Mapping[str, PredictionFiles] | None = None,
    facts: Mapping[str, Any] | None = None,
    on_view: Callable[[View], None] = lambda view: None,
) -> Evaluation:
    """Score predictions against the photos and depths of the views.

    Writes `summary.json`, `views.csv` and, for a person to look at, `strips/<view>.png`.

    Args:
        folder: for the results.
        views: those predicted; at least one.
        protocol: which views were held out and how they are scored, with its version.
        metric: whether lengths are metres.
        judge: knows the LiDAR and the boxes of a drive, and LPIPS.
        files: the predictions by view; those that `predict` left in the folder where None.
        facts: what else the summary shall say, such as the number of Gaussians.
        on_view: called after each view, for progress.

    Raises:
        DataError: a prediction is missing, damaged or of the wrong size, or there are no views.
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    if not views:
        raise DataError(f"{folder}: no views to score; expected held-out views, use --hold-every")
    forget_scores(folder)
    files, judge = files or prediction_files(folder, views), judge or Judge()
    stems = file_stems([view.name for view in views])
    rows = {}

    def judged(view: View) -> tuple[ViewScore, Callable[[], Picture]]:
        return judge.score(view, files[view.name].load(view.camera), metric)

    # In the order of time, so that a sweep is read once for all cameras.
    in_time = sorted(views, key=lambda view: view.step or 0)
    for view, (scored, draw) in zip(in_time, each(judged, in_time), strict=True):
        mine = files[view.name]
        write_png(folder / "strips" / f"{stems[view.name]}.png", draw())
        rows[view.name] = replace(
            scored,
            prediction=Path(os.path.relpath(mine.color, folder)).as_posix(),
            digests=mine.digests() | scored.digests,
        )
        on_view(view)
    evaluation = Evaluation(
        protocol,
        metric,
        tuple(rows[view.name] for view in views),
        tuple(judge.truths.problems),
        None if judge.lpips is None else judge.lpips.name,
    )
    _write(folder, evaluation, facts or {})
    return evaluation


def forget_scores(folder: Path) -> None:
    """Remove what an earlier call of `score` left, which would outlive predictions that fail now.

    Raises:
        ResourceError: the folder may not be changed.
    """
    for pattern in ("summary.json", "views.csv", "report.html", "strips/*.png"):
        for earlier in folder.glob(pattern):
            remove(earlier)


def _distance(lpips: Lpips, view: View, prediction: Prediction, use: Bool[Tensor, "h w"]) -> float:
    width, height = view.camera.width, view.camera.height
    if min(width, height) < SMALLEST:
        raise DataError(
            f"{view.name}: {width}x{height}, and LPIPS needs {SMALLEST} px on each side. Score "
            "larger photos, or leave the weights out (--lpips-weights, $RECON_WEIGHTS)."
        )
    photo = view.photo.pixels()
    predicted = torch.where(use[..., None], prediction.color, photo)
    return lpips(predicted.float() / 255, photo.float() / 255)


def _depth_scores(
    predicted: PredictedDepth | None, truth: Truth | None, metric: bool
) -> DepthScores | None:
    if truth is None or predicted is None:
        return None
    expected, median = predicted.covered()
    known = truth.depth.valid & (expected > 0)
    aligned = None
    if not metric and bool(known.any()):
        factor = (truth.depth.z[known] / expected[known]).median()
        aligned = score_depth(factor * expected, truth.depth, truth.edges)
    return DepthScores(
        expected=score_depth(expected, truth.depth, truth.edges),
        median=None if median is None else score_depth(median, truth.depth, truth.edges),
        aligned=aligned,
        sources=frozenset([truth.source]),
    )


def _digest(values: Tensor) -> str:
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()


def _write(folder: Path, evaluation: Evaluation, facts: Mapping[str, Any]) -> None:
    files = [
        {"view": view.view, "prediction": view.prediction, **view.digests}
        for view in evaluation.views
    ]
    summary = {**evaluation.summary(), **facts, "files": files}
    write_text(folder / "views.csv", _table(evaluation))
    write_text(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")


def _table(evaluation: Evaluation) -> str:
    stream = io.StringIO()
    rows = [_row(view) for view in evaluation.views]
    # Views have not all the same to say; cells of those with less stay empty.
    columns = dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row)
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _row(view: ViewScore) -> dict[str, Any]:
    row = {"view": view.view, "prediction": view.prediction, **asdict(view.image)}
    if view.lpips is not None:
        row["lpips"] = view.lpips
    for name, image in view.regions.items():
        row |= {f"{name}_{part}": value for part, value in asdict(image).items()}
    if view.depth is not None:
        kinds = {"expected": view.depth.expected, "median": view.depth.median}
        for kind, report in kinds.items():
            overall = {} if report is None else asdict(report.overall)
            row |= {f"{kind}_{name}": value for name, value in overall.items()}
    return row
