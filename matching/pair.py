"""Two views and the pixels that match in them."""

from dataclasses import dataclass

from recon.matching.matcher import Matches


@dataclass(frozen=True, order=True)
class Pair:
    """Two views, by index; a comes before b."""

    a: int
    b: int


@dataclass(frozen=True, eq=False)
class PairMatches:
    """The matches of two views, by index."""

    a: int
    b: int
    matches: Matches
