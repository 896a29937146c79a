"""What a fit needs to know of the page that shows it."""

import abc
from collections.abc import Callable
from typing import final

from recon.fit import Progress


class FitPage(abc.ABC):
    """Goes along with a fit, and leaves what it computes alone."""

    @abc.abstractmethod
    def tell(self, progress: Progress) -> None:
        """Take in the numbers of a step."""

    @abc.abstractmethod
    def attend(self, stop: Callable[[], bool]) -> bool:
        """Do what people wish between two steps, and return whether the fit shall stop.

        Args:
            stop: says so; asked again and again while the fit is held up.
        """

    @abc.abstractmethod
    def finish(self, words: str) -> None:
        """Show the last step, and what became of the fit."""

    @abc.abstractmethod
    def stay(self) -> None:
        """Serve on until the person has seen enough."""


@final
class NoPage(FitPage):
    """Nobody looks."""

    def tell(self, progress: Progress) -> None:
        """Do nothing."""

    def attend(self, stop: Callable[[], bool]) -> bool:
        """Return what `stop` says."""
        return stop()

    def finish(self, words: str) -> None:
        """Do nothing."""

    def stay(self) -> None:
        """Leave at once."""
