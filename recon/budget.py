"""How long a fit may take: a number of steps, a number of minutes, or whichever ends first."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Steps, and optionally minutes; every schedule runs on the share of it that is spent."""

    steps: int
    minutes: float | None = None
    """None: as long as the steps take, which keeps a fit repeatable to the bit."""

    def progress(self, step: int, seconds: float) -> float:
        """Return the share spent, in [0, 1], after a number of steps and seconds."""
        spent = step / max(self.steps, 1)
        if self.minutes is not None:
            spent = max(spent, seconds / (60 * self.minutes))
        return min(spent, 1.0)
