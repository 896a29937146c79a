"""Depth of a rectified pair of photos by semi-global matching (Hirschmüller 2008, OpenCV's)."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, UInt8

from recon.datasets.decode import decode
from recon.datasets.depth_source import DepthSource
from recon.datasets.folders import is_file
from recon.errors import DataError

NEAREST = 1 / 8
"""Things are found up to a disparity of this part of the photo's width."""
LEAST = 4.0
"""px of disparity; farther away, half a pixel is more than an eighth of the depth."""
AGREEMENT = 1.0
"""px by which both directions of matching may differ."""
BLOCK = 5
"""px; what is compared."""
UNIQUE = 10
"""Per cent by which the best match must beat all others."""
SPECKLE, SPECKLE_STEP = 100, 2
"""Smaller islands, in pixels, that differ by more than so many px of disparity, are errors."""


@dataclass(frozen=True)
class StereoDepth(DepthSource):
    """Depth in a left photo by matching it with the right one; computed at every call."""

    measured: ClassVar[bool] = False
    left: Path
    right: Path
    scale: float
    """Depth times disparity, in px·m: the focal length times the distance of the cameras."""
    shift: float = 0.0
    """px of disparity of what is infinitely far: the left principal point's x minus the right's."""

    def check(self) -> None:
        """Look for the right photo; the left one is the view's own."""
        if not is_file(self.right):
            raise DataError(f"{self.right}: no such photo; put it there or take its entry out.")

    def read(self) -> Float64[np.ndarray, "h w"]:
        """Match both photos; 0 where they do not agree."""
        left, right = (decode_grey(path) for path in (self.left, self.right))
        if left.shape != right.shape:
            raise DataError(
                f"{self.right}: {right.shape[1]}x{right.shape[0]} pixels, and {self.left} has "
                f"{left.shape[1]}x{left.shape[0]}; a rectified pair is of one size."
            )
        disparity, agreed = match(left, right)
        parallax = disparity.astype(np.float64) - self.shift
        known = agreed & (parallax >= LEAST)
        return np.where(known, self.scale / np.where(known, parallax, 1.0), 0.0)


def match(
    left: UInt8[np.ndarray, "h w"], right: UInt8[np.ndarray, "h w"]
) -> tuple[Float32[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Find how far left of its place in the left photo each pixel is in the right one.

    Returns:
        Disparities, and where matching from right to left found the same, small islands left out.
    """
    forward = disparities(left, right)
    # Mirrored, the right photo is a left one.
    backward = disparities(right[:, ::-1], left[:, ::-1])[:, ::-1]
    columns = np.arange(left.shape[1])
    there: Int[np.ndarray, "h w"] = np.rint(columns - forward).astype(np.int64)
    seen = (forward > 0) & (there >= 0)
    back = np.take_along_axis(backward, np.where(seen, there, 0), axis=1)
    agreed = seen & (back > 0) & (np.abs(back - forward) <= AGREEMENT)
    sixteenths = np.where(agreed, np.rint(16 * forward), 0).astype(np.int16)
    cv2.filterSpeckles(sixteenths, 0, SPECKLE, 16 * SPECKLE_STEP)
    return forward, sixteenths > 0


def disparities(
    left: UInt8[np.ndarray, "h w"], right: UInt8[np.ndarray, "h w"]
) -> Float32[np.ndarray, "h w"]:
    """Match one way; not positive where nothing is found."""
    count = 16 * math.ceil(NEAREST * left.shape[1] / 16)
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=count,
        blockSize=BLOCK,
        P1=8 * BLOCK**2,
        P2=32 * BLOCK**2,
        disp12MaxDiff=-1,
        preFilterCap=31,
        uniquenessRatio=UNIQUE,
        speckleWindowSize=0,
        mode=cv2.StereoSGBM_MODE_SGBM_3WAY,
    )
    # The matcher leaves out the first columns, in which it cannot look at every disparity.
    wide = [
        cv2.copyMakeBorder(np.ascontiguousarray(photo), 0, 0, count, 0, cv2.BORDER_REPLICATE)
        for photo in (left, right)
    ]
    sixteenths: np.ndarray = matcher.compute(*wide)
    return sixteenths[:, count:].astype(np.float32) / 16


def decode_grey(path: Path) -> UInt8[np.ndarray, "h w"]:
    """Decode a photo to brightness."""
    return np.asarray(cv2.cvtColor(decode(path, False, (0.0, 0.0, 0.0)), cv2.COLOR_RGB2GRAY))
