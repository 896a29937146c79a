"""A box, and the part of a scene that lies in it."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from recon.gaussians import Gaussians
from recon.render import Stage

Triple = tuple[float, float, float]
USUAL = 0.05
"""Share of the Gaussians that a first box leaves out at either end of each axis."""
EDGES = ((0, 1), (2, 3), (4, 5), (6, 7), (0, 2), (1, 3), (4, 6), (5, 7), (0, 4), (1, 5), (2, 6),
         (3, 7))  # fmt: skip
"""Pairs of corners, numbered by z, y and x as the bits of 1, 2 and 4."""


@dataclass(frozen=True)
class Box:
    """A box along the axes of the working frame."""

    center: Triple
    size: Triple
    """Edges' lengths, at least 0."""

    @staticmethod
    def around(points: Float[Tensor, "n 3"]) -> "Box":
        """Return the box of the usual points; at least one is needed."""
        places = points.detach().cpu().double().numpy()
        low, high = np.quantile(places, [USUAL, 1 - USUAL], axis=0)
        return Box(_triple((low + high) / 2), _triple(high - low))

    def holds(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Return which points lie inside, or on its sides."""
        off = (points - points.new_tensor(self.center)).abs()
        return (off <= points.new_tensor(self.size) / 2).all(dim=-1)

    def outline(self) -> Float[np.ndarray, "12 2 3"]:
        """Return the two ends of each edge."""
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        corners = np.array(self.center) + signs * np.array(self.size) / 2
        return np.asarray(corners[np.array(EDGES)])


def inside(gaussians: Gaussians, box: Box) -> Gaussians:
    """Return the Gaussians whose centres lie in a box."""
    kept = box.holds(gaussians.means)
    return Gaussians(**{name: values[kept] for name, values in gaussians.named().items()})


@final
class Cropper:
    """Remembers the part that was cropped last, because every picture asks for it."""

    def __init__(self) -> None:
        self._last: tuple[Stage, Box, Stage] | None = None

    def of(self, stage: Stage, box: Box | None) -> Stage:
        """Return the scene in a box, or all of it where there is none."""
        if box is None:
            return stage
        last = self._last
        if last is None or last[0] is not stage or last[1] != box:
            scene = replace(stage.scene, gaussians=inside(stage.scene.gaussians, box))
            last = self._last = (stage, box, replace(stage, scene=scene))
        return last[2]


def _triple(values: Float[np.ndarray, "3"]) -> Triple:
    x, y, z = values.tolist()
    return (x, y, z)
