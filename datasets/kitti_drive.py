"""A drive as KITTI's two layouts hold it, odometry and raw, whichever it is.

The *reference* is camera 0 after rectification (left, grey): x right, y down, z forward. All four
cameras share its axes and differ from it by a shift only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.camera import Intrinsics
from recon.datasets.kitti_text import Calibration
from recon.errors import DataError

CAMERA = re.compile(r"image_(?:0?([0-3])|([lr]))")
NUMBER = re.compile(r"[0-9]{1,15}")
PIXEL_CENTRE = 0.5
"""KITTI counts pixels from the centre of the first one, recon from its corner."""
RATE = 10.0
"""Frames a second, where nobody says when they were taken."""


@dataclass(frozen=True, eq=False)
class KittiCamera:
    """A rectified camera."""

    name: str
    """Of its folder."""
    intrinsics: Intrinsics
    from_reference: Float64[np.ndarray, "3"]
    """A point's place in this camera is that in the reference plus this, in metres."""


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One labelled object, in the laser's axes of each frame."""

    kind: str
    """As KITTI names it, such as Car."""
    size: Float64[np.ndarray, "3"]
    """Length, width and height."""
    first: int
    """Number of the first frame."""
    poses: Float64[np.ndarray, "n 4 4"]
    """From the box's axes, origin in its centre, to the laser's, frame after frame."""


@dataclass(frozen=True, eq=False)
class KittiDrive:
    """Everything of one drive; frames are known by their numbers."""

    path: Path
    photos: Mapping[str, Mapping[int, Path]]
    """By the camera's folder, then by frame."""
    calibration: Calibration
    projection: str
    """The key of a camera's projection, with a place for its number."""
    poses: Mapping[int, Float64[np.ndarray, "4 4"]]
    """From the reference's axes to the world."""
    poses_from: Path
    times: Mapping[int, float]
    """Seconds since the first frame; empty where nobody says."""
    velodyne: Mapping[int, Path] = field(default_factory=dict)
    velodyne_to_reference: Float64[np.ndarray, "4 4"] | None = None
    tracklets: Sequence[Tracklet] = ()
    warnings: list[str] = field(default_factory=list)

    def camera(self, name: str, width: int, height: int) -> KittiCamera:
        """Return a camera whose photos have this size.

        Raises:
            DataError: its projection is missing, or none of a rectified camera.
        """
        key = self.projection.format(number_of(name))
        path = self.calibration.path
        if key not in self.calibration:
            raise DataError(
                f"{path}: no {key}, which {name} needs; download the calibration again, or read "
                "other cameras with --drive.cameras."
            )
        matrix = self.calibration.matrix(key, 3, 4)
        k = matrix[:, :3]
        (fx, _, cx), (_, fy, cy), _ = k.tolist()
        if min(fx, fy) <= 0 or not np.array_equal(k, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]):
            raise DataError(
                f"{path}: {key} is no projection of a rectified camera, which is [fx 0 cx; 0 fy cy;"
                " 0 0 1] and a fourth column; download the calibration again."
            )
        lens = Intrinsics(width, height, fx, fy, cx + PIXEL_CENTRE, cy + PIXEL_CENTRE)
        return KittiCamera(name, lens, np.linalg.solve(k, matrix[:, 3]))

    def time(self, frame: int) -> float:
        """Return when a frame was taken.

        Raises:
            DataError: times are known, but not this one.
        """
        if not self.times:
            return frame / RATE
        if frame not in self.times:
            raise DataError(
                f"{self.path}: {len(self.times)} times, none of them for frame {frame}; download "
                "the file of times again, or take it away to have 10 frames a second."
            )
        return self.times[frame]


def number_of(name: str) -> int | None:
    """Return a camera's number in KITTI: 0 left grey, 1 right grey, 2 left and 3 right in colour.

    image_2, image_02 and, for grey pairs, image_l and image_r are understood; None for others.
    """
    found = CAMERA.fullmatch(name)
    if found is None:
        return None
    digit, letter = found.groups()
    return "lr".index(letter) if digit is None else int(digit)


def numbered(folder: Path, suffixes: Sequence[str]) -> dict[int, Path]:
    """Return the files of a folder whose names are numbers, by number."""
    if not folder.is_dir():
        return {}
    return {
        int(path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in suffixes and NUMBER.fullmatch(path.stem)
    }
