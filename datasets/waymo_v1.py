"""Waymo Open Dataset, perception, version 1: TFRecords of Frame messages.

A first pass checks every record and keeps what is small; photos and range images are read again
from their record when asked for.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from jaxtyping import Float64

from recon.datasets.range_image import LaserCalibration
from recon.datasets.stored_image import StoredImage
from recon.datasets.tfrecord import Record, records, tfrecords
from recon.datasets.waymo_schema import Message, classes, new
from recon.datasets.waymo_segment import (
    CAMERAS,
    LASERS,
    READ_OUT,
    CameraCalibration,
    CameraImage,
    Exposure,
    Frame,
    LaserScan,
    Motion,
    Objects,
    Scans,
    Segment,
    lens_of,
    name_of,
)
from recon.errors import DataError


def read_segment(path: Path, last: int | None = None) -> Segment:
    """Read the segment of a TFRecord, or of the only one in a folder.

    Args:
        path: of the file, or of the folder.
        last: the last record to read, counted from 0; what follows may be damaged.

    Raises:
        DataError: there is not exactly one, or it is damaged; the message names the record.
    """
    files = tfrecords(path)
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:3])
        raise DataError(
            f"{path}: {len(files)} TFRecords{f' ({names}, ...)' if files else ''}, and a capture "
            "is one segment; give the path of one."
        )
    first: Message = None
    frames: list[Frame] = []
    for record, data in islice(records(files[0]), None if last is None else last + 1):
        message = parse(record, data)
        first = message if first is None else first
        if message.context.name != first.context.name:
            raise DataError(
                f"{record}: of segment {message.context.name}, while the records before it are of "
                f"{first.context.name}; split the file, one segment in each."
            )
        if frames and message.timestamp_micros <= frames[-1].timestamp_micros:
            raise DataError(
                f"{record}: its time {message.timestamp_micros} µs does not come after that of the "
                f"record before it ({frames[-1].timestamp_micros} µs); download the file again."
            )
        frames.append(to_frame(record, message))
    if not any(frame.images for frame in frames):
        raise DataError(f"{files[0]}: no record holds a photo; recon fits photos.")
    return Segment(
        first.context.name,
        {name_of(CAMERAS, c.name): to_camera(c) for c in first.context.camera_calibrations},
        {name_of(LASERS, c.name): to_laser(c) for c in first.context.laser_calibrations},
        frames,
    )


def parse(record: Record, data: bytes) -> Message:
    """Parse a Frame.

    Raises:
        DataError: the data are something else.
    """
    try:
        message = classes()["Frame"].FromString(data)
    except DecodeError as error:
        raise DataError(f"{record}: no Waymo frame ({error}).") from error
    if not message.context.name or not message.HasField("timestamp_micros"):
        raise DataError(
            f"{record}: no frame of Waymo's perception data (a name and a time are missing); "
            "motion data holds no photos."
        )
    return message


@lru_cache(maxsize=2)
def parsed(record: Record) -> Message:
    """Read and parse a record again; its photos are asked for one after the other."""
    return parse(record, record.read())


def to_frame(record: Record, message: Message) -> Frame:
    """Keep what is small of a frame."""
    lasers = any(laser.ri_return1.range_image_compressed for laser in message.lasers)
    return Frame(
        message.timestamp_micros,
        matrix(record, message.pose, "pose"),
        [to_image(record, i, image) for i, image in enumerate(message.images)],
        RecordScans(record) if lasers else None,
        to_objects(message.laser_labels),
    )


def matrix(where: object, transform: Message, what: str) -> Float64[np.ndarray, "4 4"]:
    """Return a transform as a matrix."""
    values = np.array(transform.transform)
    if values.shape != (16,):
        raise DataError(f"{where}: its {what} has {len(values)} numbers; expected 16.")
    return values.reshape(4, 4)


def to_image(record: Record, index: int, image: Message) -> CameraImage:
    """Keep where a photo is and how it was taken."""
    name = name_of(CAMERAS, image.name)
    v = image.velocity
    moved = image.HasField("velocity")
    timed = image.HasField("camera_trigger_time")
    return CameraImage(
        name,
        RecordImage(record, index, name),
        matrix(record, image.pose, f"pose of {name}"),
        image.pose_timestamp,
        Motion(np.array([v.v_x, v.v_y, v.v_z]), np.array([v.w_x, v.w_y, v.w_z])) if moved else None,
        Exposure(image.shutter, image.camera_trigger_time, image.camera_readout_done_time)
        if timed
        else None,
    )


@dataclass(frozen=True)
class RecordImage(StoredImage):
    """A photo in a record."""

    record: Record
    index: int
    camera: str

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.record}, {self.camera}"

    def read(self) -> bytes:
        """Read the encoded photo."""
        return bytes(parsed(self.record).images[self.index].image)


@dataclass(frozen=True)
class RecordScans(Scans):
    """The range images in a record."""

    record: Record

    def read(self) -> list[LaserScan]:
        """Unpack every laser that measured something."""
        return [
            self.scan(laser)
            for laser in parsed(self.record).lasers
            if laser.ri_return1.range_image_compressed
        ]

    def scan(self, laser: Message) -> LaserScan:
        """Unpack one laser."""
        pair = (laser.ri_return1, laser.ri_return2)
        return LaserScan(
            name_of(LASERS, laser.name),
            tuple(self.unpack(one.range_image_compressed, "MatrixFloat", 4) for one in pair),
            tuple(self.unpack(one.camera_projection_compressed, "MatrixInt32", 6) for one in pair),
            self.unpack(laser.ri_return1.range_image_pose_compressed, "MatrixFloat", 6),
        )

    def unpack(self, packed: bytes, kind: str, channels: int) -> np.ndarray | None:
        """Unpack a matrix; None where there is none.

        Raises:
            DataError: it is damaged, or of another shape.
        """
        if not packed:
            return None
        matrix = new(kind)
        try:
            matrix.ParseFromString(zlib.decompress(packed))
        except (zlib.error, DecodeError) as error:
            raise DataError(f"{self.record}: a range image is damaged ({error}).") from error
        shape = tuple(matrix.shape.dims)
        values = np.array(matrix.data, np.float32)
        if len(shape) != 3 or shape[2] != channels or np.prod(shape) != values.size:
            raise DataError(
                f"{self.record}: a range image has the shape {shape} and {values.size} values; "
                f"expected height x width x {channels}."
            )
        return values.reshape(shape)


def to_objects(labels: Sequence[Message]) -> Objects:
    """Gather the boxes of a frame."""
    rows = [
        (
            b.center_x, b.center_y, b.center_z, b.length, b.width, b.height, b.heading,
            *(speed(label.metadata, axis) for axis in "xyz"),
        )
        for label in labels
        for b in (label.box,)
    ]  # fmt: skip
    table = np.array(rows, np.float64).reshape(-1, 10)
    return Objects(
        tuple(label.id for label in labels),
        tuple(label.type for label in labels),
        table[:, :3],
        table[:, 3:6],
        table[:, 6],
        table[:, 7:],
    )


def speed(metadata: Message, axis: str) -> float:
    """Return one part of a velocity: NaN where unknown, 0 up where only that is not told."""
    if not metadata.HasField("speed_x"):
        return float("nan")
    value: float = getattr(metadata, f"speed_{axis}")
    return value


def to_camera(message: Message) -> CameraCalibration:
    """Translate a camera's calibration."""
    name = name_of(CAMERAS, message.name)
    if len(message.intrinsic) != 9:
        raise DataError(f"camera {name} has {len(message.intrinsic)} intrinsics; expected 9.")
    return CameraCalibration(
        name,
        lens_of(message.width, message.height, list(message.intrinsic)),
        matrix(f"camera {name}", message.extrinsic, "extrinsic"),
        READ_OUT.get(message.rolling_shutter_direction),
    )


def to_laser(message: Message) -> LaserCalibration:
    """Translate a laser's calibration."""
    beams = np.array(message.beam_inclinations)
    name = name_of(LASERS, message.name)
    return LaserCalibration(
        name,
        matrix(f"laser {name}", message.extrinsic, "extrinsic"),
        (message.beam_inclination_min, message.beam_inclination_max),
        beams if len(beams) else None,
    )
