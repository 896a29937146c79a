"""Shapes of apertures, and so of the blur of a point: a disc, a Gaussian, a polygon.

A shape's gauge says how far a pixel lies from the middle: the set where it is at most r² is the
shape as large as a disc of radius r. The kernel of a circle of confusion is a profile of the gauge
with three numbers, which `recon.defocus.table` finds.
"""

import abc
import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import UsageError


@dataclass(frozen=True)
class Shape(abc.ABC):
    """The shape that an aperture gives to the blur of a point."""

    is_bell: ClassVar[bool]
    """Whether the profile is a Gaussian; else it is flat with a soft edge of one pixel."""

    @property
    @abc.abstractmethod
    def is_even(self) -> bool:
        """Whether the shape equals itself turned by half a turn."""

    @property
    @abc.abstractmethod
    def reach(self) -> float:
        """The farthest point of the shape, in radii of the disc."""

    @abc.abstractmethod
    def gauge(self, x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return the square of the distance from the middle, measured by the shape."""

    @abc.abstractmethod
    def variance(self, coc: float) -> float:
        """Return the variance along one axis of a circle of confusion's blur, in px²."""


@dataclass(frozen=True)
class Round(Shape):
    """A shape that is the same in all directions, with the variance of the disc."""

    is_even: ClassVar[bool] = True
    reach: ClassVar[float] = 1.0

    def gauge(self, x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return the squared distance."""
        return x * x + y * y

    def variance(self, coc: float) -> float:
        """Return c²/16."""
        return coc**2 / 16


@final
@dataclass(frozen=True)
class Disc(Round):
    """A round aperture: even light on a disc."""

    is_bell: ClassVar[bool] = False


@final
@dataclass(frozen=True)
class Gaussian(Round):
    """The Gaussian with the variance of the disc, which the rasterizers draw: sigma = c / 4."""

    is_bell: ClassVar[bool] = True


@final
@dataclass(frozen=True)
class Polygon(Shape):
    """An iris of straight blades: a regular polygon that lets through as much light as the disc.

    What lies behind the focus is blurred to the polygon, what lies before it to the polygon turned
    by half a turn.
    """

    blades: int = 6
    """Sides, 3 or more."""
    rotation: float = 0.0
    """Degrees, clockwise as seen in the picture; at 0 a corner points up."""

    is_bell: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse what is no polygon.

        Raises:
            UsageError: fewer than three blades, or a rotation that is not finite.
        """
        if self.blades < 3 or not math.isfinite(self.rotation):
            raise UsageError(
                f"an iris of {self.blades} blades, turned by {self.rotation}°; expected 3 or more "
                "blades and a finite angle"
            )

    @property
    def is_even(self) -> bool:
        """Whether the number of blades is even."""
        return self.blades % 2 == 0

    @property
    def reach(self) -> float:
        """The circumscribed circle's radius, in radii of the disc of equal area."""
        return math.sqrt(2 * math.pi / (self.blades * math.sin(2 * math.pi / self.blades)))

    def gauge(self, x: Float[Tensor, "*n"], y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Return the square of the largest distance along the blades' normals, scaled by area."""
        half = math.pi / self.blades
        turns = torch.arange(self.blades, dtype=x.dtype, device=x.device) * 2 * half
        # Of the middle of each side, clockwise from up in a picture whose y points down.
        angles = turns + half + math.radians(self.rotation)
        along = x[..., None] * angles.sin() - y[..., None] * angles.cos()
        return along.amax(-1) ** 2 * (self.blades * math.tan(half) / math.pi)

    def variance(self, coc: float) -> float:
        """Return rho² (2 + cos(2 pi / n)) / 12 for the circumscribed radius rho."""
        corner = self.reach * coc / 2
        return corner**2 * (2 + math.cos(2 * math.pi / self.blades)) / 12
