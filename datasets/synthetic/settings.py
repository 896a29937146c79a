"""What can be chosen of a synthetic capture."""

from dataclasses import dataclass, fields

from recon.errors import UsageError


@dataclass(frozen=True)
class PhotoSettings:
    """The photos of a drive along the street."""

    seed: int = 0
    """Another seed is another street."""
    width: int = 480
    """Of the photos, in pixels."""
    height: int = 320
    """Of the photos, in pixels."""
    steps: int = 24
    """Time steps of the drive; three cameras at each."""
    samples: int = 25
    """Rays per pixel, rounded up to a square number; more make the shade softer."""
    jpeg_quality: int = 92
    """From 1 to 95."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        _check(self)
        if self.jpeg_quality > 95:
            raise UsageError(f"jpeg_quality is {self.jpeg_quality}; expected at most 95")


@dataclass(frozen=True)
class StreetSettings:
    """What comes with the photos of a `street`: depth, points, a thin lens."""

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
    focus_sweep: float = 1.0
    """Photos through the lens are focused in turn at the distance divided by this, at it, and at
    it times this; 1 focuses all of them at it."""
    points: int = 20_000
    """At most this many points initialise a fit."""
    hold_every: int = 8
    """Every n-th view, by name, gives no points: readers hold it out for testing; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        _check(self)
        if self.hold_every == 1:
            raise UsageError(
                "hold_every is 1, which leaves no view to train on; expected 0 or 2 up"
            )


@dataclass(frozen=True)
class DriveSettings:
    """What comes with the photos of a `drive`: a laser's turns."""

    beams: int = 40
    """Of the laser, one above the other."""
    columns: int = 600
    """Directions in which each beam measures in a turn."""
    truth: bool = True
    """Write the exact depth of every photo into `truth`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        _check(self)


@dataclass(frozen=True)
class StackSettings:
    """What a `focal-stack` is made of."""

    slices: int = 8
    """Planes of focus, evenly in inverse depth, from the farthest to the nearest."""
    coc: float = 12.0
    """px; the circle of confusion of the nearest where the farthest is sharp."""
    finer: int = 3
    """Squared, times the samples of sharp photos."""
    points: int = 4_000
    """Points that initialise a fit."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        _check(self)


@dataclass(frozen=True)
class StillLifeSettings:
    """What a `still-life` is made of: many places, one aperture, a plane of focus for each."""

    views: int = 24
    """Places of the camera, from left to right."""
    f_number: float = 1.8
    """Of the lens, before a full-frame sensor, 36 mm wide."""
    finer: int = 3
    """Squared, times the samples, of photos through the lens."""
    points: int = 4_000
    """At most this many points initialise a fit."""
    hold_every: int = 6
    """Every n-th view is held out, sharp, for testing; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered."""
        _check(self)
        if self.hold_every == 1:
            raise UsageError(
                "hold_every is 1, which leaves no view to train on; expected 0 or 2 up"
            )


_MAY_BE_ZERO = frozenset({"seed", "lens_every", "points", "hold_every", "truth"})


def _check(
    settings: PhotoSettings | StreetSettings | DriveSettings | StackSettings | StillLifeSettings,
) -> None:
    """Refuse numbers that are too small."""
    for field in fields(settings):
        value, least = getattr(settings, field.name), 0 if field.name in _MAY_BE_ZERO else 1
        if value < least and not (isinstance(value, float) and value > 0):
            raise UsageError(f"{field.name} is {value}; expected at least {least}")


DEMO_PHOTOS = PhotoSettings(width=384, height=256, steps=36, samples=25, jpeg_quality=85)
DEMO_DRIVE = DriveSettings(truth=False)
"""The drive in recon/demo, made by `recon data synthesize --kind drive` with these settings."""
