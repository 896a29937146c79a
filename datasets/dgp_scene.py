"""What a DGP scene file lists: samples of photos and point clouds, each with its pose and time.

DGP is the Dataset Governance Policy of the Toyota Research Institute, the format of DDAD. Its files
are protocol buffers as JSON, in which a number that is zero may be left out. A pose leads from the
axes of its sensor, OpenCV's for a camera, to one world for the whole scene.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.datasets.folders import within
from recon.datasets.json_node import JsonNode
from recon.datasets.poses import FARTHEST
from recon.errors import DataError

BOXES = "1"
"""The number of three-dimensional boxes among the kinds of annotations."""
LARGEST = 100_000
"""Pixels; no photo is wider or higher."""
UNIT = 1e-3
"""By how much the length of a quaternion may differ from 1."""


@dataclass(frozen=True, eq=False)
class DgpImage:
    """A photo."""

    sensor: str
    name: str
    """Its path below the scene."""
    file: Path
    width: int
    height: int
    camera_to_world: Float64[np.ndarray, "4 4"]
    time: float
    """Seconds since 1970."""


@dataclass(frozen=True, eq=False)
class DgpCloud:
    """A sweep of one LiDAR."""

    sensor: str
    file: Path
    columns: tuple[str, ...]
    """Such as X Y Z INTENSITY; empty where nobody says."""
    sensor_to_world: Float64[np.ndarray, "4 4"]
    time: float
    boxes: Path | None


@dataclass(frozen=True, eq=False)
class DgpSample:
    """What was recorded together, about."""

    calibration: str
    images: list[DgpImage]
    clouds: list[DgpCloud]

    @property
    def time(self) -> float:
        """When the first of it was recorded."""
        times = [image.time for image in self.images] + [cloud.time for cloud in self.clouds]
        return min(times, default=0.0)


@dataclass(frozen=True, eq=False)
class DgpScene:
    """A scene file; its samples are translated when asked for."""

    folder: Path
    content: JsonNode
    data: dict[str, JsonNode] = field(repr=False)
    samples: list[JsonNode] = field(repr=False)

    @staticmethod
    def load(file: Path) -> "DgpScene":
        """Read a scene file.

        Raises:
            DataError: it is no JSON, or lists no samples.
        """
        content = JsonNode.load(file)
        data = {datum.get("key").text(): datum for datum in content.get("data").items()}
        samples = content.get("samples").items()
        if not samples:
            raise content.get("samples").unlike("at least one sample")
        return DgpScene(file.parent, content, data, samples)

    def sample(self, step: int) -> DgpSample:
        """Translate one sample.

        Raises:
            DataError: it lists a datum that is not there, or a datum lacks something.
        """
        sample = self.samples[step]
        images, clouds = [], []
        for key in sample.get("datum_keys").items():
            datum = self.data.get(key.text())
            if datum is None:
                raise DataError(
                    f"{sample.file}: `{key.place}` is {key.text()[:40]}, and no datum has that "
                    f"key; copy the file again, or leave time step {step} out with "
                    f"--drive.frames{self.others(step)}."
                )
            kinds = datum.get("datum")
            if (image := kinds.find("image")) is not None:
                images.append(self.image(datum, image))
            elif (cloud := kinds.find("point_cloud")) is not None:
                clouds.append(self.cloud(datum, cloud))
        return DgpSample(sample.get("calibration_key").text(), images, clouds)

    def others(self, step: int) -> str:
        """Return the larger of the ranges of time steps before and after one, to be typed."""
        before, after = (0, step - 1), (step + 1, len(self.samples) - 1)
        first, last = max(before, after, key=lambda part: part[1] - part[0])
        return f" {first} {last}" if first <= last else ""

    def image(self, datum: JsonNode, image: JsonNode) -> DgpImage:
        """Translate a photo."""
        return DgpImage(
            datum.get("id").get("name").text(),
            image.get("filename").text(),
            below(self.folder, image.get("filename")),
            size(image.get("width")),
            size(image.get("height")),
            pose(image.get("pose")),
            seconds(datum.get("id").get("timestamp")),
        )

    def cloud(self, datum: JsonNode, cloud: JsonNode) -> DgpCloud:
        """Translate a point cloud."""
        columns, notes = cloud.find("point_format"), cloud.find("annotations")
        boxes = None if notes is None else notes.find(BOXES)
        return DgpCloud(
            datum.get("id").get("name").text(),
            below(self.folder, cloud.get("filename")),
            () if columns is None else tuple(column.text() for column in columns.items()),
            pose(cloud.get("pose")),
            seconds(datum.get("id").get("timestamp")),
            None if boxes is None else below(self.folder, boxes),
        )


def below(folder: Path, name: JsonNode) -> Path:
    """Return the file that a name means.

    Raises:
        DataError: the name leads out of the folder.
    """
    path = within(folder, name.text())
    if path is None:
        raise name.unlike(f"a path below {folder}")
    return path


def pose(node: JsonNode) -> Float64[np.ndarray, "4 4"]:
    """Return a pose.

    Raises:
        DataError: a number is none, or the quaternion is not of length 1.
    """
    turn, move = node.get("rotation"), node.get("translation")
    quaternion = np.array([number(turn, key) for key in ("qw", "qx", "qy", "qz")])
    translation = np.array([number(move, key) for key in ("x", "y", "z")])
    if abs(math.hypot(*quaternion) - 1) > UNIT:
        raise turn.unlike("a quaternion of length 1")
    if not (np.abs(translation) < FARTHEST).all():
        raise move.unlike(f"lengths below {FARTHEST:g}")
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(quaternion, scalar_first=True).as_matrix()
    matrix[:3, 3] = translation
    return matrix


def number(node: JsonNode, key: str) -> float:
    """Return a number, which is 0 where it was left out."""
    found = node.find(key)
    return 0.0 if found is None else found.number()


def size(node: JsonNode) -> int:
    """Return a width or a height."""
    if not 1 <= node.whole() <= LARGEST:
        raise node.unlike(f"1 to {LARGEST} pixels")
    return node.whole()


def seconds(node: JsonNode) -> float:
    """Return a time in seconds since 1970."""
    try:
        return datetime.fromisoformat(node.text()).timestamp()
    except ValueError as error:
        raise node.unlike("a time such as 2020-05-08T00:38:58.203752Z") from error
