"""The part of Waymo's Frame messages that recon reads, built from field numbers.

Only what is used is declared; a message keeps everything else as unknown fields. Field numbers are
facts of the format (Waymo Open Dataset, perception, version 1).
"""

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "recon.waymo"
# Field: (number, type), "*" for repeated, "+" for repeated and packed.
SCHEMA: dict[str, dict[str, tuple[int, str]]] = {
    "MatrixShape": {"dims": (1, "int32*")},
    "MatrixFloat": {"data": (1, "float+"), "shape": (2, "MatrixShape")},
    "MatrixInt32": {"data": (1, "int32+"), "shape": (2, "MatrixShape")},
    "Transform": {"transform": (1, "double*")},
    "Velocity": {
        "v_x": (1, "float"),
        "v_y": (2, "float"),
        "v_z": (3, "float"),
        "w_x": (4, "double"),
        "w_y": (5, "double"),
        "w_z": (6, "double"),
    },
    "CameraCalibration": {
        "name": (1, "int32"),
        "intrinsic": (2, "double*"),
        "extrinsic": (3, "Transform"),
        "width": (4, "int32"),
        "height": (5, "int32"),
        "rolling_shutter_direction": (6, "int32"),
    },
    "LaserCalibration": {
        "name": (1, "int32"),
        "beam_inclinations": (2, "double*"),
        "beam_inclination_min": (3, "double"),
        "beam_inclination_max": (4, "double"),
        "extrinsic": (5, "Transform"),
    },
    "Context": {
        "name": (1, "string"),
        "camera_calibrations": (2, "CameraCalibration*"),
        "laser_calibrations": (3, "LaserCalibration*"),
    },
    "CameraImage": {
        "name": (1, "int32"),
        "image": (2, "bytes"),
        "pose": (3, "Transform"),
        "velocity": (4, "Velocity"),
        "pose_timestamp": (5, "double"),
        "shutter": (6, "double"),
        "camera_trigger_time": (7, "double"),
        "camera_readout_done_time": (8, "double"),
    },
    "RangeImage": {
        "range_image_compressed": (2, "bytes"),
        "camera_projection_compressed": (3, "bytes"),
        "range_image_pose_compressed": (4, "bytes"),
    },
    "Laser": {
        "name": (1, "int32"),
        "ri_return1": (2, "RangeImage"),
        "ri_return2": (3, "RangeImage"),
    },
    "Box": {
        "center_x": (1, "double"),
        "center_y": (2, "double"),
        "center_z": (3, "double"),
        "width": (4, "double"),
        "length": (5, "double"),
        "height": (6, "double"),
        "heading": (7, "double"),
    },
    "Metadata": {"speed_x": (1, "double"), "speed_y": (2, "double"), "speed_z": (5, "double")},
    "Label": {
        "box": (1, "Box"),
        "metadata": (2, "Metadata"),
        "type": (3, "int32"),
        "id": (4, "string"),
    },
    "Frame": {
        "context": (1, "Context"),
        "timestamp_micros": (2, "int64"),
        "pose": (3, "Transform"),
        "images": (4, "CameraImage*"),
        "lasers": (5, "Laser*"),
        "laser_labels": (6, "Label*"),
    },
}

Message = Any
"""An instance of a class made at run time, whose fields no type checker can know."""


@cache
def classes() -> dict[str, Any]:
    """Return the message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="recon/waymo.proto", package=PACKAGE, syntax="proto2"
    )
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            declare(message.field.add(name=field, number=number), kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in SCHEMA
    }


def declare(field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
    """Set a field's type and whether it repeats."""
    base = kind.rstrip("*+")
    repeated = base != kind
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    field.options.packed = kind.endswith("+")
    if base in SCHEMA:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{base}"
    else:
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{base.upper()}")


def new(name: str) -> Message:
    """Return an empty message of the name."""
    return classes()[name]()
