"""SIFT key points (Lowe 2004) with the root of their histograms (Arandjelovic 2012).

It needs no weights, so it is what matches where none can be had.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from recon.matching.keypoints import KeyPoints, mutual_nearest
from recon.matching.matcher import Matcher, Matches, grey, shrunk


@final
@dataclass(frozen=True)
class Sift(Matcher[KeyPoints]):
    """RootSIFT, mutual nearest neighbours and Lowe's ratio."""

    name: ClassVar[str] = "sift"
    merge_distance: ClassVar[float] = 0.01
    longest: int = 1600
    """px; larger photos are matched at this size."""
    most: int = 6000
    """At most so many key points of a photo, the most pronounced."""
    ratio: float = 0.85
    """How much closer than the second nearest a match has to be; 1 for any."""

    @property
    def identity(self) -> str:
        """Settings and OpenCV's version."""
        return f"{self!r} OpenCV {cv2.__version__}"

    def describe(self, photo: UInt8[Tensor, "h w 3"]) -> KeyPoints:
        """Find and describe key points on one thread's worth of OpenCV's own threads."""
        small, scale = shrunk(photo, self.longest)
        # Without its precise upscaling, OpenCV's key points lie a quarter of a pixel off.
        sift = cv2.SIFT.create(
            nfeatures=self.most, contrastThreshold=0.02, enable_precise_upscale=True
        )
        points, histograms = sift.detectAndCompute(grey(small).numpy(), None)
        if histograms is None:
            return KeyPoints(torch.zeros(0, 2), torch.zeros(0, 128))
        # A point with several orientations is there several times; all of them may match.
        pixels = torch.from_numpy(np.array([point.pt for point in points], np.float32)) + 0.5
        roots = torch.from_numpy(histograms).clamp_min(0)
        roots = (roots / roots.sum(dim=1, keepdim=True).clamp_min(1e-9)).sqrt()
        return KeyPoints(pixels * scale, roots)

    def pair(self, a: KeyPoints, b: KeyPoints) -> Matches:
        """Match by mutual nearest neighbours."""
        return mutual_nearest(a, b, self.ratio)
