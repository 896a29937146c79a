"""A Waymo segment as both generations of its files hold it, whichever they are.

The readers fill these types and the writers take them, so that one segment written either way is
the same segment again. Arrays are in Waymo's own frames: the vehicle's x points forward, y left and
z up; a camera's x looks along its optical axis, y left and z up; the world is one segment's own.
"""

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64

from recon.camera import Intrinsics
from recon.datasets.range_image import LaserCalibration
from recon.datasets.stored_image import StoredImage
from recon.distortion import Brown
from recon.drive_types import ReadOut

CAMERAS = {
    1: "FRONT",
    2: "FRONT_LEFT",
    3: "FRONT_RIGHT",
    4: "SIDE_LEFT",
    5: "SIDE_RIGHT",
    6: "REAR_LEFT",
    7: "REAR",
    8: "REAR_RIGHT",
}
LASERS = {1: "TOP", 2: "FRONT", 3: "SIDE_LEFT", 4: "SIDE_RIGHT", 5: "REAR"}
KINDS = {0: "unknown", 1: "vehicle", 2: "pedestrian", 3: "sign", 4: "cyclist"}
READ_OUT = {1: ReadOut.DOWN, 2: ReadOut.RIGHT, 3: ReadOut.UP, 4: ReadOut.LEFT}
"""5 is a global shutter, 0 is unknown."""


@dataclass(frozen=True, eq=False)
class CameraCalibration:
    """Where a camera stands on the car, its lens, and how it is read out."""

    name: str
    intrinsics: Intrinsics
    camera_to_vehicle: Float64[np.ndarray, "4 4"]
    """Of Waymo's camera frame."""
    read_out: ReadOut | None = None
    """None for a global shutter, and where unknown."""


@dataclass(frozen=True, eq=False)
class Motion:
    """How the car moved when a photo was taken."""

    linear: Float64[np.ndarray, "3"]
    """m/s in the world."""
    angular: Float64[np.ndarray, "3"]
    """rad/s in the world."""


@dataclass(frozen=True)
class Exposure:
    """When a sensor was triggered, for how long each line saw light, and when the last was read.

    Seconds, on the clock of the poses.
    """

    shutter: float
    trigger: float
    done: float

    @property
    def readout(self) -> float:
        """Seconds from the first line's exposure to the last's."""
        return self.done - self.trigger - self.shutter

    @property
    def middle(self) -> float:
        """The middle of the middle line's exposure."""
        return self.trigger + (self.shutter + self.readout) / 2


@dataclass(frozen=True, eq=False)
class CameraImage:
    """One photo and where the car was."""

    camera: str
    image: StoredImage
    vehicle_to_world: Float64[np.ndarray, "4 4"]
    """At `pose_time`."""
    pose_time: float
    """Seconds since 1970."""
    motion: Motion | None = None
    exposure: Exposure | None = None


@dataclass(frozen=True, eq=False)
class LaserScan:
    """One laser's range images of a frame: one for each return, None where there is none."""

    laser: str
    ranges: tuple[Float32[np.ndarray, "h w 4"] | None, ...]
    """Range in metres, intensity, elongation, and 1 in a zone without labels."""
    projections: tuple[Float32[np.ndarray, "h w 6"] | None, ...] = (None, None)
    """Twice a camera's number, x and y; 0 for none. Pixel 0 begins at the photo's left edge."""
    pixel_poses: Float32[np.ndarray, "h w 6"] | None = None
    """Roll, pitch, yaw, x, y and z of the car for each pixel."""


class Scans(abc.ABC):
    """The range images of a frame, on disk."""

    @abc.abstractmethod
    def read(self) -> list[LaserScan]:
        """Read and unpack them.

        Raises:
            DataError: they cannot be read.
        """


@dataclass(frozen=True, eq=False)
class Objects:
    """The labelled boxes of a frame, upright in the car's frame."""

    tracks: tuple[str, ...]
    kinds: tuple[int, ...]
    centers: Float64[np.ndarray, "n 3"]
    sizes: Float64[np.ndarray, "n 3"]
    """Length, width and height."""
    headings: Float64[np.ndarray, " n"]
    """Radians from the car's x axis, anticlockwise seen from above."""
    velocities: Float64[np.ndarray, "n 3"]
    """In the world's axes; NaN where unknown."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One time step."""

    timestamp_micros: int
    vehicle_to_world: Float64[np.ndarray, "4 4"] | None
    """Of the middle of the sweep, as a rule; boxes and plain range images refer to it."""
    images: list[CameraImage]
    scans: Scans | None = None
    objects: Objects | None = None


@dataclass(frozen=True, eq=False)
class Segment:
    """A drive of some 20 s."""

    name: str
    cameras: dict[str, CameraCalibration]
    lasers: dict[str, LaserCalibration]
    frames: list[Frame]
    """By time."""
    warnings: list[str] = field(default_factory=list)


def lens_of(width: int, height: int, numbers: Sequence[float]) -> Intrinsics:
    """Return a lens from Waymo's order of numbers: f_u f_v c_u c_v k1 k2 p1 p2 k3."""
    fx, fy, cx, cy, *bent = numbers
    k1, k2, p1, p2, k3 = bent
    distortion = Brown(k1=k1, k2=k2, p1=p1, p2=p2, k3=k3) if any(bent) else None
    return Intrinsics(width, height, fx, fy, cx, cy, distortion)


def lens_numbers(lens: Intrinsics) -> list[float]:
    """Return a lens in Waymo's order of numbers.

    Raises:
        ValueError: Waymo's format cannot express its distortion.
    """
    bent = Brown() if lens.distortion is None else lens.distortion
    if not isinstance(bent, Brown) or any((bent.k4, bent.k5, bent.k6)):
        raise ValueError(f"{bent} has no place in Waymo's format; undistort first.")
    pinhole = [lens.fx, lens.fy, lens.cx, lens.cy]
    return [*pinhole, bent.k1, bent.k2, bent.p1, bent.p2, bent.k3]


def number_of(names: Mapping[int, object], name: object) -> int:
    """Return the number that Waymo gives a name; 0, unknown, for None."""
    return next((number for number, known in names.items() if known == name), 0)


def name_of(names: Mapping[int, str], number: int | str) -> str:
    """Return the name of a number; what is no known number stays as it is."""
    return names.get(number, str(number)) if isinstance(number, int) else number
