"""One browser's painter: small pictures while things move, a full one when they rest.

There is no queue. The painter is told *that* something has changed, and looks up what is to be seen
when it begins a picture: the newest wish wins, and a slow machine only skips pictures.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum

REST = 0.15
"""Seconds without a change after which things count as at rest."""


class Size(Enum):
    """How large a picture is wanted."""

    MOVING = "moving"
    FULL = "full"


class Painter:
    """A thread that draws for one browser."""

    def __init__(self, paint: Callable[[Size], None], fail: Callable[[Exception], None]) -> None:
        """Start to wait for changes.

        Args:
            paint: draws and sends one picture, of what is to be seen when it is called.
            fail: is told what a picture failed with; the painter goes on.
        """
        self._paint, self._fail = paint, fail
        self._news = threading.Condition()
        self._moved = self._stale = self._closed = False
        self._moved_at = 0.0
        self._thread = threading.Thread(target=self._work, name="painter", daemon=True)
        self._thread.start()

    def move(self) -> None:
        """Say that the camera or a setting is moving: draw small at once, full when it rests."""
        with self._news:
            self._moved = self._stale = True
            self._moved_at = time.monotonic()
            self._news.notify()

    def refresh(self) -> None:
        """Say that the scene has changed: draw a full picture, when nothing moves."""
        with self._news:
            self._stale = True
            self._news.notify()

    def close(self) -> None:
        """End after the picture at hand."""
        with self._news:
            self._closed = True
            self._news.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while (size := self._next()) is not None:
            try:
                self._paint(size)
            except Exception as error:  # Whatever it is, the page must go on.
                self._fail(error)

    def _next(self) -> Size | None:
        """Wait until there is something to draw; None at the end."""
        with self._news:
            while not self._closed:
                if self._moved:
                    self._moved = False
                    return Size.MOVING
                if not self._stale:
                    self._news.wait()
                    continue
                left = self._moved_at + REST - time.monotonic()
                if left <= 0:
                    self._stale = False
                    return Size.FULL
                self._news.wait(left)
            return None
