"""Scores of a scene, from the files that `recon.predictions` has written.

Images: PSNR and SSIM of the 8 bit prediction against the photo, over the photo's valid pixels.
Depth, where a photo brings metric depth: errors of the expected and of the median depth over the
pixels that have a true depth and that the scene covers (alpha of at least 0.5); `coverage` is
their share of the pixels with a true depth. Scores of a set are means of its views' scores.
"""

import csv
import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from recon.error_strip import error_strip
from recon.errors import DataError
from recon.files import remove, sha256, write_text
from recon.metrics import (
    RANGES,
    DepthReport,
    ImageScore,
    mean_depth_score,
    mean_image_score,
    score_depth,
    score_image,
)
from recon.pictures import write_png
from recon.predictions import Prediction, PredictionFiles, prediction_files
from recon.types import DepthKind, DepthMap, View


@dataclass(frozen=True)
class DepthScores:
    """Errors of both kinds of rendered depth, at the same pixels."""

    expected: DepthReport
    median: DepthReport
    measured: bool
    """False where some of what they are errors from was itself matched in photos."""

    @staticmethod
    def of(prediction: Prediction, truth: DepthMap | None) -> "DepthScores | None":
        """Score one view; None where there is no truth in the capture's own unit.

        A depth known only up to a factor or an offset is a prior: it is not scored against.
        """
        if truth is None or truth.kind is not DepthKind.METRIC:
            return None
        expected, median = prediction.covered_depths()
        return DepthScores(score_depth(expected, truth), score_depth(median, truth), truth.measured)

    @staticmethod
    def mean(scores: Sequence["DepthScores"]) -> "DepthScores | None":
        """Return the mean over the views that have any."""
        if not scores:
            return None
        return DepthScores(
            mean_depth_score(s.expected for s in scores),
            mean_depth_score(s.median for s in scores),
            all(s.measured for s in scores),
        )

    def as_json(self, metric: bool) -> dict[str, Any]:
        """Return the expected depth's abs_rel, rmse, delta1 and coverage, and all the rest below.

        `truth` says what they are held against: "measured", or "matched" in pairs of photos.

        Args:
            metric: whether lengths are metres; else there are no ranges, which are in metres.
        """
        both = {"expected": self.expected, "median": self.median}
        overall = {kind: asdict(report.overall) for kind, report in both.items()}
        headline = ("abs_rel", "rmse", "delta1", "coverage")
        found: dict[str, Any] = {name: overall["expected"][name] for name in headline}
        found["truth"] = "measured" if self.measured else "matched"
        found |= overall
        found["edges"] = {kind: asdict(report.edges) for kind, report in both.items()}
        if metric:
            found["ranges"] = [
                {"near": near, "far": far}
                | {kind: asdict(report.ranges[i]) for kind, report in both.items()}
                for i, (near, far) in enumerate(RANGES)
            ]
        return found


@dataclass(frozen=True)
class ViewScore:
    """How well one view was predicted."""

    view: str
    image: ImageScore
    depth: DepthScores | None
    """None where the photo brings no metric depth."""
    prediction: str
    """The file scored, relative to the folder."""
    digests: dict[str, str]
    """SHA-256 of the two files of the prediction, and of the truth's pixels as decoded,
    undistorted and resized."""


@dataclass(frozen=True)
class Evaluation:
    """The scores of a folder of predictions."""

    protocol: str
    """How it was measured, such as "hold8/full@1"."""
    metric: bool
    """Whether lengths are metres."""
    views: tuple[ViewScore, ...]

    @property
    def image(self) -> ImageScore:
        """The mean over the views."""
        return mean_image_score(view.image for view in self.views)

    @property
    def depth(self) -> DepthScores | None:
        """The mean over the views that bring metric depth; None where none does."""
        return DepthScores.mean([view.depth for view in self.views if view.depth is not None])

    def summary(self) -> dict[str, Any]:
        """Return what scripts read: psnr, ssim, views, protocol, unit, and depth where it exists.

        Numbers that JSON cannot hold, such as the PSNR of a perfect picture, are None.
        """
        found: dict[str, Any] = {
            "protocol": self.protocol,
            "psnr": self.image.psnr,
            "ssim": self.image.ssim,
            "views": len(self.views),
            "unit": "metres" if self.metric else "scene units",
        }
        if (depth := self.depth) is not None:
            found["depth"] = depth.as_json(self.metric)
        cleaned: dict[str, Any] = _finite(found)
        return cleaned


def score(
    folder: Path,
    views: Sequence[View],
    *,
    protocol: str,
    metric: bool,
    facts: Mapping[str, int | float] | None = None,
    on_view: Callable[[View], None] = lambda view: None,
) -> Evaluation:
    """Score the predictions of a folder against the photos and depths of the views.

    Writes `summary.json`, `views.csv` and, for a person to look at, `strips/<view>.png`.

    Args:
        folder: as `predict` left it.
        views: those predicted; at least one.
        protocol: which views were held out and how they are scored, with its version.
        metric: whether lengths are metres.
        facts: what else the summary shall say, such as the number of Gaussians.
        on_view: called after each view, for progress.

    Raises:
        DataError: a prediction is missing, damaged or of the wrong size, or there are no views.
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    if not views:
        raise DataError(f"{folder}: no views to score; expected held-out views, use --hold-every")
    # An earlier summary would outlive predictions that cannot be scored.
    for earlier in (folder / "summary.json", folder / "views.csv"):
        remove(earlier)
    files = prediction_files(folder, views)
    rows = []
    for view in views:
        rows.append(_score_view(view, files[view.name], folder, metric))
        on_view(view)
    evaluation = Evaluation(protocol, metric, tuple(rows))
    _write(folder, evaluation, facts or {})
    return evaluation


def _score_view(view: View, files: PredictionFiles, folder: Path, metric: bool) -> ViewScore:
    prediction = files.load(view.camera)
    photo, valid, truth = view.photo.pixels(), view.photo.valid(), view.photo.depth()
    digests = {
        "prediction_sha256": sha256(files.color),
        "depth_prediction_sha256": sha256(files.depth),
        "photo_sha256": _digest(photo),
    }
    if truth is not None:
        digests["depth_sha256"] = _digest(truth.z)
    image = score_image(prediction.color, photo, valid)
    captions = view.name, f"render, {image.psnr:.2f} dB"
    use = torch.ones(photo.shape[:2], dtype=torch.bool) if valid is None else valid
    strip = error_strip(photo, use, prediction, truth, captions, "m" if metric else "")
    write_png(folder / "strips" / files.color.name, strip)
    return ViewScore(
        view=view.name,
        image=image,
        depth=DepthScores.of(prediction, truth),
        prediction=files.color.relative_to(folder).as_posix(),
        digests=digests,
    )


def _digest(values: torch.Tensor) -> str:
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()


def _write(folder: Path, evaluation: Evaluation, facts: Mapping[str, int | float]) -> None:
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
    # The view with the most to say names the columns; the others leave cells empty.
    writer = csv.DictWriter(stream, max(rows, key=len).keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _row(view: ViewScore) -> dict[str, Any]:
    row = {"view": view.view, "prediction": view.prediction, **asdict(view.image)}
    if view.depth is not None:
        for kind in ("expected", "median"):
            overall = asdict(getattr(view.depth, kind).overall)
            row |= {f"{kind}_{name}": value for name, value in overall.items()}
    return row


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
