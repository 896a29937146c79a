"""COLMAP's binary files: cameras.bin, images.bin, points3D.bin. Little endian throughout.

Every count is checked against the bytes that are left before anything is read by it.
Source: COLMAP's documentation, "Output Format".
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from recon.datasets.colmap_cameras import BY_NUMBER
from recon.datasets.colmap_model import ColmapCamera, ColmapImage, ColmapModel, ColmapPoints
from recon.errors import DataError

SMALLEST_CAMERA = 24 + 16  # Two parameters is the fewest any model has.
SMALLEST_IMAGE = 64 + 1 + 8
SMALLEST_POINT = 51
OBSERVATION = 24  # x, y and the number of a point.
TRACK_ELEMENT = 8  # The number of an image and the index of an observation.


class Cursor:
    """Bytes of a file and a position that moves through them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = path.read_bytes()
        self.position = 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Read numbers."""
        self.require(layout.size)
        values = layout.unpack_from(self.data, self.position)
        self.position += layout.size
        return values

    def count(self, smallest: int) -> int:
        """Read how many records follow, each at least so many bytes long."""
        count: int = self.take(COUNT)[0]
        self.require(count * smallest, f"{count} records")
        return count

    def skip(self, length: int, what: str) -> None:
        """Pass over so many bytes."""
        self.require(length, what)
        self.position += length

    def name(self) -> str:
        """Read text that ends with a zero byte."""
        end = self.data.find(b"\0", self.position)
        if end < 0:
            raise self.broken("a name without an end")
        text = self.data[self.position : end]
        self.position = end + 1
        return text.decode("utf-8", errors="replace")

    def require(self, length: int, what: str = "a record") -> None:
        """Refuse to read past the end."""
        left = len(self.data) - self.position
        if length > left:
            raise self.broken(f"{what} of {length} bytes where {left} are left")

    def broken(self, what: str) -> DataError:
        """Return the error that says where the file stops making sense."""
        return DataError(
            f"{self.path}: {what}, at byte {self.position} of {len(self.data)}. The file is cut "
            "off or not COLMAP's; copy it again or export the model again."
        )


COUNT = struct.Struct("<Q")
CAMERA = struct.Struct("<IiQQ")
IMAGE = struct.Struct("<I7dI")
POINT = struct.Struct("<Q3d3Bd")


def read_binary(folder: Path) -> ColmapModel:
    """Read a sub-model.

    Raises:
        DataError: a file is cut off or states counts that it cannot hold.
    """
    return ColmapModel(
        read_cameras(folder / "cameras.bin"),
        read_images(folder / "images.bin"),
        read_points(folder / "points3D.bin"),
    )


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """Read cameras.bin."""
    cursor = Cursor(path)
    cameras = {}
    for _ in range(cursor.count(SMALLEST_CAMERA)):
        number, model_number, width, height = cursor.take(CAMERA)
        model = BY_NUMBER.get(model_number)
        if model is None:
            raise cursor.broken(
                f"camera {number} has model number {model_number}, beyond those known "
                f"(0 to {max(BY_NUMBER)})"
            )
        parameters = cursor.take(struct.Struct(f"<{model.parameters}d"))
        cameras[number] = ColmapCamera(number, model.name, width, height, parameters)
    return cameras


def read_images(path: Path) -> list[ColmapImage]:
    """Read images.bin, without the observations."""
    cursor = Cursor(path)
    images = []
    for _ in range(cursor.count(SMALLEST_IMAGE)):
        number, qw, qx, qy, qz, tx, ty, tz, camera = cursor.take(IMAGE)
        name = cursor.name()
        (observations,) = cursor.take(COUNT)
        cursor.skip(observations * OBSERVATION, f"{observations} observations of {name}")
        images.append(ColmapImage(number, (qw, qx, qy, qz), (tx, ty, tz), camera, name))
    return images


def read_points(path: Path) -> ColmapPoints:
    """Read points3D.bin, without the tracks; a missing file holds no points."""
    if not path.is_file():
        return ColmapPoints(np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    cursor = Cursor(path)
    count = cursor.count(SMALLEST_POINT)
    positions = np.empty((count, 3))
    colors = np.empty((count, 3), np.uint8)
    for row in range(count):
        _, x, y, z, red, green, blue, _ = cursor.take(POINT)
        positions[row] = x, y, z
        colors[row] = red, green, blue
        (length,) = cursor.take(COUNT)
        cursor.skip(length * TRACK_ELEMENT, f"a track of {length}")
    return ColmapPoints(positions, colors)
