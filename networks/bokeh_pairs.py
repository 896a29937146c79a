"""Pairs of a sharp photo and the same through a lens, which are all that the network is taught by.

Both are made from a scene whose depth is exact, by the defocus operator; the depth goes no further.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.datasets.synthetic.painted import Painted, paint
from recon.defocus import blur
from recon.networks.photographs import Wear
from recon.srgb import to_srgb

WEAKEST, STRONGEST = 3.0, 24.0
"""px·m of K, in photos `WIDTH` px wide."""
WIDTH = 192
"""px; the longer side at which photos are looked at."""
PAINTED = 0.1
"""Share of scenes that are painted by arithmetic."""
KEPT = 64
"""Painted scenes to choose from."""
FEWEST = 300.0
"""Photons per pixel: who wants bokeh has a photo of some quality."""


@dataclass(frozen=True, eq=False)
class BokehPairs:
    """A batch of pairs."""

    sharp: Float[Tensor, "b 3 h w"]
    """As a camera gives it, sRGB: exposed, noisy, as JPEG."""
    light: Float[Tensor, "b h w 3"]
    """The same without the camera's faults, in linear light."""
    strengths: Float[Tensor, " b"]
    """K in px·m of these photos, focused at infinity."""
    bokeh: Float[Tensor, "b h w 3"]
    """Through the lens, sRGB."""


class PairMaker:
    """Makes pairs; those of a seed and a step are the same whenever they are asked for."""

    def __init__(self, seed: int, scenes: Sequence[Painted], height: int, width: int) -> None:
        """Take rendered scenes; without any, all are painted."""
        self._seed, self._scenes = seed, scenes
        self._height, self._width = height, width
        self._painted: dict[int, Painted] = {}

    def pairs(self, step: int, count: int) -> BokehPairs:
        """Return a batch for a step."""
        random = np.random.default_rng([self._seed, 5, step])
        return BokehPairs(
            *map(torch.stack, zip(*(self._pair(random) for _ in range(count)), strict=True))
        )

    def _scene(self, random: np.random.Generator) -> Painted:
        if self._scenes and random.random() >= PAINTED:
            return self._scenes[int(random.integers(len(self._scenes)))]
        number = int(random.integers(KEPT))
        if number not in self._painted:
            own = np.random.default_rng([self._seed, 6, number])
            self._painted[number] = paint(own, self._height, self._width)
        return self._painted[number]

    def _pair(self, random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scene = self._scene(random)
        light, nearness = torch.from_numpy(scene.light), torch.from_numpy(scene.nearness)
        if random.random() < 0.5:
            light, nearness = light.flip(1), nearness.flip(1)
        wear = Wear.drawn(random)
        light = (wear.gain * light).clamp(0, 1).contiguous()
        if wear.grey:
            light = light.mean(-1, keepdim=True).expand(-1, -1, 3).contiguous()
        strength = float(np.exp(random.uniform(np.log(WEAKEST), np.log(STRONGEST))))
        bokeh = to_srgb(blur(light, (-strength * nearness).contiguous(), encoded=False))
        photons = max(wear.photons, FEWEST) if wear.photons else 0.0
        photo = Wear(1.0, photons, wear.quality, wear.grey).photo(random, light)
        return photo, light, torch.tensor(strength), bokeh
