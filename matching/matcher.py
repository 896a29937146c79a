"""What every matcher gives: pixels of two photos that show the same point.

Pixels are the project's: the centre of the top left pixel is (0.5, 0.5).
"""

import abc
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import cv2
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

Described = TypeVar("Described")
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Matches:
    """Pixels of photo a and of photo b that are taken to show the same point."""

    pixels_a: Float[Tensor, "n 2"]
    pixels_b: Float[Tensor, "n 2"]
    confidence: Float[Tensor, " n"]
    """From 0 to 1; comparable within one matcher only."""

    @staticmethod
    def none() -> "Matches":
        """Return no matches."""
        return Matches(torch.zeros(0, 2), torch.zeros(0, 2), torch.zeros(0))

    def __len__(self) -> int:
        """Count the matches."""
        return len(self.confidence)

    def where(self, keep: Bool[Tensor, " n"]) -> "Matches":
        """Return those that a mask keeps."""
        return Matches(self.pixels_a[keep], self.pixels_b[keep], self.confidence[keep])

    def swapped(self) -> "Matches":
        """Return the same with a and b exchanged."""
        return Matches(self.pixels_b, self.pixels_a, self.confidence)


class Matcher(abc.ABC, Generic[Described]):
    """Finds matches in two steps, so that a photo is described once for all its partners."""

    name: ClassVar[str]
    """As on the command line."""
    merge_distance: ClassVar[float]
    """Pixels of one photo that lie closer than this, from matches with several partners, are the
    same point: far below 1 where photos are described by key points, more where they are not."""

    @property
    @abc.abstractmethod
    def identity(self) -> str:
        """Method, weights and settings in words: the same only where the matches are."""

    @abc.abstractmethod
    def describe(self, photo: UInt8[Tensor, "h w 3"]) -> Described:
        """Work out what a match needs of one photo."""

    @abc.abstractmethod
    def pair(self, a: Described, b: Described) -> Matches:
        """Match two photos by their descriptions; there may be no match."""

    def match(self, a: UInt8[Tensor, "ha wa 3"], b: UInt8[Tensor, "hb wb 3"]) -> Matches:
        """Match two photos, whatever their sizes."""
        return self.pair(self.describe(a), self.describe(b))


def shrunk(
    photo: UInt8[Tensor, "h w 3"], longest: int
) -> tuple[UInt8[Tensor, "h2 w2 3"], Float[Tensor, "2"]]:
    """Bring a photo's longer side down to a limit, by area.

    Returns:
        The photo, and by what its pixels are to be multiplied to be pixels of the one given.
    """
    height, width = photo.shape[:2]
    factor = min(1.0, longest / max(height, width))
    if factor == 1.0:
        return photo, torch.ones(2)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = torch.from_numpy(cv2.resize(photo.numpy(), size, interpolation=cv2.INTER_AREA))
    return small, torch.tensor([width / size[0], height / size[1]])


def grey(photo: UInt8[Tensor, "h w 3"]) -> UInt8[Tensor, "h w"]:
    """Return a photo's luma (BT.601), as OpenCV weighs it."""
    return torch.from_numpy(cv2.cvtColor(photo.numpy(), cv2.COLOR_RGB2GRAY))
