"""Range images of a spinning laser to points, as Waymo stores them.

Row 0 is the highest beam, column 0 looks backwards, and columns turn clockwise seen from above. All
beams of a column were fired at one time, so a pose per pixel says where the car then was.
Source: Sun et al., Scalability in Perception for Autonomous Driving, CVPR 2020, and the public
definitions of its range images.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from recon.errors import DataError


@dataclass(frozen=True, eq=False)
class LaserCalibration:
    """Where a laser stands on the car, and where its beams point."""

    name: str
    laser_to_vehicle: Float64[np.ndarray, "4 4"]
    bounds: tuple[float, float]
    """Lower and upper end of the beams' inclinations in radians, for beams evenly spread."""
    inclinations: Float64[np.ndarray, " beams"] | None = None
    """Of each beam, from the lowest to the highest, in radians; None where evenly spread."""

    def beams(self, rows: int) -> Float64[np.ndarray, " {rows}"]:
        """Return the inclination of each row of the range image, from the highest beam down.

        Raises:
            DataError: there are as many inclinations as rows, or none.
        """
        if self.inclinations is None:
            low, high = self.bounds
            return np.asarray(low + (np.arange(rows) + 0.5) / rows * (high - low))[::-1]
        if len(self.inclinations) != rows:
            raise DataError(
                f"laser {self.name} has {len(self.inclinations)} beam inclinations for a range "
                f"image of {rows} rows; calibration and LiDAR are of different segments"
            )
        return self.inclinations[::-1]

    def azimuths(self, columns: int) -> Float64[np.ndarray, " {columns}"]:
        """Return the angle of each column around the laser's own vertical axis, in radians.

        Columns are even in the car's frame, so the laser's own heading is taken off.
        """
        heading = np.arctan2(self.laser_to_vehicle[1, 0], self.laser_to_vehicle[0, 0])
        ratio = (columns - np.arange(columns) - 0.5) / columns
        return np.asarray((2 * ratio - 1) * np.pi - heading)


def measured(
    image: Float32[np.ndarray, "h w c"],
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """Return rows and columns of the pixels that hold a return."""
    with np.errstate(invalid="ignore"):
        rows, columns = np.nonzero((image[..., 0] > 0) & np.isfinite(image[..., 0]))
    return rows, columns


def in_vehicle(
    image: Float32[np.ndarray, "h w c"],
    rows: Int64[np.ndarray, " n"],
    columns: Int64[np.ndarray, " n"],
    laser: LaserCalibration,
) -> Float32[np.ndarray, "n 3"]:
    """Return the points of some pixels in the frame of the car at the pixels' own times."""
    inclination = laser.beams(image.shape[0])
    azimuth = laser.azimuths(image.shape[1])
    distance = image[rows, columns, 0]
    level = distance * np.cos(inclination).astype(np.float32)[rows]
    points = np.empty((len(rows), 3), np.float32)
    points[:, 0] = level * np.cos(azimuth).astype(np.float32)[columns]
    points[:, 1] = level * np.sin(azimuth).astype(np.float32)[columns]
    points[:, 2] = distance * np.sin(inclination).astype(np.float32)[rows]
    pose = laser.laser_to_vehicle.astype(np.float32)
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])


def by_pixel_pose(
    points: Float32[np.ndarray, "n 3"], poses: Float32[np.ndarray, "n 6"]
) -> Float64[np.ndarray, "n 3"]:
    """Move points of the car's frame to the world, each by its own pose.

    Args:
        points: in the car's frame at the time of each.
        poses: roll, pitch and yaw in radians, then x, y and z: vehicle to world, with the rotation
            Rz(yaw) Ry(pitch) Rx(roll).
    """
    (sr, sp, sy), (cr, cp, cy) = np.sin(poses[:, :3]).T, np.cos(poses[:, :3]).T
    x, y, z = points.T
    y, z = cr * y - sr * z, sr * y + cr * z
    x, z = cp * x + sp * z, cp * z - sp * x
    world = poses[:, 3:].astype(np.float64)
    world[:, 0] += cy * x - sy * y
    world[:, 1] += sy * x + cy * y
    world[:, 2] += z
    return world


def in_world(
    image: Float32[np.ndarray, "h w c"],
    rows: Int64[np.ndarray, " n"],
    columns: Int64[np.ndarray, " n"],
    laser: LaserCalibration,
    vehicle_to_world: Float64[np.ndarray, "4 4"],
    pixel_poses: Float32[np.ndarray, "h w 6"] | None,
) -> Float64[np.ndarray, "n 3"]:
    """Return the points of some pixels in the world.

    Args:
        image: range in metres in the first channel.
        rows: of the pixels, as `measured` returns them.
        columns: of the same.
        laser: whose range image it is.
        vehicle_to_world: the car's pose of the frame; not used where pixels have their own.
        pixel_poses: the car's pose for each pixel, or None.
    """
    points = in_vehicle(image, rows, columns, laser)
    if pixel_poses is not None:
        return by_pixel_pose(points, pixel_poses[rows, columns])
    return np.asarray(points @ vehicle_to_world[:3, :3].T + vehicle_to_world[:3, 3])
