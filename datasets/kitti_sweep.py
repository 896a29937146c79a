"""One turn of KITTI's laser scanner, a file of x, y, z and reflectance in float32."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from recon.datasets.drive_source import SourceReturns, SourceSweep
from recon.datasets.seen_points import seen_points
from recon.datasets.source import SourceView
from recon.errors import DataError

POINT_BYTES = 16


@dataclass(frozen=True, eq=False)
class KittiSweep(SourceSweep):
    """Points with the pixels of the rectified photos that show them, which are computed.

    The scanner turns in 0.1 s and triggers the cameras when it looks forward, so what the photos
    show was measured when they were taken, to a few hundredths of a second. All points count as
    of one moment: odometry's are so, raw ones are off by the car's way during the turn.
    """

    path: Path
    velodyne_to_world: Float64[np.ndarray, "4 4"]
    views: tuple[SourceView, ...]
    """Of the same time step."""

    def read(self) -> SourceReturns:
        """Read the points; those that are not finite are left out."""
        points = read_points(self.path)
        pose, count = self.velodyne_to_world, len(points)
        positions = points[:, :3].astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
        sensors, pixels = seen_points(positions, self.views, self.sensors)
        return SourceReturns(
            positions,
            np.ascontiguousarray(points[:, 3]),
            np.ones(count, np.uint8),
            np.zeros(count, np.uint8),
            np.zeros(count, np.bool_),
            sensors,
            pixels,
        )


def read_points(path: Path) -> Float32[np.ndarray, "n 4"]:
    """Read a file of points.

    Raises:
        DataError: it is missing, or holds no whole number of points.
    """
    remedy = "copy the file again, or read the cameras alone with --drive.lidar A"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); {remedy}.") from error
    if len(content) % POINT_BYTES:
        raise DataError(
            f"{path}: {len(content)} bytes are no multiple of {POINT_BYTES}, a point's x, y, z and "
            f"reflectance as float32; {remedy}."
        )
    points = np.frombuffer(content, "<f4").astype(np.float32).reshape(-1, 4)
    return np.asarray(points[np.isfinite(points).all(axis=1)])
