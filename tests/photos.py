"""Photos that never were files."""

from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.types import DepthMap, Photo


class MemoryPhoto(Photo):
    """A photo in memory, and what comes with it."""

    def __init__(
        self,
        pixels: UInt8[Tensor, "h w 3"],
        valid: Bool[Tensor, "h w"] | None = None,
        depth: DepthMap | None = None,
        sky: Bool[Tensor, "h w"] | None = None,
    ) -> None:
        self._pixels, self._valid, self._depth, self._sky = pixels, valid, depth, sky

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        return self._pixels

    def valid(self) -> Bool[Tensor, "h w"] | None:
        return self._valid

    def depth(self) -> DepthMap | None:
        return self._depth

    def sky(self) -> Bool[Tensor, "h w"] | None:
        return self._sky


class NoPhoto(Photo):
    """A photo that nobody may look at."""

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        raise AssertionError("nobody may look at this photo")

    def valid(self) -> Bool[Tensor, "h w"] | None:
        raise AssertionError("nobody may look at this photo")

    def depth(self) -> DepthMap | None:
        raise AssertionError("nobody may look at this photo")

    def sky(self) -> Bool[Tensor, "h w"] | None:
        raise AssertionError("nobody may look at this photo")
