"""Sharp scenes of known depth, of which photographs with blur are made: painted, or from RGB-D."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import final

import cv2
import numpy as np
import torch

from recon.datasets.reader import read_capture
from recon.datasets.synthetic.painted import FARTHEST, NEAREST, Painted, paint
from recon.errors import DataError
from recon.srgb import to_linear
from recon.types import View

WIDEST = 256
"""px; photos with depth are shrunk to it, which also makes them sharp."""


class Scenes(abc.ABC):
    """An endless supply of scenes."""

    @abc.abstractmethod
    def scene(self, random: np.random.Generator, side: int) -> Painted:
        """Return a scene whose sides are at least so many px; all that is random is drawn."""


@final
class PaintedScenes(Scenes):
    """Scenes painted by arithmetic."""

    def scene(self, random: np.random.Generator, side: int) -> Painted:
        """Paint one."""
        return paint(random, side, side)


@final
class DepthPhotos(Scenes):
    """Photos that came with depth, taken as sharp; their holes take the depth of their borders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Read all photos that come with depth and state no lens, from captures or folders of them.

        Raises:
            DataError: a folder holds no such photo.
        """
        self._photos = [photo for folder in folders for photo in _photos(folder)]

    def __len__(self) -> int:
        """Count the photos."""
        return len(self._photos)

    def scene(self, random: np.random.Generator, side: int) -> Painted:
        """Return one at a random size, its colours in a random order."""
        light, nearness = self._photos[int(random.integers(len(self._photos)))]
        least = side / min(nearness.shape)
        scale = random.uniform(least, max(1.0, least))
        size = tuple(max(side, round(scale * extent)) for extent in nearness.shape[::-1])
        shuffled = light[..., random.permutation(3)].astype(np.float32) / 255
        small = cv2.resize(
            to_linear(torch.from_numpy(shuffled)).numpy(), size, interpolation=cv2.INTER_AREA
        )
        return Painted(small, cv2.resize(nearness, size, interpolation=cv2.INTER_NEAREST))


@final
class Either(Scenes):
    """One of two supplies by the throw of a coin."""

    def __init__(self, first: Scenes, second: Scenes) -> None:
        self._both = first, second

    def scene(self, random: np.random.Generator, side: int) -> Painted:
        """Return a scene of either."""
        return self._both[int(random.integers(2))].scene(random, side)


def _photos(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    captures = sorted(path.parent for path in folder.glob("*/transforms.json")) or [folder]
    views = [view for path in captures for view in read_capture(path).views]
    found = [photo for view in views if (photo := _photo(view)) is not None]
    if not found:
        raise DataError(
            f"{folder}: expected a capture whose photos come with depth, or a folder of such "
            "captures; found no photo with depth that states no lens."
        )
    return found


def _photo(view: View) -> tuple[np.ndarray, np.ndarray] | None:
    """Return 8 bit sRGB and inverse depth in 1/m, or None where the view has no use."""
    depth = view.photo.depth()
    if depth is None or view.exif.f_number is not None or not bool(depth.valid.any()):
        return None
    nearness = np.where(depth.valid, 1 / np.maximum(depth.z.numpy(), 1e-6), 0).astype(np.float32)
    pixels = view.photo.pixels().numpy()
    scale = min(1.0, WIDEST / pixels.shape[1])
    size = round(scale * pixels.shape[1]), round(scale * pixels.shape[0])
    small = cv2.resize(nearness, size, interpolation=cv2.INTER_NEAREST)
    clipped = np.clip(_filled(small), 1 / FARTHEST, 1 / NEAREST)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), clipped


def _filled(nearness: np.ndarray) -> np.ndarray:
    """Give each hole, which is 0, the value of the nearest pixel that has one."""
    hole = (nearness == 0).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        hole, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    values = np.zeros(int(labels.max()) + 1, np.float32)
    values[labels[hole == 0]] = nearness[hole == 0]
    filled: np.ndarray = values[labels]
    return filled
