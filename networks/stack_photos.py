"""Pairs from photographed focal stacks, for training without any label."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.datasets.reader import read_capture
from recon.errors import DataError
from recon.focal_stack import focal_stack
from recon.networks.photographs import Half, Pairs, PairSource
from recon.networks.siamese_coc import Lenses, SiameseNetwork
from recon.optics import signed_coc, stated_lens
from recon.types import Capture, View

KNOWN = 0.6
"""Share of the pairs whose lens the network is told."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One photo of a stack, and what is known of it."""

    photo: Float[Tensor, "3 h w"]
    coc: Float[Tensor, "h w"]
    """The truth where the stack brings depth, else NaN; only for figures."""
    lens: Float[Tensor, "2"]
    """K in px·m, and the inverse distance of focus in 1/m."""


@final
class StackPhotos(PairSource):
    """Takes pairs of crops from focal stacks; a step's pairs are the same whenever asked for."""

    def __init__(self, stacks: Sequence[Path], side: int, seed: int) -> None:
        """Read the stacks.

        Args:
            stacks: focal stacks that state their lenses, as `recon fit` takes them.
            side: of the pairs' photos, in px.
            seed: of the choice.

        Raises:
            DataError: a capture is no focal stack that states its lenses, its photos differ in
                size, or are smaller than a crop.
        """
        self._side, self._seed = side, seed
        self.captures = [stack_at(path, side) for path in stacks]
        self._slices = [[_slice(view) for view in capture.train] for capture in self.captures]
        self.sharp: list[list[Tensor]] = []
        """Of each stack, its photos' views drawn sharp by a scene; empty where there are none."""

    def pairs(self, step: int, count: int, network: SiameseNetwork) -> Pairs:
        """Return a batch for a step, the same whatever the network."""
        random = np.random.default_rng([self._seed, 2, step])
        drawn = [self._pair(random) for _ in range(count)]
        return Pairs(*(_half([pair[i] for pair in drawn]) for i in (0, 1)))

    def _pair(self, random: np.random.Generator) -> list[tuple[Tensor, ...]]:
        index = int(random.integers(len(self._slices)))
        slices, side = self._slices[index], self._side
        chosen = random.choice(len(slices), 2, replace=False).tolist()
        height, width = slices[0].coc.shape
        top = int(random.integers(height - side + 1))
        left = int(random.integers(width - side + 1))
        flip = (-1,) if random.random() < 0.5 else ()
        known = torch.tensor([float(random.random() < KNOWN)])

        def crop(whole: Tensor) -> Tensor:
            return whole[..., top : top + side, left : left + side].flip(flip)

        return [
            (
                crop(slices[i].photo),
                crop(slices[i].coc),
                torch.cat([slices[i].lens, known]),
                *((crop(self.sharp[index][i]),) if self.sharp else ()),
            )
            for i in chosen
        ]


def stack_at(path: Path, side: int) -> Capture:
    """Read a focal stack.

    Raises:
        DataError: it is none whose photos state their lenses, its photos differ in size, or are
            smaller than `side` px.
    """
    capture = read_capture(path)
    if not (capture.metric and focal_stack(capture.train)):
        raise DataError(
            f"{path}: no focal stack whose photos state their lenses; expected photos from one "
            "place with f_number, focal_length_mm and focus_distance, in metres. `recon data "
            "synthesize --kind focal-stack` makes some."
        )
    sizes = {(view.camera.width, view.camera.height) for view in capture.train}
    if len(sizes) > 1 or min(min(size) for size in sizes) < side:
        raise DataError(
            f"{path}: photos of {' and '.join(f'{w}x{h}' for w, h in sorted(sizes))}; expected one "
            f"size of {side} px or more on each side. Choose others, or a smaller --side."
        )
    return capture


def _slice(view: View) -> Slice:
    lens = stated_lens(view.exif, view.camera)
    assert lens is not None
    photo = view.photo.pixels().permute(2, 0, 1).float() / 255
    depth = view.photo.depth()
    coc = torch.full(photo.shape[1:], torch.nan)
    if depth is not None:
        coc = torch.where(depth.valid, signed_coc(depth.z, lens), torch.nan)
    return Slice(photo, coc, torch.stack([lens.strength, lens.inverse_focus]))


def _half(taken: list[tuple[Tensor, ...]]) -> Half:
    photos, cocs, lenses, *sharp = (torch.stack(parts) for parts in zip(*taken, strict=True))
    return Half(photos, cocs, Lenses(*lenses.unbind(1)), *sharp)
