"""Time that counts, and time that does not."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Stopwatch:
    """Counts the seconds of a fit, but for those in which it was held up."""

    def __init__(self, seconds: float) -> None:
        """Go on from so many seconds."""
        self._began = time.monotonic() - seconds

    def seconds(self) -> float:
        """Return the seconds counted so far."""
        return time.monotonic() - self._began

    def aside(self, act: Callable[[], T]) -> T:
        """Do something that does not count, and return what it returns."""
        before = time.monotonic()
        try:
            return act()
        finally:
            self._began += time.monotonic() - before
