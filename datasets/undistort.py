"""Undoing lens distortion and resizing, on arrays."""

from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Shaped

from recon.camera import Intrinsics

COARSE = 128
"""The width at which areas are estimated."""


@lru_cache(maxsize=8)
def undistortion(
    intrinsics: Intrinsics,
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return where each undistorted pixel lies in the photo, and whether it lies there at all.

    The coordinates are cv2.remap's, for which the first pixel's centre is (0, 0).
    """
    x, y = intrinsics.undistortion_maps()
    covered = (x >= 0) & (x <= intrinsics.width) & (y >= 0) & (y <= intrinsics.height)
    x, y = (np.where(covered, axis - 0.5, 0).astype(np.float32) for axis in (x, y))
    return x, y, covered


@lru_cache(maxsize=256)
def share_kept(intrinsics: Intrinsics) -> float:
    """Return which part of the photo's area is still seen when it is undistorted, 0 to 1."""
    if intrinsics.distortion is None:
        return 1.0
    width, height = COARSE, max(2, round(COARSE * intrinsics.height / intrinsics.width))
    x, y = intrinsics.resized(width, height).undistortion_maps()
    covered = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    # What lies far outside only needs to stay outside; differences of infinities are no numbers.
    x, y = np.clip(x, -width, 2 * width), np.clip(y, -height, 2 * height)
    (x_down, x_right), (y_down, y_right) = np.gradient(x), np.gradient(y)
    # A pixel of the result takes up as much of the photo as its map's determinant says.
    area = np.abs(x_right * y_down - x_down * y_right)
    return float(min(1.0, np.where(covered, np.nan_to_num(area), 0).sum() / (width * height)))


def undistort(
    image: Shaped[np.ndarray, "h w *channels"], intrinsics: Intrinsics, interpolation: int
) -> Shaped[np.ndarray, "h w *channels"]:
    """Undo the lens' distortion; 0 where the photo has nothing to show."""
    if intrinsics.distortion is None:
        return image
    x, y, covered = undistortion(intrinsics)
    image = cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)
    image[~covered] = 0
    return image


def shrink(
    image: Shaped[np.ndarray, "h w *channels"], width: int, height: int
) -> Shaped[np.ndarray, "{height} {width} *channels"]:
    """Average over the area of each pixel of the result."""
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def nearest(
    values: Float32[np.ndarray, "a b"], width: int, height: int
) -> Float32[np.ndarray, "{height} {width}"]:
    """Resize without mixing values."""
    rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(np.int64)
    return np.ascontiguousarray(values[rows[:, None], columns])
