"""A clock that does something again and again, until it is stopped."""

import threading
import time
from collections.abc import Callable


class Player:
    """Ticks in a thread of its own; ticks that are late are left out, so that none pile up."""

    def __init__(self, tick: Callable[[], None], fail: Callable[[Exception], None]) -> None:
        """Prepare.

        Args:
            tick: what to do.
            fail: is told what a tick failed with, which is the last one.
        """
        self._tick, self._fail = tick, fail
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def plays(self) -> bool:
        """Whether it ticks."""
        return self._thread is not None and self._thread.is_alive() and not self._stop.is_set()

    def start(self, seconds: Callable[[], float]) -> None:
        """Begin to tick; nothing happens where it does already.

        Args:
            seconds: says how long after the last tick the next one is due.
        """
        if self.plays:
            return
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(seconds, self._stop), name="player", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Tick no longer; a tick that is under way ends by itself."""
        self._stop.set()

    def _work(self, seconds: Callable[[], float], stop: threading.Event) -> None:
        due = time.monotonic() + seconds()
        while not stop.wait(max(0.0, due - time.monotonic())):
            try:
                self._tick()
            except Exception as error:  # Whatever it is, the page must go on.
                stop.set()
                self._fail(error)
                return
            due = max(due + seconds(), time.monotonic())
