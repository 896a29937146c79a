"""Turning Ctrl-C and a polite kill into a request to stop after the current step."""

import signal
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """Becomes true at the first SIGINT or SIGTERM; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        """Begin to listen."""
        for kind in (signal.SIGINT, signal.SIGTERM):
            self._before[kind] = signal.signal(kind, self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Listen no more."""
        for name, handler in self._before.items():
            signal.signal(name, handler)

    def __call__(self) -> bool:
        """Say whether to stop."""
        return self.signal is not None

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
