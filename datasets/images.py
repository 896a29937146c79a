"""Photos on disk: decoded when asked, undistorted, resized by area, with masks, depth and sky.

Intrinsics refer to the pixels as the file stores them: COLMAP and nerfstudio read photos without
turning them by their EXIF orientation. Only where the camera's size fits the turned photo and not
the stored one is the photo turned (`recon.datasets.finalise` decides).
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from recon.camera import Intrinsics
from recon.datasets.decode import decode, decode_values
from recon.datasets.depth_source import DepthSource
from recon.datasets.stored_image import ImageSource
from recon.datasets.undistort import nearest, shrink, undistort
from recon.errors import DataError
from recon.types import DepthMap, Photo


@dataclass(frozen=True, eq=False)
class PhotoFile(Photo):
    """A photo in a file, with its mask in another, and its depth."""

    path: ImageSource
    intrinsics: Intrinsics
    """Of the photo at its own resolution."""
    width: int
    """Of the result."""
    height: int
    upright: bool = False
    """Turn by the EXIF orientation first."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """sRGB in [0, 1], laid behind transparent pixels; mixed in sRGB, as peers do."""
    mask_file: Path | None = None
    depth_source: DepthSource | None = None
    border: Bool[np.ndarray, "a b"] | None = None
    """At the photo's own size, the pixels in which undistortion elsewhere has left nothing."""
    sky_file: Path | None = None
    moving_file: Path | None = None
    """White where things move; not to be used."""

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        """Decode the photo, undistorted and resized to its view's camera."""
        pixels = decode(self.path, self.upright, self.background)
        self.expect(pixels)
        pixels = shrink(
            undistort(pixels, self.intrinsics, cv2.INTER_CUBIC), self.width, self.height
        )
        return torch.from_numpy(np.ascontiguousarray(pixels))

    def valid(self) -> Bool[Tensor, "h w"] | None:
        """Return the pixels that are seen whole: not masked, not beyond the photo's border."""
        masks = (self.mask_file, self.moving_file, self.border)
        if all(mask is None for mask in masks) and self.intrinsics.distortion is None:
            return None
        use = np.ones((self.intrinsics.height, self.intrinsics.width), np.float32)
        if self.mask_file is not None:
            use = self.marked(self.mask_file)
        if self.moving_file is not None:
            use = use * (1 - self.marked(self.moving_file))
        if self.border is not None:
            use = np.where(self.border, np.float32(0), use)
        whole = self.whole(use)
        return None if bool(whole.all()) else whole

    def sky(self) -> Bool[Tensor, "h w"] | None:
        """Return the pixels that are sky and nothing else; what is not seen is none."""
        return None if self.sky_file is None else self.whole(self.marked(self.sky_file))

    def depth(self) -> DepthMap | None:
        """Return the depth, taken from the nearest value so that no edge is mixed."""
        if self.depth_source is None:
            return None
        values = self.depth_source.read()
        rows, columns = values.shape
        x, y = self.intrinsics.resized(self.width, self.height).undistortion_maps()
        x, y = x * (columns / self.width), y * (rows / self.height)
        covered = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        row, column = (np.where(covered, axis, 0).astype(np.int64) for axis in (y, x))
        z = torch.from_numpy(values[row, column]).float()
        valid = torch.from_numpy(covered) & z.isfinite() & (z > 0)
        return DepthMap(torch.where(valid, z, 0.0), valid, measured=self.depth_source.measured)

    def marked(self, file: Path) -> Float32[np.ndarray, "a b"]:
        """Return 1 where a mask is not black, at the photo's own size."""
        marks = (decode_values(file) > 0).astype(np.float32)
        return nearest(marks, self.intrinsics.width, self.intrinsics.height)

    def whole(self, marks: Float32[np.ndarray, "a b"]) -> Bool[Tensor, "h w"]:
        """Return which of the view's pixels are marked in all that they average."""
        marks = shrink(
            undistort(marks, self.intrinsics, cv2.INTER_NEAREST), self.width, self.height
        )
        return torch.from_numpy(marks > 1 - 1e-4)

    def expect(self, pixels: UInt8[np.ndarray, "h w 3"]) -> None:
        """Refuse a photo that is not the one whose header was read."""
        height, width = pixels.shape[:2]
        if (width, height) != (self.intrinsics.width, self.intrinsics.height):
            raise DataError(
                f"{self.path}: {width}x{height} pixels where {self.intrinsics.width}x"
                f"{self.intrinsics.height} were expected; the file changed, read the capture again."
            )
