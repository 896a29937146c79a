"""Sparse depth completed: LiDAR returns carried to the pixels around them.

Each pixel asks the returns nearest to it in the photo, weighted by distance and by likeness of
colour. The weighted median decides between the two sides of an edge, so that no depth between them
is made up; the returns near the median are then averaged in inverse depth, in which a plane is
linear in the photo.
"""

from dataclasses import asdict, dataclass
from typing import final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64, Int
from scipy.spatial import cKDTree

from recon.errors import DataError
from recon.evidence.interface import SparseDepth
from recon.evidence.store import digest
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthMap

VERSION = "1"
CHUNK = 2**18
"""Pixels at once, which bounds the memory."""


@dataclass(frozen=True)
class LidarSettings:
    """How far returns reach."""

    neighbours: int = 6
    """Returns that each pixel asks."""
    reach: float = 0.01
    """Distance to the nearest return, in widths of the photo, at which confidence is 0.61; at three
    times as much depth ends."""
    color_reach: float = 0.3
    """Difference of colour, of 1 from black to white, at which a return counts 0.61."""
    same_surface: float = 0.15
    """Returns within this share of the median's depth are averaged with it."""


@final
class Lidar(DepthPrior):
    """LiDAR returns, or any sparse depth, completed."""

    def __init__(self, settings: LidarSettings | None = None) -> None:
        self.settings = settings or LidarSettings()

    @property
    def name(self) -> str:
        """Say that it is LiDAR."""
        return "lidar"

    @property
    def uses_focal_length(self) -> bool:
        """Depth is the returns' own."""
        return False

    def identity(self) -> str:
        """Digest the settings and this file's version."""
        return digest(self.name, VERSION, repr(asdict(self.settings)))

    def predict(self, frame: Frame) -> PriorDepth:
        """Return depth in the returns' unit, near returns; confidence falls with the distance."""
        if frame.sparse is None or not bool((frame.sparse.weight > 0).any()):
            raise DataError(
                f"{frame.name}: no LiDAR return lies in this photo; choose another prior for it."
            )
        known = _nearest_per_pixel(frame.sparse, frame.camera.width, frame.camera.height)
        height, width = frame.pixels.shape[:2]
        z, confidence = np.zeros((2, height * width), np.float32)
        # Colours without the sensor's noise.
        image = cv2.GaussianBlur(frame.pixels.numpy(), (0, 0), 1.0).astype(np.float64) / 255
        tree = cKDTree(known.pixels.numpy().astype(np.float64))
        for start in range(0, height * width, CHUNK):
            part = np.arange(start, min(start + CHUNK, height * width))
            z[part], confidence[part] = self._complete(part, image, tree, known)
        depth = torch.from_numpy(z.reshape(height, width))
        trusted = torch.from_numpy(confidence.reshape(height, width))
        return PriorDepth(DepthMap(depth, depth > 0), trusted)

    def _complete(
        self,
        part: Int[np.ndarray, " p"],
        image: Float64[np.ndarray, "h w 3"],
        tree: cKDTree,
        known: SparseDepth,
    ) -> tuple[Float64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
        settings, (height, width) = self.settings, image.shape[:2]
        rows, columns = np.divmod(part, width)
        count = min(settings.neighbours, len(known.depth))
        places = np.stack([columns, rows], axis=-1) + 0.5
        answer = tree.query(places, k=np.arange(1, count + 1))
        distance, nearest = (np.asarray(part) for part in answer)
        cells = (axis.numpy()[nearest] for axis in known.index(width, height))
        unlike = image[tuple(cells)] - image[rows, columns][:, None]
        reach = settings.reach * width
        # The nearest return always counts, however unlike its colour.
        weight = np.exp(-0.5 * (unlike**2).mean(axis=-1) / settings.color_reach**2) + 1e-6
        weight *= known.weight.numpy()[nearest]
        weight /= 1 + (distance / reach) ** 2
        disparity = 1 / known.depth.numpy().astype(np.float64)[nearest]
        middle = _weighted_median(disparity, weight)
        weight *= _same(disparity, middle[:, None], settings.same_surface)
        smooth = (weight * disparity).sum(axis=1) / weight.sum(axis=1)
        confidence = np.exp(-0.5 * (distance[:, 0] / reach) ** 2)
        near = distance[:, 0] <= 3 * reach
        return np.where(near, 1 / smooth, 0.0), np.where(near, confidence, 0.0)


def _nearest_per_pixel(sparse: SparseDepth, width: int, height: int) -> SparseDepth:
    """Keep the nearest believed return of each pixel; the rest are hidden, or duplicates."""
    rows, columns = sparse.index(width, height)
    order = torch.argsort(sparse.depth, stable=True)
    order = order[sparse.weight[order] > 0]
    _, first = np.unique((rows * width + columns)[order].numpy(), return_index=True)
    kept = order[torch.from_numpy(first)]
    return SparseDepth(sparse.pixels[kept], sparse.depth[kept], sparse.weight[kept])


def _same(
    disparity: Float64[np.ndarray, "p k"], middle: Float64[np.ndarray, "p 1"], share: float
) -> Bool[np.ndarray, "p k"]:
    ratio = disparity / middle
    same: Bool[np.ndarray, "p k"] = (ratio <= 1 + share) & (ratio * (1 + share) >= 1)
    return same


def _weighted_median(
    values: Float64[np.ndarray, "p k"], weights: Float64[np.ndarray, "p k"]
) -> Float64[np.ndarray, " p"]:
    """Return, of each row, the first value with half of the weight at or below it."""
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(weights, order, axis=1)
    share = np.cumsum(ordered, axis=1) / ordered.sum(axis=1, keepdims=True)
    middle = np.argmax(share >= 0.5, axis=1)[:, None]
    chosen: Float64[np.ndarray, "p 1"] = np.take_along_axis(
        values, np.take_along_axis(order, middle, axis=1), axis=1
    )
    return chosen[:, 0]
