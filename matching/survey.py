"""From views to points: pairs, matches, filters, tracks and triangulation, in two steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.counter import Counter, silent
from recon.errors import DataError
from recon.evidence.interface import SparseDepth
from recon.evidence.store import Store
from recon.matching.cameras import Cameras
from recon.matching.epipolar import Agreement, agreement, pose_warnings
from recon.matching.filters import FilterOptions, believed
from recon.matching.gather import match_views
from recon.matching.matcher import Matcher
from recon.matching.pair import PairMatches
from recon.matching.pairs import PairOptions, select_pairs
from recon.matching.tracks import build_tracks
from recon.matching.triangulate import Triangulated, TriangulationOptions, triangulate
from recon.types import PointCloud, View


@dataclass(frozen=True)
class SurveyOptions:
    """Which pairs are matched, and which matches and points are believed."""

    pairs: PairOptions = field(default_factory=PairOptions)
    filter: FilterOptions = field(default_factory=FilterOptions)
    triangulation: TriangulationOptions = field(default_factory=TriangulationOptions)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Views matched, and their matches held against their poses."""

    views: tuple[View, ...]
    cameras: Cameras
    matcher: str
    merge_distance: float
    """The matcher's; see `Matcher`."""
    matched: tuple[PairMatches, ...]
    """All matches, as they were found."""
    agreements: tuple[Agreement, ...]
    """Of each of these pairs with the poses."""
    kept: tuple[PairMatches, ...]
    """Those matches that agree with the poses."""
    warnings: tuple[str, ...]
    """What a person should know of the poses."""


@dataclass(frozen=True, eq=False)
class Survey:
    """Points that matches determine, and what they tell of each view."""

    comparison: Comparison
    points: Triangulated

    def known_depth(self, view: int) -> SparseDepth:
        """Return the depth triangulated at pixels of a view, weighed by its certainty."""
        seen = self.points.tracks.view == view
        return SparseDepth(
            self.points.tracks.pixels[seen],
            self.points.depth[seen].float(),
            self.points.certainty()[seen].float(),
        )

    def cloud(self) -> PointCloud:
        """Return the points in the mean colours of the pixels that show them; decodes photos."""
        tracks = self.points.tracks
        colors = torch.zeros(len(self.points), 3)
        for index in torch.unique(tracks.view).tolist():
            photo = self.comparison.views[index].photo.pixels()
            seen = tracks.view == index
            limit = torch.tensor([photo.shape[1] - 1, photo.shape[0] - 1])
            column, row = tracks.pixels[seen].long().clamp(torch.zeros(2).long(), limit).T
            colors.index_add_(0, tracks.track[seen], photo[row, column].float())
        mean = (colors / tracks.lengths[:, None]).round().to(torch.uint8)
        return PointCloud(self.points.positions.float(), mean)


def compare(
    views: Sequence[View],
    matcher: Matcher[Any],
    store: Store,
    options: SurveyOptions = SurveyOptions(),
    points: Float[Tensor, "p 3"] | None = None,
    counter: Counter = silent,
) -> Comparison:
    """Match views, and hold the matches against the poses.

    Args:
        views: with known poses.
        matcher: who matches.
        store: where matches are kept, so that nothing is matched twice.
        options: which pairs, and which matches.
        points: of the scene, if there are any; they help to choose pairs.
        counter: shows how far matching is.

    Raises:
        DataError: no views overlap.
        ResourceError: matches cannot be kept.
    """
    pairs = select_pairs(views, points, options.pairs)
    if not pairs:
        raise DataError(
            f"no two of {len(views)} views see the same from different places, so nothing can be "
            "matched. Take photos that overlap by half or more, from places some way apart."
        )
    with counter("matching", len(pairs)) as step:
        matched = match_views(views, pairs, matcher, store, step)
    cameras = Cameras.of([view.camera for view in views])
    agreements = tuple(agreement(cameras, pair) for pair in matched)
    return Comparison(
        tuple(views),
        cameras,
        matcher.name,
        matcher.merge_distance,
        matched,
        agreements,
        believed(cameras, matched, options.filter),
        pose_warnings(agreements, [view.name for view in views]),
    )


def triangulated(comparison: Comparison, options: SurveyOptions = SurveyOptions()) -> Survey:
    """Triangulate what was matched.

    Raises:
        DataError: the matches determine no point; the message says why.
    """
    tracks = build_tracks(comparison.kept, comparison.merge_distance)
    try:
        return Survey(comparison, triangulate(tracks, comparison.cameras, options.triangulation))
    except DataError as error:
        # Wrong poses are the likeliest cause, and the warning would be lost with the result.
        raise DataError(" ".join([str(error), *comparison.warnings])) from error


def survey(
    views: Sequence[View],
    matcher: Matcher[Any],
    store: Store,
    options: SurveyOptions = SurveyOptions(),
    points: Float[Tensor, "p 3"] | None = None,
    counter: Counter = silent,
) -> Survey:
    """Match views and triangulate what they see: `compare`, then `triangulated`.

    Raises:
        DataError: no views overlap, or their matches determine no point; the message says why.
        ResourceError: matches cannot be kept.
    """
    comparison = compare(views, matcher, store, options, points, counter)
    return triangulated(comparison, options)
