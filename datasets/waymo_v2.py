"""Waymo Open Dataset, perception, version 2: one Parquet file for each component of a segment.

Keys, poses and calibrations are read at once; photos and range images row by row when asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from recon.datasets.range_image import LaserCalibration
from recon.datasets.stored_image import StoredImage
from recon.datasets.waymo_component import Component, open_components
from recon.datasets.waymo_files import locate
from recon.datasets.waymo_lidar_v2 import lidar_of
from recon.datasets.waymo_segment import (
    CAMERAS,
    LASERS,
    READ_OUT,
    CameraCalibration,
    CameraImage,
    Exposure,
    Frame,
    Motion,
    Objects,
    Segment,
    lens_of,
)
from recon.errors import DataError

INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
BOX = ("center.x", "center.y", "center.z", "size.x", "size.y", "size.z", "heading")
NOTHING = "Nothing can be fitted without it."
NO_LIDAR = "Without it the cameras still work: --drive.lidar A."


def read_segment(path: Path, cameras_only: bool = False) -> Segment:
    """Read the segment that a path means; see `recon.datasets.waymo_files.locate`.

    Args:
        path: of the segment.
        cameras_only: go on with a warning where LiDAR, boxes or the car's poses are not whole.

    Raises:
        DataError: a component or column is missing or damaged; the message says which.
    """
    name, parts = open_components(locate(path))
    for needed in ("camera_image", "camera_calibration"):
        if needed not in parts:
            raise DataError(f"{path}: component {needed} is missing; download it. {NOTHING}")
    images = images_of(parts["camera_image"])
    warnings: list[str] = []
    poses: dict[int, Float64[np.ndarray, "4 4"]] = {}
    objects: dict[int, Objects] = {}
    lasers: dict[str, LaserCalibration] = {}
    scans = {}
    try:
        if "vehicle_pose" in parts:
            poses = poses_of(parts["vehicle_pose"])
        if "lidar" in parts:
            scans = lidar_of(path, parts, warnings)
            lasers = lasers_of(parts["lidar_calibration"])
        if "lidar_box" in parts:
            objects = objects_of(path, parts["lidar_box"], poses)
    except DataError as error:
        if not cameras_only:
            raise
        warnings.append(f"cameras only: {error}")
        scans, objects = {}, {}
    warnings += [
        f"component {absent} is missing: {loss}"
        for absent, loss in (("lidar", "no LiDAR"), ("lidar_box", "moving objects are not known"))
        if absent not in parts
    ]
    return Segment(
        name,
        cameras_of(parts["camera_calibration"]),
        lasers,
        [
            Frame(time, poses.get(time), images.get(time, []), scans.get(time), objects.get(time))
            for time in sorted({*images, *scans})
        ],
        warnings=warnings,
    )


@dataclass(frozen=True, eq=False)
class RowImage(StoredImage):
    """A photo in a row."""

    part: Component
    row: int
    camera: str

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.part.rows.path}, row {self.row} ({self.camera})"

    def read(self) -> bytes:
        """Read the encoded photo."""
        column = self.part.column("image")
        value = self.part.rows.row(self.row, (column,))[column].as_py()
        if not value:
            raise DataError(f"{self}: holds no photo; download the component again.")
        return bytes(value)


def images_of(part: Component) -> dict[int, list[CameraImage]]:
    """Return the photos by time, each frame's in the order of the file."""
    part.require(("image", "pose.transform", "pose_timestamp"), NOTHING)
    times, names = part.times(), part.names("camera_name", CAMERAS)
    poses, pose_times = part.small("pose.transform"), part.each("pose_timestamp")
    moved = table(part, [f"velocity.linear_velocity.{a}" for a in "xyz"])
    turned = table(part, [f"velocity.angular_velocity.{a}" for a in "xyz"])
    clock = ("shutter", "camera_trigger_time", "camera_readout_done_time")
    exposures = table(part, [f"rolling_shutter_params.{name}" for name in clock])
    frames: dict[int, list[CameraImage]] = {}
    for i, (time, name) in enumerate(zip(times, names, strict=True)):
        known = np.isfinite([*moved[i], *turned[i]]).all()
        frames.setdefault(time, []).append(
            CameraImage(
                name,
                RowImage(part, i, name),
                part.matrix(poses[i], i),
                pose_times[i],
                Motion(moved[i], turned[i]) if known else None,
                Exposure(*map(float, exposures[i])) if np.isfinite(exposures[i]).all() else None,
            )
        )
    if not frames:
        raise DataError(f"{part.rows.path}: component camera_image has no row. {NOTHING}")
    return frames


def table(part: Component, columns: Sequence[str]) -> Float64[np.ndarray, "n c"]:
    """Return columns of numbers side by side; NaN where one is missing or empty."""
    return np.array([part.small(column) for column in columns], np.float64).T.reshape(
        len(part.rows), len(columns)
    )


def cameras_of(part: Component) -> dict[str, CameraCalibration]:
    """Return the cameras by name."""
    columns = [f"intrinsic.{name}" for name in INTRINSICS]
    part.require((*columns, "extrinsic.transform", "width", "height"), NOTHING)
    names, poses = part.names("camera_name", CAMERAS), part.small("extrinsic.transform")
    sizes = zip(part.each("width"), part.each("height"), strict=True)
    directions = part.small("rolling_shutter_direction")
    return {
        name: CameraCalibration(
            name,
            lens_of(*size, [float(number) for number in numbers]),
            part.matrix(poses[i], i),
            READ_OUT.get(directions[i]),
        )
        for i, (name, size, numbers) in enumerate(
            zip(names, sizes, table(part, columns), strict=True)
        )
    }


def lasers_of(part: Component) -> dict[str, LaserCalibration]:
    """Return the lasers by name."""
    part.require(("extrinsic.transform", "beam_inclination.min", "beam_inclination.max"), NO_LIDAR)
    names, poses = part.names("laser_name", LASERS), part.small("extrinsic.transform")
    bounds = table(part, ["beam_inclination.min", "beam_inclination.max"])
    beams = part.small("beam_inclination.values")
    return {
        name: LaserCalibration(
            name,
            part.matrix(poses[i], i),
            (float(bounds[i, 0]), float(bounds[i, 1])),
            np.array(beams[i], np.float64) if beams[i] else None,
        )
        for i, name in enumerate(names)
    }


def poses_of(part: Component) -> dict[int, Float64[np.ndarray, "4 4"]]:
    """Return the car's pose by time."""
    part.require(("world_from_vehicle.transform",), NO_LIDAR)
    poses = part.small("world_from_vehicle.transform")
    return {time: part.matrix(poses[i], i) for i, time in enumerate(part.times())}


def objects_of(
    path: Path, part: Component, poses: dict[int, Float64[np.ndarray, "4 4"]]
) -> dict[int, Objects]:
    """Return the boxes by time; every frame with a pose has some, be it none."""
    columns = [f"box.{name}" for name in BOX]
    part.require((*columns, "type"), NO_LIDAR)
    times, tracks = part.times(), part.key("laser_object_id")
    kinds: list[Any] = part.each("type")
    numbers = table(part, columns)
    speeds = table(part, [f"speed.{axis}" for axis in "xyz"])
    # The upward speed is often not given, and then hardly matters.
    speeds[:, 2] = np.where(np.isfinite(speeds[:, 0]), np.nan_to_num(speeds[:, 2]), np.nan)
    rows: dict[int, list[int]] = {time: [] for time in poses}
    for i, time in enumerate(times):
        if time not in rows:
            raise DataError(
                f"{path}: component vehicle_pose has no pose for {time} µs, at which lidar_box has "
                f"boxes; download it again. {NO_LIDAR}"
            )
        rows[time].append(i)
    return {
        time: Objects(
            tuple(str(tracks[i]) for i in chosen),
            tuple(int(kinds[i]) for i in chosen),
            numbers[chosen, :3],
            numbers[chosen, 3:6],
            numbers[chosen, 6],
            speeds[chosen],
        )
        for time, chosen in rows.items()
    }
