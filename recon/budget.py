"""How long a fit may take, and how large the photos are while it does."""

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


@dataclass(frozen=True)
class Resolution:
    """Photos begin small: early steps find the rough scene, which does not take all pixels."""

    quarter_until: float = 0.1
    """Share of the fit with photos of a quarter of their width and height; 0 leaves it out."""
    half_until: float = 0.3
    """Share of the fit after which photos have their full size."""

    def shrink(self, progress: float) -> int:
        """Return the factor on width and height, as a divisor."""
        return 4 if progress < self.quarter_until else 2 if progress < self.half_until else 1
