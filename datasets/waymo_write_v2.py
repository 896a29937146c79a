"""Writing a drive as Waymo v2 Parquet components, for tests and for the demo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recon.datasets.waymo_files import COMPONENTS
from recon.datasets.waymo_segment import (
    CAMERAS,
    LASERS,
    READ_OUT,
    CameraImage,
    Frame,
    LaserScan,
    Segment,
    lens_numbers,
    number_of,
)

FLOAT, DOUBLE, BYTE, WHOLE = pa.float32(), pa.float64(), pa.int8(), pa.int32()
TRANSFORM = pa.list_(DOUBLE, 16)
IMAGE = {"values": pa.list_(FLOAT), "shape": pa.list_(WHOLE, 3)}
BOTH = {f"range_image_return{n}.{k}": t for n in (1, 2) for k, t in IMAGE.items()}
INTRINSICS = ("f_u", "f_v", "c_u", "c_v", "k1", "k2", "p1", "p2", "k3")
AXES = ("x", "y", "z")
CAMERA, LASER = {"camera_name": BYTE}, {"laser_name": BYTE}
TIME = {"frame_timestamp_micros": pa.int64()}
LARGE = ("camera_image", "lidar", "lidar_camera_projection", "lidar_pose")
"""Components of which a few rows are many bytes."""
SMALLEST: dict[str, Any] = {"compression": "zstd", "compression_level": 19}
"""Noisy ranges are hardly ever the same number twice, so that dictionaries only add to the size."""

KEYS: dict[str, dict[str, pa.DataType]] = {
    "camera_image": TIME | CAMERA,
    "camera_calibration": CAMERA,
    "vehicle_pose": TIME,
    "lidar": TIME | LASER,
    "lidar_calibration": LASER,
    "lidar_camera_projection": TIME | LASER,
    "lidar_pose": TIME | LASER,
    "lidar_box": TIME | {"laser_object_id": pa.string()},
}
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "camera_image": {
        "image": pa.binary(),
        "pose.transform": TRANSFORM,
        **{f"velocity.linear_velocity.{axis}": FLOAT for axis in AXES},
        **{f"velocity.angular_velocity.{axis}": DOUBLE for axis in AXES},
        "pose_timestamp": DOUBLE,
        "rolling_shutter_params.shutter": DOUBLE,
        "rolling_shutter_params.camera_trigger_time": DOUBLE,
        "rolling_shutter_params.camera_readout_done_time": DOUBLE,
    },
    "camera_calibration": {
        **{f"intrinsic.{name}": DOUBLE for name in INTRINSICS},
        "extrinsic.transform": TRANSFORM,
        "width": WHOLE,
        "height": WHOLE,
        "rolling_shutter_direction": BYTE,
    },
    "vehicle_pose": {"world_from_vehicle.transform": TRANSFORM},
    "lidar": BOTH,
    "lidar_calibration": {
        "extrinsic.transform": TRANSFORM,
        "beam_inclination.min": DOUBLE,
        "beam_inclination.max": DOUBLE,
        "beam_inclination.values": pa.list_(DOUBLE),
    },
    "lidar_camera_projection": BOTH,
    "lidar_pose": {f"range_image_return1.{k}": t for k, t in IMAGE.items()},
    "lidar_box": {
        **{f"box.center.{axis}": DOUBLE for axis in AXES},
        **{f"box.size.{axis}": DOUBLE for axis in AXES},
        "box.heading": DOUBLE,
        "type": BYTE,
        **{f"speed.{axis}": DOUBLE for axis in AXES},
    },
}


def write_v2(root: Path, segment: Segment, rows_per_group: int = 5) -> None:
    """Write a segment below a folder of components; what it lacks gets no component.

    Args:
        root: the folder.
        segment: in memory or on disk.
        rows_per_group: rows of photos or range images in a row group; the fewer, the less is read
            at once.
    """
    writers: dict[str, pq.ParquetWriter] = {}
    waiting: dict[str, list[Row]] = {}

    def flush(name: str) -> None:
        if name not in writers:
            file = root / name / f"{segment.name}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            writers[name] = pq.ParquetWriter(file, schema(name), use_dictionary=False, **SMALLEST)
        writers[name].write_table(pa.Table.from_pylist(waiting.pop(name), schema(name)))

    try:
        for name, row in by_component(segment):
            row = {"key.segment_context_name": segment.name, **row}
            waiting.setdefault(name, []).append(row)
            if name in LARGE and len(waiting[name]) == rows_per_group:
                flush(name)
        for name in list(waiting):
            flush(name)
    finally:
        for writer in writers.values():
            writer.close()


def schema(name: str) -> pa.Schema:
    """Return a component's columns."""
    keys = {"segment_context_name": pa.string(), **KEYS[name]}
    columns = COLUMNS[name]
    return pa.schema(
        [pa.field(f"key.{key}", kind) for key, kind in keys.items()]
        + [pa.field(f"[{COMPONENTS[name]}].{short}", kind) for short, kind in columns.items()]
    )


Row = dict[str, Any]


def by_component(segment: Segment) -> Iterator[tuple[str, Row]]:
    """Yield rows and their components, frame by frame, so that one frame is in memory."""
    for row in cameras(segment):
        yield "camera_calibration", row
    for row in lasers(segment):
        yield "lidar_calibration", row
    for frame in segment.frames:
        time = {"key.frame_timestamp_micros": frame.timestamp_micros}
        for image in frame.images:
            yield "camera_image", time | image_row(image)
        if frame.vehicle_to_world is not None:
            pose = {"world_from_vehicle.transform": frame.vehicle_to_world.ravel()}
            yield "vehicle_pose", time | full("vehicle_pose", pose)
        for scan in frame.scans.read() if frame.scans is not None else []:
            key = {"key.laser_name": number_of(LASERS, scan.laser)}
            for name, row in scan_rows(scan):
                yield name, time | key | full(name, row)
        for row in boxes(frame):
            yield "lidar_box", time | row


def full(component: str, row: Row) -> Row:
    """Give columns their full names."""
    return {f"[{COMPONENTS[component]}].{short}": value for short, value in row.items()}


def image_row(image: CameraImage) -> Row:
    """Return the row of a photo."""
    row: Row = {
        "image": image.image.read(),
        "pose.transform": image.vehicle_to_world.ravel(),
        "pose_timestamp": image.pose_time,
    }
    if image.motion is not None:
        row |= axes("velocity.linear_velocity", image.motion.linear)
        row |= axes("velocity.angular_velocity", image.motion.angular)
    if image.exposure is not None:
        row["rolling_shutter_params.shutter"] = image.exposure.shutter
        row["rolling_shutter_params.camera_trigger_time"] = image.exposure.trigger
        row["rolling_shutter_params.camera_readout_done_time"] = image.exposure.done
    return {"key.camera_name": number_of(CAMERAS, image.camera)} | full("camera_image", row)


def axes(name: str, vector: np.ndarray) -> Row:
    """Return the three columns of a vector; nothing where it is not known."""
    if not np.isfinite(vector).all():
        return {}
    return {f"{name}.{axis}": float(x) for axis, x in zip(AXES, vector, strict=True)}


def cameras(segment: Segment) -> list[Row]:
    """Return a row for each camera."""
    return [
        {"key.camera_name": number_of(CAMERAS, camera.name)}
        | full(
            "camera_calibration",
            {
                **{
                    f"intrinsic.{name}": value
                    for name, value in zip(INTRINSICS, lens_numbers(camera.intrinsics), strict=True)
                },
                "extrinsic.transform": camera.camera_to_vehicle.ravel(),
                "width": camera.intrinsics.width,
                "height": camera.intrinsics.height,
                "rolling_shutter_direction": number_of(READ_OUT, camera.read_out),
            },
        )
        for camera in segment.cameras.values()
    ]


def lasers(segment: Segment) -> list[Row]:
    """Return a row for each laser."""
    return [
        {"key.laser_name": number_of(LASERS, laser.name)}
        | full(
            "lidar_calibration",
            {
                "extrinsic.transform": laser.laser_to_vehicle.ravel(),
                "beam_inclination.min": laser.bounds[0],
                "beam_inclination.max": laser.bounds[1],
                "beam_inclination.values": laser.inclinations,
            },
        )
        for laser in segment.lasers.values()
    ]


def scan_rows(scan: LaserScan) -> Iterator[tuple[str, Row]]:
    """Yield the rows of a laser's range images, by component."""
    for name, images in (
        ("lidar", scan.ranges),
        ("lidar_camera_projection", scan.projections),
        ("lidar_pose", (scan.pixel_poses,)),
    ):
        row: Row = {}
        for number, image in enumerate(images, start=1):
            if image is not None:
                row[f"range_image_return{number}.values"] = image.astype(np.float32).ravel()
                row[f"range_image_return{number}.shape"] = list(image.shape)
        if row:
            yield name, row


def boxes(frame: Frame) -> list[Row]:
    """Return a row for each box."""
    objects = frame.objects
    if objects is None:
        return []
    return [
        {"key.laser_object_id": track}
        | full(
            "lidar_box",
            {
                **axes("box.center", objects.centers[i]),
                **axes("box.size", objects.sizes[i]),
                "box.heading": float(objects.headings[i]),
                "type": objects.kinds[i],
                **axes("speed", objects.velocities[i]),
            },
        )
        for i, track in enumerate(objects.tracks)
    ]
