"""What can be chosen of a synthetic street."""

from dataclasses import dataclass, fields

from recon.errors import UsageError


@dataclass(frozen=True)
class StreetSettings:
    """A drive along a street that the project makes itself."""

    seed: int = 0
    """Another seed is another street."""
    width: int = 480
    """Of the photos, in pixels."""
    height: int = 320
    """Of the photos, in pixels."""
    steps: int = 24
    """Time steps of the drive, one metre apart; three cameras at each."""
    samples: int = 25
    """Rays per pixel, rounded up to a square number; more make the shade softer."""
    depth_every: int = 1
    """Write exact depth for every n-th view, by name, and for the held-out ones."""
    lens_every: int = 5
    """Photograph every n-th view, by name, through the thin lens as well; 0 for none."""
    f_number: float = 1.2
    """Of the thin lens."""
    sensor_width_mm: float = 127.0
    """Of the thin lens' camera; a sheet of 5 inches blurs a street as a small one does a face."""
    focus_distance: float = 7.0
    """Of the thin lens, in metres."""
    points: int = 20_000
    """At most this many points initialise a fit."""
    hold_every: int = 8
    """Every n-th view, by name, gives no points: readers hold it out for testing; 0 for none."""
    jpeg_quality: int = 92
    """From 1 to 95."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name in _MAY_BE_ZERO else 1
            if value < least and not (isinstance(value, float) and value > 0):
                raise UsageError(f"{field.name} is {value}; expected at least {least}")

        if self.hold_every == 1:
            raise UsageError(
                "hold_every is 1, which leaves no view to train on; expected 0 or 2 up"
            )
        if self.jpeg_quality > 95:
            raise UsageError(f"jpeg_quality is {self.jpeg_quality}; expected at most 95")


_MAY_BE_ZERO = frozenset({"seed", "lens_every", "points", "hold_every"})

DEMO = StreetSettings(width=400, height=264, samples=36, depth_every=2, jpeg_quality=90)
"""The street in recon/demo/street, made by `recon data synthesize` with these settings."""
