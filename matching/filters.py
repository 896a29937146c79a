"""Leaving out matches that contradict the poses."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

from recon.matching.cameras import Cameras
from recon.matching.epipolar import epipolar_distances
from recon.matching.pair import PairMatches


@dataclass(frozen=True)
class FilterOptions:
    """Which matches of a pair are believed."""

    epipolar: float = 3.0
    """px; matches further from the line on which they have to lie are left out. A pair whose
    matches lie much closer has a smaller limit of its own."""
    confidence: float = 0.0
    """Matches below this are left out; matchers have limits of their own."""
    fewest: int = 12
    """Pairs with fewer matches left are left out as a whole: they may agree by chance."""


def believed(
    cameras: Cameras, pairs: Sequence[PairMatches], options: FilterOptions = FilterOptions()
) -> tuple[PairMatches, ...]:
    """Return the pairs with those matches that agree with the poses."""
    kept = []
    for pair in pairs:
        distance = epipolar_distances(cameras, pair.a, pair.b, pair.matches).amax(dim=1)
        keep = (distance <= robust_limit(distance, options.epipolar)) & (
            pair.matches.confidence >= options.confidence
        )
        if int(keep.sum()) >= options.fewest:
            kept.append(PairMatches(pair.a, pair.b, pair.matches.where(keep)))
    return tuple(kept)


def robust_limit(distance: Float64[Tensor, " n"], most: float) -> float:
    """Return how far right matches may be, by how far most of those within a limit are.

    It is three standard deviations of a normal distribution with their median, at least 1 px and
    at most the limit given.
    """
    within = distance[distance <= most]
    if not len(within):
        return most
    return float((3 * 1.4826 * within.median()).clamp(min(1.0, most), most))
