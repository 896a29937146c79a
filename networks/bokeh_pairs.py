"""Pairs of a sharp photo and the same through a lens, which are all that the network is taught by.

Both are made from a scene whose depth is exact, by the defocus operator; the depth goes no further.
What the network is told of blur is measured in such pairs, by `recon.networks.defocus_sweep`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.datasets.synthetic.painted import Painted, paint
from recon.defocus import blur
from recon.networks.defocus_sweep import measure_offset
from recon.networks.photographs import Wear
from recon.srgb import to_srgb

WEAKEST, STRONGEST = 3.0, 24.0
"""px·m of K, in photos `WIDTH` px wide."""
WIDTH = 192
"""px; the longer side at which photos are looked at."""
PAINTED = 0.1
"""Share of scenes that are painted by arithmetic."""
KEPT = 32
"""Painted scenes to choose from."""
MEASURED = (6.0, 12.0, 18.0)
"""px·m of K, at which how a scene blurs is measured once."""
TRIED = (0.0, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0, 11.0, 16.0, 22.0, 32.0, 45.0)
"""px; diameters between which the measurement looks."""
DOUBT = 0.05
"""Share of a measured rate; errors so large halve what it counts."""
DISTANT = 0.02
"""1/m; rates are told apart by their ratio, and below this hardly."""
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
    rates: Float[Tensor, "b h w"]
    """px of blur for each px·m of K, as measured in pairs of the same scene: 1/m."""
    trust: Float[Tensor, "b h w"]
    """0 to 1; how sure the measurement is."""

    def first(self, count: int) -> "BokehPairs":
        """Return so many of them, or all if they are fewer."""
        return BokehPairs(*(getattr(self, field.name)[:count] for field in fields(self)))


@dataclass(frozen=True, eq=False)
class Subject:
    """A scene, and how it was measured to blur."""

    scene: Painted
    rates: Float[Tensor, "h w"]
    trust: Float[Tensor, "h w"]

    @staticmethod
    def measured(scene: Painted) -> "Subject":
        """Take photos of it through some lenses, and measure their blur."""
        light = torch.from_numpy(scene.light).clamp(0, 1).contiguous()
        taken = [_through(light, torch.from_numpy(scene.nearness), k) for k in MEASURED]
        frames = torch.stack(taken).permute(0, 3, 1, 2)
        found = measure_offset(to_srgb(light).permute(2, 0, 1), frames, MEASURED, cocs=TRIED)
        off = found.error / (DOUBT * (found.size + DISTANT))
        return Subject(scene, found.size, 1 / (1 + off.square()))


class PairMaker:
    """Makes pairs; those of a seed and a step are the same whenever they are asked for."""

    def __init__(self, seed: int, scenes: Sequence[Painted], height: int, width: int) -> None:
        """Take rendered scenes; without any, all are painted."""
        self._seed, self._scenes = seed, scenes
        self._height, self._width = height, width
        self._known: dict[int, Subject] = {}

    def pairs(self, step: int, count: int) -> BokehPairs:
        """Return a batch for a step."""
        random = np.random.default_rng([self._seed, 5, step])
        taken = [self._pair(random) for _ in range(count)]
        return BokehPairs(*(torch.stack(parts) for parts in zip(*taken, strict=True)))

    def _subject(self, random: np.random.Generator) -> Subject:
        """Choose a rendered scene, counted from 0, or one that is painted, counted from -1 down."""
        if self._scenes and random.random() >= PAINTED:
            number = int(random.integers(len(self._scenes)))
        else:
            number = -1 - int(random.integers(KEPT))
        if number not in self._known:
            self._known[number] = Subject.measured(self._scene(number))
        return self._known[number]

    def _scene(self, number: int) -> Painted:
        if number >= 0:
            return self._scenes[number]
        own = np.random.default_rng([self._seed, 6, -number])
        return paint(own, self._height, self._width)

    def _pair(self, random: np.random.Generator) -> tuple[Tensor, ...]:
        subject = self._subject(random)
        light = torch.from_numpy(subject.scene.light)
        maps = torch.stack([torch.from_numpy(subject.scene.nearness), subject.rates, subject.trust])
        if random.random() < 0.5:
            light, maps = light.flip(1), maps.flip(2)
        nearness, rates, trust = maps
        wear = Wear.drawn(random)
        light = (wear.gain * light).clamp(0, 1).contiguous()
        if wear.grey:
            light = light.mean(-1, keepdim=True).expand(-1, -1, 3).contiguous()
        strength = float(np.exp(random.uniform(np.log(WEAKEST), np.log(STRONGEST))))
        photons = max(wear.photons, FEWEST) if wear.photons else 0.0
        photo = Wear(1.0, photons, wear.quality, wear.grey).photo(random, light)
        bokeh = _through(light, nearness, strength)
        return photo, light, torch.tensor(strength), bokeh, rates, trust


def _through(
    light: Float[Tensor, "h w 3"], nearness: Float[Tensor, "h w"], strength: float
) -> Float[Tensor, "h w 3"]:
    return to_srgb(blur(light, (-strength * nearness).contiguous(), encoded=False))
