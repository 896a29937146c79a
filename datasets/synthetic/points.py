"""An initial point cloud, as a LiDAR or structure from motion would have left it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from recon.datasets.synthetic.camera import Pinhole

NOISE_BASE = 0.01
"""Standard deviation along the ray, metres."""
NOISE_SLOPE = 0.004
"""More of it, per metre of depth."""
VOXEL = 0.12
"""At most one point in a cube of this side, metres."""
FARTHEST = 200.0
"""No points beyond this depth, metres."""


@dataclass(frozen=True, eq=False)
class Points:
    """Points in the world, with colours."""

    positions: Float[np.ndarray, "p 3"]
    colors: UInt8[np.ndarray, "p 3"]


def sample(
    random: np.random.Generator,
    camera_to_world: Float[np.ndarray, "4 4"],
    pinhole: Pinhole,
    depth: Float[np.ndarray, "h w"],
    photo: UInt8[np.ndarray, "h w 3"],
    count: int,
) -> Points:
    """Pick random pixels of a view and lift them to their exact depth, plus noise along the ray."""
    rows = random.integers(0, pinhole.height, count)
    columns = random.integers(0, pinhole.width, count)
    z = depth[rows, columns].astype(np.float64)
    noisy = z + random.normal(0, 1, count) * (NOISE_BASE + NOISE_SLOPE * np.minimum(z, FARTHEST))
    x = (columns + 0.5 - pinhole.width / 2) / pinhole.focal_length
    y = (rows + 0.5 - pinhole.height / 2) / pinhole.focal_length
    seen = z < FARTHEST
    rays = np.stack([x, y, np.ones(count)], axis=1)[seen] * noisy[seen, None]
    positions = rays @ camera_to_world[:3, :3].T + camera_to_world[:3, 3]
    return Points(positions, photo[rows, columns][seen])


def thin(
    random: np.random.Generator, clouds: list[Points], count: int, voxel: float = VOXEL
) -> Points:
    """Join clouds, keep one point a voxel, and of those at most `count` at random."""
    positions = np.concatenate([cloud.positions for cloud in clouds])
    colors = np.concatenate([cloud.colors for cloud in clouds])
    _, first = np.unique(np.floor(positions / voxel).astype(int), axis=0, return_index=True)
    kept = np.sort(random.permutation(first)[:count])
    return Points(positions[kept], colors[kept])
