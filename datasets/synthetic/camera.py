"""Cameras as the renderer needs them: a pinhole, and a thin lens in its place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics in pixels; the principal point is the middle of the image."""

    focal_length: float
    width: int
    height: int


@dataclass(frozen=True)
class Aperture:
    """A thin lens: where it focuses, and how wide it is open."""

    focus_distance: float
    """Metres, along the optical axis."""
    diameter: float
    """Metres."""

    def strength(self, pinhole: Pinhole) -> float:
        """Return K in px·m: the circle of confusion at z is K·|1/focus - 1/z| px across."""
        return self.diameter * pinhole.focal_length
