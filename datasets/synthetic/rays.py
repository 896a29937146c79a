"""Rays into a scene: how far they go, and what they meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from recon.datasets.synthetic.scene import Part
from recon.datasets.synthetic.shapes import load_mitsuba, shape

MISSED = -1


@dataclass(frozen=True, eq=False)
class Hits:
    """What some rays met first."""

    distance: Float[np.ndarray, " n"]
    """In lengths of the rays' directions; infinity where they met nothing."""
    part: Int[np.ndarray, " n"]
    """Index of the part; -1 where they met nothing."""
    echo: Float[np.ndarray, " n"]
    """Share of the light that a matt surface of the same colour sends straight back: its diffuse
    reflectance times the cosine of incidence."""


class Rays:
    """A scene made ready for rays."""

    def __init__(self, world: Any, parts: Sequence[Part]) -> None:
        """Take a Mitsuba scene and the parts it was made of, in their order."""
        self._mi = load_mitsuba()
        self._world = world
        self.parts = tuple(parts)

    @staticmethod
    def of(parts: Sequence[Part]) -> "Rays":
        """Build the ray-tracing structures for some parts alone."""
        named = {f"part {i}": shape(part) for i, part in enumerate(parts)}
        return Rays(load_mitsuba().load_dict({"type": "scene", **named}), parts)

    def distance(
        self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]
    ) -> Float[np.ndarray, " n"]:
        """Return how far rays go, in lengths of their directions; infinity where they hit nothing.

        About a million rays a second.
        """
        ray, hit = self._mi.Ray3f, self._world.ray_intersect_preliminary
        pairs = zip(origins.tolist(), directions.tolist(), strict=True)
        return np.array([hit(ray(o, d)).t for o, d in pairs], dtype=np.float64)

    def hits(self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]) -> Hits:
        """Return what rays meet first; their directions have length 1.

        About a hundred thousand rays a second.
        """
        hit = self._world.ray_intersect_preliminary
        found = np.full((len(origins), 3), (np.inf, MISSED, 0.0))
        for row, (o, d) in enumerate(zip(origins.tolist(), directions.tolist(), strict=True)):
            ray = self._mi.Ray3f(o, d)
            met = hit(ray)
            if met.is_valid():
                surface = met.compute_surface_interaction(ray)
                color = surface.bsdf().eval_diffuse_reflectance(surface)
                cosine = abs(sum(a * b for a, b in zip(surface.n, d, strict=True)))
                found[row] = met.t, met.shape_index, sum(color) / 3 * cosine
        return Hits(found[:, 0], found[:, 1].astype(np.int64), found[:, 2])
