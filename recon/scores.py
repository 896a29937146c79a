"""The scores of held-out views, and the summary that scripts and people read."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from recon.depth_metrics import RANGES, DepthReport, mean_depth_score
from recon.image_metrics import ImageScore, mean_image_score
from recon.intervals import LEVEL, interval
from recon.regions import REGIONS
from recon.truth import TruthSource

ABSENT = "not computed"
"""Stands where a number would be made up."""


@dataclass(frozen=True)
class DepthScores:
    """Errors of the kinds of rendered depth, against the same truth."""

    expected: DepthReport
    median: DepthReport | None
    """None where the prediction has one kind of depth only."""
    aligned: DepthReport | None
    """Of the expected depth times one factor a view, the median of true / expected depth; None
    where lengths are metres, so that nothing is to be aligned."""
    sources: frozenset[TruthSource]
    """Who knows the true depth."""

    @staticmethod
    def mean(scores: Sequence["DepthScores"]) -> "DepthScores | None":
        """Return the mean over the views that have any."""
        if not scores:
            return None
        return DepthScores(
            mean_depth_score(s.expected for s in scores),
            _mean_of_known(s.median for s in scores),
            _mean_of_known(s.aligned for s in scores),
            frozenset().union(*(s.sources for s in scores)),
        )

    def as_json(self, metric: bool) -> dict[str, Any]:
        """Return the expected depth's abs_rel, rmse, delta1 and coverage, and all the rest below.

        `truth` says what they are held against.

        Args:
            metric: whether lengths are metres; else there are no ranges, which are in metres.
        """
        headline = ("abs_rel", "rmse", "delta1", "coverage")
        overall = asdict(self.expected.overall)
        found: dict[str, Any] = {name: overall[name] for name in headline}
        found["truth"] = " and ".join(sorted(source.value for source in self.sources))
        found |= self._by_kind(lambda report: asdict(report.overall))
        if not metric:
            found["aligned"] = ABSENT if self.aligned is None else asdict(self.aligned.overall)
        found["edges"] = self._by_kind(lambda report: asdict(report.edges))
        if metric:
            found["ranges"] = [
                {"near": near, "far": far} | self._by_kind(partial(_range, number))
                for number, (near, far) in enumerate(RANGES)
            ]
        return found

    def _by_kind(self, part: Callable[[DepthReport], dict[str, Any]]) -> dict[str, Any]:
        median = ABSENT if self.median is None else part(self.median)
        return {"expected": part(self.expected), "median": median}


@dataclass(frozen=True)
class ViewScore:
    """How well one view was predicted."""

    view: str
    sensor: str
    """The camera of a rig; empty where there is one."""
    step: int | None
    """Of a drive."""
    image: ImageScore
    """Over all pixels that count."""
    regions: dict[str, ImageScore]
    """Over parts of them, those that can be told of this view."""
    depth: DepthScores | None
    """None where there is no truth, or no prediction of depth."""
    lpips: float | None = None
    """Over the whole image; None where nobody gave its weights."""
    prediction: str = ""
    """The file scored, relative to the folder."""
    digests: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the prediction's files, and of the truth's pixels as decoded, undistorted and
    resized."""

    @property
    def abs_rel(self) -> float:
        """The expected depth's; nan where there is none."""
        return math.nan if self.depth is None else self.depth.expected.overall.abs_rel


@dataclass(frozen=True)
class Evaluation:
    """The scores of a folder of predictions."""

    protocol: str
    """How it was measured, such as "full@1, every 8th by name"."""
    metric: bool
    """Whether lengths are metres."""
    views: tuple[ViewScore, ...]
    warnings: tuple[str, ...] = ()
    """What could not be read, and is no part of the scores."""
    lpips_name: str | None = None
    """Of the weights that LPIPS was computed with; None where it was not."""

    @property
    def image(self) -> ImageScore:
        """The mean over the views."""
        return mean_image_score(view.image for view in self.views)

    @property
    def depth(self) -> DepthScores | None:
        """The mean over the views that have true depth; None where none has."""
        return DepthScores.mean([view.depth for view in self.views if view.depth is not None])

    def summary(self) -> dict[str, Any]:
        """Return what scripts read: psnr, ssim, lpips, views, protocol, unit, depth if it exists.

        Numbers that JSON cannot hold, such as the PSNR of a perfect picture, are None.
        """
        found: dict[str, Any] = {
            "protocol": self.protocol,
            "psnr": self.image.psnr,
            "ssim": self.image.ssim,
            "ssim_skimage7": self.image.ssim_skimage7,
            "lpips": mean_lpips(self.views),
            "views": len(self.views),
            "unit": "metres" if self.metric else "scene units",
            "intervals": self._intervals(),
            "regions": {name: self._region(name) for name in REGIONS},
        }
        if self.lpips_name is not None:
            found["lpips_weights"] = self.lpips_name
        if len({view.sensor for view in self.views}) > 1:
            found["cameras"] = self._cameras()
        if (depth := self.depth) is not None:
            found["depth"] = depth.as_json(self.metric)
        if self.warnings:
            found["warnings"] = list(self.warnings)
        cleaned: dict[str, Any] = finite(found)
        return cleaned

    def _intervals(self) -> dict[str, Any]:
        """Return bootstrap intervals of the means over views."""
        steps = [view.view if view.step is None else view.step for view in self.views]
        by_step = any(view.step is not None for view in self.views)
        columns = {
            "psnr": [view.image.psnr for view in self.views],
            "ssim": [view.image.ssim for view in self.views],
            "lpips": [math.nan if view.lpips is None else view.lpips for view in self.views],
            "abs_rel": [view.abs_rel for view in self.views],
        }
        found: dict[str, Any] = {
            "level": LEVEL,
            "over": "held-out time steps" if by_step else "held-out views",
        }
        for name, values in columns.items():
            bounds = interval(np.array(values), steps)
            found[name] = ABSENT if bounds is None else list(bounds)
        return found

    def _region(self, name: str) -> Any:
        scores = [view.regions[name] for view in self.views if name in view.regions]
        mean = mean_image_score(scores)
        return asdict(mean) if mean.pixels else ABSENT

    def _cameras(self) -> dict[str, Any]:
        """Return the means of each camera of a rig."""
        found = {}
        for sensor in dict.fromkeys(view.sensor for view in self.views):
            mine = [view for view in self.views if view.sensor == sensor]
            image = mean_image_score(view.image for view in mine)
            row: dict[str, Any] = {
                "views": len(mine),
                "psnr": image.psnr,
                "ssim": image.ssim,
                "lpips": mean_lpips(mine),
            }
            depth = DepthScores.mean([view.depth for view in mine if view.depth is not None])
            if depth is not None:
                overall = depth.expected.overall
                row |= {"abs_rel": overall.abs_rel, "coverage": overall.coverage}
            found[sensor] = row
        return found


def mean_lpips(views: Sequence[ViewScore]) -> float | str:
    """Return the mean over views, or words where it was not computed."""
    known = [view.lpips for view in views if view.lpips is not None]
    return sum(known) / len(known) if known else ABSENT


def finite(value: Any) -> Any:
    """Put None in place of the numbers that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _range(number: int, report: DepthReport) -> dict[str, Any]:
    return asdict(report.ranges[number])


def _mean_of_known(reports: Iterable[DepthReport | None]) -> DepthReport | None:
    known = [report for report in reports if report is not None]
    return mean_depth_score(known) if known else None
