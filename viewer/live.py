"""A fit that runs, as pages see it: its numbers, and what people wish of it.

The fit's thread writes numbers and obeys wishes between two steps; browsers' threads read and wish.
"""

import threading
import time
from collections.abc import Callable

from recon.fit import Progress

MOST_POINTS = 400
"""Of a curve; where there are more, every second one is dropped."""
NEWS_SECONDS = 1.0
"""Between two tellings of the numbers."""


class LiveFit:
    """The desk between a fit and the pages that show it."""

    def __init__(self, steps: int, terms: tuple[str, ...]) -> None:
        """Begin before the first step.

        Args:
            steps: of the whole fit.
            terms: the names of its penalties.
        """
        self.steps, self.terms = steps, terms
        self.step = 0
        """That the fit has come to; the newest numbers may be some steps older."""
        self.state = "preparing"
        """In a word, for people."""
        self._lock = threading.Lock()
        self._kept: list[Progress] = []
        """Every so many-th of all numbers, from the first on."""
        self._stride, self._count = 1, 0
        self._newest: Progress | None = None
        self._paused = self._save = False
        self._told = 0.0
        self._listeners: list[Callable[[], None]] = []

    @property
    def curve(self) -> tuple[Progress, ...]:
        """The numbers so far, evenly thinned out, the newest last."""
        with self._lock:
            newest = self._newest
            if newest is None or newest is self._kept[-1]:
                return tuple(self._kept)
            return (*self._kept, newest)

    @property
    def paused(self) -> bool:
        """Whether somebody wishes the fit to rest."""
        return self._paused

    @property
    def over(self) -> bool:
        """Whether the fit takes no more wishes."""
        return self.state in ("finished", "stopped")

    def pause(self, wished: bool) -> None:
        """Wish that the fit rests, or goes on."""
        self._paused = wished
        self.announce()

    def save(self) -> None:
        """Wish for a checkpoint."""
        self._save = True

    def take_wish_to_save(self) -> bool:
        """Return whether somebody wishes for a checkpoint, once for each wish."""
        wished, self._save = self._save, False
        return wished

    def add(self, progress: Progress) -> None:
        """Take in new numbers, and tell the pages now and then."""
        with self._lock:
            if self._count % self._stride == 0:
                self._kept.append(progress)
            if len(self._kept) == MOST_POINTS:
                del self._kept[1::2]
                self._stride *= 2
            self._count += 1
            self._newest = progress
        if time.monotonic() - self._told > NEWS_SECONDS:
            self.announce()

    def enter(self, state: str) -> None:
        """Say what the fit does from now on."""
        if state != self.state:
            self.state = state
            self.announce()

    def announce(self) -> None:
        """Tell the pages that something has changed."""
        self._told = time.monotonic()
        for listener in tuple(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function when something has changed, until the one returned is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
