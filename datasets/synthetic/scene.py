"""What a synthetic scene is, before any renderer: parts, materials, sun and sky."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from recon.datasets.synthetic.meshes import Mesh

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


@dataclass(frozen=True, eq=False)
class Part:
    """Everything of one material."""

    name: str
    mesh: Mesh
    material: Material
    is_ground: bool = False
    """Whether nothing lies below it, so that light from below may pass."""


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
