"""What a synthetic scene is, before any renderer: parts, materials, sun and sky."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from recon.datasets.synthetic.meshes import Mesh, Vector

Pieces = list[tuple[str, Mesh]]
"""Meshes, each with the name of its material: what a builder hands to the layout."""


@dataclass(frozen=True, eq=False)
class Material:
    """An opaque surface, seen from both sides."""

    texture: UInt8[np.ndarray, "h w 3"] | None = None
    """sRGB, its first row on top; None takes the colours of the vertices."""
    size: tuple[float, float] = (1.0, 1.0)
    """What the texture covers, in units of uv, before it repeats."""
    gloss: float = 0.0
    """0 is matt; above, the share of reflection at a grazing angle of a clear coat."""
    glass: bool = False
    """Whether lasers get nothing back from it."""


@dataclass(frozen=True, eq=False)
class Part:
    """Everything of one material."""

    name: str
    mesh: Mesh
    material: Material
    is_ground: bool = False
    """Whether nothing lies below it, so that light from below may pass."""


@dataclass(frozen=True, eq=False)
class Box:
    """An upright box around an object."""

    center: Float[np.ndarray, "3"]
    """In the world, metres."""
    size: Float[np.ndarray, "3"]
    """Length, width and height."""
    heading: float
    """Radians from the world's x axis towards y."""

    @staticmethod
    def around(pieces: Pieces, at: Vector, heading: float) -> "Box":
        """Enclose meshes that are put at a place and turned about z there."""
        vertices = np.concatenate([mesh.vertices for _, mesh in pieces])
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        cos, sin = np.cos(heading), np.sin(heading)
        x, y, z = (low + high) / 2
        middle = np.array([cos * x - sin * y, sin * x + cos * y, z])
        return Box(np.asarray(at, dtype=np.float64) + middle, high - low, heading)

    def holds(
        self, points: Float[np.ndarray, "n 3"], margin: float = 0.0
    ) -> Bool[np.ndarray, " n"]:
        """Say which points of the world lie inside, or within a margin in metres."""
        x, y, z = (points - self.center).T
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        local = np.stack([cos * x + sin * y, cos * y - sin * x, z], axis=1)
        return np.asarray((abs(local) <= self.size / 2 + margin).all(axis=1))


@dataclass(frozen=True, eq=False)
class Light:
    """A sun and a sky, in linear light."""

    to_sun: tuple[float, float, float]
    sun: tuple[float, float, float]
    """Irradiance of a surface that faces the sun."""
    sky: Float[np.ndarray, "h w 3"]
    """Radiance by angle: the zenith is the first row, +x the middle column, +y left of it."""
    bounce: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Radiance of the ground as seen from above: light that it sends back up."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A world to be photographed."""

    parts: tuple[Part, ...]
    light: Light
    cars: tuple[Box, ...] = ()
    """Around each car that is parked in it."""
