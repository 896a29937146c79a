"""Pairs of photographs through one lens at two focal settings, for training."""

import abc
import io
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from recon.datasets.synthetic.painted import FARTHEST, NEAREST, Painted
from recon.defocus import Disc, Polygon, blur
from recon.networks.scenes import PaintedScenes, Scenes
from recon.networks.siamese_coc import Lenses, SiameseNetwork

MARGIN = 12
"""px; painted around a photo, so that blur at its border knows what lies beyond."""
ROOM = 32
"""px; painted beyond that, so that photos of one scene differ."""
LARGEST = 14.0
"""px; of circles of confusion."""


@dataclass(frozen=True, eq=False)
class Half:
    """A batch of photos of one focal setting each."""

    images: Float[Tensor, "b 3 h w"]
    coc: Float[Tensor, "b h w"]
    """The truth, signed, in px; only for supervision and figures."""
    lenses: Lenses
    sharp: Float[Tensor, "b 3 h w"] | None = None
    """The same views as Gaussians that are fitted to the photos show them, sharp everywhere; None
    where there is no scene."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two focal settings of each of a batch of scenes, through one lens each."""

    a: Half
    b: Half


class PairSource(abc.ABC):
    """Gives the pairs of each step of a training."""

    @abc.abstractmethod
    def pairs(self, step: int, count: int, network: SiameseNetwork) -> Pairs:
        """Return a batch for a step.

        Args:
            step: steps come one after another.
            count: pairs in the batch.
            network: as it is before the step, for sources that learn from it.
        """


@final
class Photographer(PairSource):
    """Takes pairs; the pair of a seed, a step and a place is the same whenever it is asked for.

    Scenes are used more than once, by other lenses: painting one takes longer than blurring it.
    """

    def __init__(
        self,
        seed: int,
        side: int,
        kept: int = 64,
        used: int = 2,
        scenes: Scenes | None = None,
    ) -> None:
        """Prepare to take photos.

        Args:
            seed: of all that is random.
            side: of the photos, in px.
            kept: scenes to choose from at each step.
            used: steps until one of these gives way to a new one.
            scenes: what to photograph; painted scenes where not given.
        """
        self._seed, self._side, self._kept, self._used = seed, side, kept, used
        self._supply = PaintedScenes() if scenes is None else scenes
        self._scenes: dict[int, Painted] = {}

    def pairs(self, step: int, count: int, network: SiameseNetwork) -> Pairs:
        """Return a batch for a step, the same whatever the network."""
        random = np.random.default_rng([self._seed, 1, step])
        first = step // self._used
        for old in [number for number in self._scenes if number < first]:
            del self._scenes[old]
        taken = [
            self._pair(random, self._scene(first + int(random.integers(self._kept))))
            for _ in range(count)
        ]
        return Pairs(*(_stacked([pair[i] for pair in taken]) for i in (0, 1)))

    def _scene(self, number: int) -> Painted:
        if number not in self._scenes:
            random = np.random.default_rng([self._seed, 0, number])
            side = self._side + 2 * MARGIN + ROOM
            self._scenes[number] = self._supply.scene(random, side)
        return self._scenes[number]

    def _pair(
        self, random: np.random.Generator, scene: Painted
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
        whole = self._side + 2 * MARGIN
        height, width = scene.nearness.shape
        top = int(random.integers(0, height - whole + 1))
        left = int(random.integers(0, width - whole + 1))
        window = slice(top, top + whole), slice(left, left + whole)
        light = torch.from_numpy(scene.light[window])
        nearness = torch.from_numpy(scene.nearness[window])
        if random.random() < 0.5:
            light, nearness = light.flip(1), nearness.flip(1)
        low, high = float(nearness.min()), float(nearness.max())
        wide = 0.25 * (high - low) + 0.02
        bounds = max(low - wide, 1 / (2 * FARTHEST)), min(high + wide, 1.2 / NEAREST)
        focus = random.uniform(*bounds, 2)
        # Two settings that hardly differ would teach nothing.
        while abs(focus[0] - focus[1]) < 0.2 * (bounds[1] - bounds[0]):
            focus = random.uniform(*bounds, 2)
        reach = max(abs(f - w) for f in focus for w in (low, high))
        strength = random.uniform(2.0, LARGEST) / reach
        shape = Polygon(int(random.integers(5, 9))) if random.random() < 0.2 else Disc()
        wear = Wear.drawn(random)
        inner = slice(MARGIN, -MARGIN)
        halves = []
        for plane in focus.tolist():
            coc = strength * (plane - nearness)
            seen = blur(light.contiguous(), coc.contiguous(), shape, encoded=False)[inner, inner]
            lens = torch.tensor([strength, plane, float(random.random() < 0.6)])
            halves.append((wear.photo(random, seen), coc[inner, inner], lens.float()))
        return halves[0], halves[1]


@dataclass(frozen=True)
class Wear:
    """What a camera does to light, the same for both photos of a pair but for chance."""

    gain: float
    photons: float
    """Per pixel of full brightness; 0 for no noise."""
    quality: int
    """Of JPEG; 0 for none."""
    grey: bool

    @staticmethod
    def drawn(random: np.random.Generator) -> "Wear":
        """Choose at random: exposure always, noise and JPEG often, grey seldom."""
        photons = np.exp(random.uniform(np.log(5), np.log(3000))) if random.random() < 0.3 else 0
        quality = int(random.integers(55, 97)) if random.random() < 0.3 else 0
        return Wear(random.uniform(0.4, 1.3), float(photons), quality, random.random() < 0.15)

    def photo(
        self, random: np.random.Generator, light: Float[Tensor, "h w 3"]
    ) -> Float[Tensor, "3 h w"]:
        """Return the photo as 8 bits would hold it, sRGB 0 to 1."""
        seen = np.clip(self.gain * light.numpy(), 0, 1)
        if self.grey:
            seen = np.repeat(seen.mean(-1, keepdims=True), 3, -1)
        if self.photons:
            seen = noisy(random, seen, self.photons)
        srgb = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        pixels = (255 * srgb + 0.5).astype(np.uint8)
        if self.quality:
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, format="JPEG", quality=self.quality)
            pixels = np.asarray(Image.open(file))
        return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)


def noisy(
    random: np.random.Generator, light: Float[np.ndarray, "h w 3"], photons: float
) -> Float[np.ndarray, "h w 3"]:
    """Count photons: linear light in [0, 1], `photons` of them at 1, by Poisson's law."""
    return np.clip(random.poisson(photons * light) / photons, 0, 1).astype(np.float32)


def _stacked(taken: list[tuple[Tensor, Tensor, Tensor]]) -> Half:
    images, coc, lenses = (torch.stack(parts) for parts in zip(*taken, strict=True))
    return Half(images, coc, Lenses(*lenses.unbind(1)))
