"""What matches between the training photos tell of their depth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import torch

from recon.counter import Counter, silent
from recon.errors import DataError, ResourceError, UsageError
from recon.evidence.interface import Evidence, Need, Provider, SparseDepth
from recon.evidence.store import Store
from recon.matching.choose import MatcherOptions, Name, choose_matcher
from recon.matching.matcher import Matcher
from recon.matching.survey import Survey, survey
from recon.types import View


@dataclass(frozen=True)
class MatchSettings:
    """Who finds the pixels that show the same point in two training photos."""

    matcher: Name | Literal["none"] = "sift"
    """sift needs no weights; auto takes the best whose weights are on this machine; none does
    without matches, as do fits that LiDAR supervises."""
    weights: Path | None = None
    """The file of the matcher's weights; else it is looked for in $RECON_WEIGHTS, then fetched."""
    most: int = 250
    """Captures with more training photos are fitted without matches: a fit would wait minutes for
    them, and so many photos hold one another."""

    def choose(self) -> Matcher[Any] | None:
        """Build the matcher, or none.

        Raises:
            DataError, ResourceError, UsageError: its weights cannot be read or had, or are given
                for a matcher that takes none.
        """
        if self.matcher != "none":
            return choose_matcher(MatcherOptions(self.matcher, self.weights))
        if self.weights is not None:
            raise UsageError(f"--matching.weights {self.weights}: --matching.matcher none is set.")
        return None


def survey_of(views: Sequence[View], matcher: Matcher[Any], counter: Counter = silent) -> Survey:
    """Match views and triangulate what they see, the same way whatever else is known of them.

    Every pair is matched once and kept. Points take no part in the choice of pairs, so a fit that
    begins from matches, and then is held by them, matches nothing twice.

    Raises:
        DataError: nothing can be triangulated; the message says why.
        ResourceError: matches cannot be kept.
    """
    with _one_thread():
        return survey(views, matcher, Store(), counter=counter)


@final
class MatchProvider(Provider):
    """The depth triangulated at pixels of a view that match in other training views."""

    gives: ClassVar[Need] = Need.MATCHES

    def __init__(self, views: Sequence[View], matcher: Matcher[Any]) -> None:
        """Prepare; nothing is matched yet.

        Args:
            views: those that may be learned from.
            matcher: who matches.
        """
        self._views, self._matcher = tuple(views), matcher
        self._known: dict[str, SparseDepth] | None = None

    def prepare(self, counter: Counter = silent) -> tuple[str, ...]:
        """Match and triangulate, and warn of poses that matches contradict."""
        if self._known is not None:
            return ()
        self._known = {}
        try:
            found = survey_of(self._views, self._matcher, counter)
        except (DataError, ResourceError) as why:
            return (f"matches do not supervise this fit: {why}",)
        self._known = {view.name: found.known_depth(i) for i, view in enumerate(self._views)}
        return found.comparison.warnings

    @property
    def knows_nothing(self) -> bool:
        """Whether no two views determine a point."""
        self.prepare()
        return not self._known

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the depths at the view's matched pixels, if it has any."""
        self.prepare()
        found = (self._known or {}).get(view.name)
        return evidence if found is None else replace(evidence, matches=found)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread: sums then come out the same on all machines."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
