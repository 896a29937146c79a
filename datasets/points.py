"""The points that came with a capture, put into its working frame."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64

from recon.datasets.source import SourcePoints
from recon.types import PointCloud, View
from recon.words import counted

CHUNK = 65536


def place_points(
    points: SourcePoints | None,
    views: Sequence[View],
    offset: Float64[np.ndarray, "3"],
    warnings: list[str],
) -> PointCloud | None:
    """Shift points, drop those that are not finite, and warn of those behind every camera.

    None is returned where none is left, or all are behind.
    """
    if points is None or len(points.positions) == 0:
        return None
    finite = np.isfinite(points.positions).all(axis=1)
    if not finite.all():
        warnings.append(
            f"dropped {counted(int(np.sum(~finite)), 'point')} with NaN or infinite coordinates"
        )
    positions = points.positions[finite] - offset
    if len(positions) == 0:
        return None
    behind = int(behind_all(positions, views).sum()) if views else 0
    if behind == len(positions):
        warnings.append(
            "all points lie behind all cameras: the poses are probably inverted "
            "(camera to world given where world to camera is expected), or the axes are others; "
            "the fit starts without them"
        )
        return None
    if behind:
        warnings.append(f"{behind} of {len(positions)} points lie behind all cameras")
    return PointCloud(
        torch.from_numpy(positions).float(), torch.from_numpy(points.colors[finite].copy())
    )


def behind_all(
    positions: Float64[np.ndarray, "p 3"], views: Sequence[View]
) -> Bool[np.ndarray, " p"]:
    """Return which points no camera has before it."""
    axes = np.stack([view.camera.world_to_camera[2].double().numpy() for view in views])
    return np.concatenate(
        [
            (positions[i : i + CHUNK] @ axes[:, :3].T + axes[:, 3] <= 0).all(axis=1)
            for i in range(0, len(positions), CHUNK)
        ]
    )
