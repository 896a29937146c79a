"""Writing a drive as a Waymo v1 TFRecord, for tests and for the demo."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recon.datasets.tfrecord import frame as framed
from recon.datasets.waymo_schema import Message, new
from recon.datasets.waymo_segment import (
    CAMERAS,
    LASERS,
    READ_OUT,
    CameraImage,
    Frame,
    LaserScan,
    Objects,
    Segment,
    lens_numbers,
    number_of,
)


def write_v1(path: Path, segment: Segment) -> None:
    """Write a segment to one TFRecord."""
    with path.open("wb") as file:
        for frame in segment.frames:
            file.write(framed(to_message(segment, frame).SerializeToString()))


def to_message(segment: Segment, frame: Frame) -> Message:
    """Return a Frame message."""
    message = new("Frame")
    message.timestamp_micros = frame.timestamp_micros
    add_context(message.context, segment)
    pose = np.eye(4) if frame.vehicle_to_world is None else frame.vehicle_to_world
    message.pose.transform.extend(pose.ravel())
    for image in frame.images:
        add_image(message.images.add(), image)
    for scan in frame.scans.read() if frame.scans is not None else []:
        add_scan(message.lasers.add(), scan)
    if frame.objects is not None:
        add_labels(message, frame.objects)
    return message


def add_context(context: Message, segment: Segment) -> None:
    """Fill in the calibrations, which every frame repeats."""
    context.name = segment.name
    for camera in segment.cameras.values():
        c = context.camera_calibrations.add(
            name=number_of(CAMERAS, camera.name),
            width=camera.intrinsics.width,
            height=camera.intrinsics.height,
            rolling_shutter_direction=number_of(READ_OUT, camera.read_out),
        )
        c.intrinsic.extend(lens_numbers(camera.intrinsics))
        c.extrinsic.transform.extend(camera.camera_to_vehicle.ravel())
    for laser in segment.lasers.values():
        low, high = laser.bounds
        m = context.laser_calibrations.add(
            name=number_of(LASERS, laser.name),
            beam_inclination_min=low,
            beam_inclination_max=high,
        )
        m.beam_inclinations.extend(() if laser.inclinations is None else laser.inclinations)
        m.extrinsic.transform.extend(laser.laser_to_vehicle.ravel())


def add_image(message: Message, image: CameraImage) -> None:
    """Fill in a photo."""
    message.name = number_of(CAMERAS, image.camera)
    message.image = image.image.read()
    message.pose.transform.extend(image.vehicle_to_world.ravel())
    message.pose_timestamp = image.pose_time
    if image.motion is not None:
        for axis, linear, angular in zip(
            "xyz", image.motion.linear, image.motion.angular, strict=True
        ):
            setattr(message.velocity, f"v_{axis}", linear)
            setattr(message.velocity, f"w_{axis}", angular)
    if image.exposure is not None:
        message.shutter = image.exposure.shutter
        message.camera_trigger_time = image.exposure.trigger
        message.camera_readout_done_time = image.exposure.done


def add_scan(message: Message, scan: LaserScan) -> None:
    """Fill in a laser's range images."""
    message.name = number_of(LASERS, scan.laser)
    for number, (ranges, projection) in enumerate(
        zip(scan.ranges, scan.projections, strict=True), start=1
    ):
        image = getattr(message, f"ri_return{number}")
        packed: Mapping[str, tuple[np.ndarray | None, str]] = {
            "range_image_compressed": (ranges, "MatrixFloat"),
            "camera_projection_compressed": (projection, "MatrixInt32"),
            "range_image_pose_compressed": (
                scan.pixel_poses if number == 1 else None,
                "MatrixFloat",
            ),
        }
        for field, (values, kind) in packed.items():
            if values is not None:
                setattr(image, field, pack(values, kind))


def pack(values: np.ndarray, kind: str) -> bytes:
    """Compress a matrix message."""
    matrix = new(kind)
    whole = values.astype(np.int32) if kind == "MatrixInt32" else values
    matrix.data.extend(whole.ravel().tolist())
    matrix.shape.dims.extend(values.shape)
    return zlib.compress(matrix.SerializeToString())


def add_labels(message: Message, objects: Objects) -> None:
    """Fill in the boxes."""
    for i, track in enumerate(objects.tracks):
        label = message.laser_labels.add(id=track, type=objects.kinds[i])
        box = label.box
        box.center_x, box.center_y, box.center_z = objects.centers[i]
        box.length, box.width, box.height = objects.sizes[i]
        box.heading = objects.headings[i]
        if np.isfinite(objects.velocities[i]).all():
            for axis, speed in zip("xyz", objects.velocities[i], strict=True):
                setattr(label.metadata, f"speed_{axis}", speed)
