"""What matches say of a capture, in numbers for people and scripts."""

from dataclasses import dataclass

import numpy as np
import torch

from recon.matching.survey import Comparison, Survey


@dataclass(frozen=True)
class PointsFound:
    """What was triangulated."""

    count: int
    views: float
    """That see a point, on the mean."""
    angle: float
    """Degrees; median of the widest angle under which points are seen."""
    depth_deviation: float
    """Median relative standard deviation of depth, as the pixels' noise has it; wrong poses come
    on top."""
    noise: float
    """px; standard deviation of the matched pixels' coordinates."""


@dataclass(frozen=True)
class MatchFacts:
    """How views match, and how well the matches agree with the poses."""

    matcher: str
    pairs: int
    matches: int
    kept: int
    """Matches that agree with the poses."""
    within_a_pixel: float
    """Share of all matches, from the line on which they have to lie."""
    median_distance: float | None
    """px from that line, in the median pair; None where nothing matched."""
    alone: tuple[str, ...]
    """Views without a match that was kept."""
    points: PointsFound | None
    """None where nothing could be triangulated."""


def match_facts(comparison: Comparison, survey: Survey | None) -> MatchFacts:
    """Summarise a comparison, and what was triangulated from it if anything was."""
    told = [pair for pair in comparison.agreements if pair.count]
    count = sum(pair.count for pair in told)
    within = sum(pair.count * pair.within_a_pixel for pair in told) / max(1, count)
    connected = {view for pair in comparison.kept for view in (pair.a, pair.b)}
    return MatchFacts(
        matcher=comparison.matcher,
        pairs=len(comparison.matched),
        matches=count,
        kept=sum(len(pair.matches) for pair in comparison.kept),
        within_a_pixel=within,
        median_distance=float(np.median([pair.median for pair in told])) if told else None,
        alone=tuple(v.name for i, v in enumerate(comparison.views) if i not in connected),
        points=None if survey is None else _points(survey),
    )


def _points(survey: Survey) -> PointsFound:
    found = survey.points
    return PointsFound(
        count=len(found),
        views=float(found.tracks.lengths.double().mean()),
        angle=float(found.angle.median()),
        depth_deviation=float(torch.median(found.deviation / found.depth)),
        noise=found.noise,
    )
