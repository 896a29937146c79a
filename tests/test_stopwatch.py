import pytest

from recon import stopwatch
from recon.stopwatch import Stopwatch


def test_what_is_done_aside_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: now[0])
    clock = Stopwatch(7.0)
    now[0] += 2.0
    assert clock.seconds() == 9.0

    def rest() -> str:
        now[0] += 50.0
        return "rested"

    assert clock.aside(rest) == "rested"
    now[0] += 1.0
    assert clock.seconds() == 10.0
