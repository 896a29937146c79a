"""A Waymo segment of real size from simple geometry, for timings of what opens and reads it.

The car drives along a straight street between two walls, so that every sweep has the same ranges.
Photos are noise of a few kinds: as large and as slow to decode as real ones, and nothing to see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, Float64
from PIL import Image
from scipy.spatial.transform import Rotation

from recon.camera import Intrinsics
from recon.datasets.range_image import LaserCalibration, in_vehicle
from recon.datasets.stored_image import StoredImage
from recon.datasets.waymo_segment import (
    CAMERAS,
    CameraCalibration,
    CameraImage,
    Exposure,
    Frame,
    LaserScan,
    Motion,
    Objects,
    Scans,
    Segment,
)
from recon.datasets.waymo_write_v2 import write_v2
from recon.distortion import Brown
from recon.drive_types import ReadOut

NAME = "10504764403039842352_460_000_480_000"
BEGAN = 1_553_735_853_462_203
ORIGIN = np.array([-25211.25, 42391.5, -160.5])  # The worlds of real segments begin far away.
SPEED = 8.0
"""m/s"""
STREET = 9.0
"""Metres from the middle of the street to its walls."""
FARTHEST = 75.0
SECOND = 0.15
"""Share of the beams that come back twice."""
CAMERA_TO_WAYMO = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
KINDS = 3
"""Different photos of a camera."""
RIG = {
    "FRONT": (0.0, 1920, 1280),
    "FRONT_LEFT": (0.78, 1920, 1280),
    "FRONT_RIGHT": (-0.78, 1920, 1280),
    "SIDE_LEFT": (1.57, 1920, 886),
    "SIDE_RIGHT": (-1.57, 1920, 886),
}
"""Heading in radians, width and height."""


@dataclass(frozen=True)
class MadeImage(StoredImage):
    """An encoded photo in memory."""

    encoded: bytes

    def read(self) -> bytes:
        """Return it."""
        return self.encoded


@dataclass(frozen=True, eq=False)
class MadeScans(Scans):
    """The scans of a frame: those of every frame, with the car's poses of this one."""

    scans: tuple[LaserScan, ...]
    place: Float64[np.ndarray, "3"]
    """Of the car in the middle of the sweep."""

    def read(self) -> list[LaserScan]:
        """Place the scans."""
        return [self.placed(scan) for scan in self.scans]

    def placed(self, scan: LaserScan) -> LaserScan:
        """Give the top laser a pose for each pixel, as the files do."""
        if scan.laser != "TOP":
            return scan
        assert scan.ranges[0] is not None
        rows, columns = scan.ranges[0].shape[:2]
        poses = np.zeros((rows, columns, 6), np.float32)
        poses[..., 3:] = self.place
        poses[..., 3] += SPEED * np.linspace(-0.05, 0.05, columns, dtype=np.float32)
        return LaserScan(scan.laser, scan.ranges, scan.projections, poses)


def cameras() -> dict[str, CameraCalibration]:
    """Return a rig like that of the real cars."""
    lens = Brown(k1=0.04, k2=-0.33, p1=0.001, p2=-0.0016)
    found = {}
    for name, (heading, width, height) in RIG.items():
        intrinsics = Intrinsics(width, height, 2050.0, 2050.0, 0.49 * width, 0.5 * height, lens)
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_euler("z", heading).as_matrix()
        pose[:3, 3] = [1.5, np.sin(heading) / 9, 2.1]
        found[name] = CameraCalibration(name, intrinsics, pose, ReadOut.RIGHT)
    return found


def lasers() -> dict[str, LaserCalibration]:
    """Return the five lasers: one on the roof, four near the ground."""
    top = np.eye(4)
    top[:3, 3] = [1.43, 0, 2.18]
    found = {"TOP": LaserCalibration("TOP", top, (-0.31, 0.04), np.linspace(-0.31, 0.04, 64))}
    places = {"FRONT": (4.07, 0), "SIDE_LEFT": (3.2, 1), "SIDE_RIGHT": (3.2, -1), "REAR": (-1.1, 0)}
    for name, (x, y) in places.items():
        pose = np.eye(4)
        pose[:3, 3] = [x, y, 0.7]
        found[name] = LaserCalibration(name, pose, (-np.pi / 2, np.pi / 6))
    return found


def made_scan(
    laser: LaserCalibration, rows: int, columns: int, rig: dict[str, CameraCalibration]
) -> LaserScan:
    """Return what a laser sees of the street, and the pixels that show it."""
    random = np.random.default_rng(rows)
    ones = np.ones((rows, columns, 1), np.float32)
    every = np.nonzero(ones[..., 0])
    ray = in_vehicle(ones, *every, laser) - laser.laser_to_vehicle[:3, 3].astype(np.float32)
    _, y, z = laser.laser_to_vehicle[:3, 3]
    with np.errstate(divide="ignore"):
        walls = (np.sign(ray[:, 1]) * STREET - y) / ray[:, 1]
        road = np.where(ray[:, 2] < 0, -z / ray[:, 2], np.inf)
    distance = np.minimum(walls, road) + random.normal(0, 0.01, len(ray))
    reaches = (distance > 0.5) & (distance < FARTHEST)
    # The lasers near the ground see a cone before them only.
    if rows > 64:
        reaches &= np.hypot(distance * ray[:, 0], distance * ray[:, 1]) < 20
        reaches &= random.random(len(ray)) < 0.4
    ranges, projections = [], []
    for share, farther in ((1.0, 0.0), (SECOND, 2.0)):
        there = (reaches & (random.random(len(ray)) < share)).reshape(rows, columns)
        image = np.full((rows, columns, 4), -1, np.float32)
        image[there, 0] = distance.reshape(rows, columns)[there] + farther
        image[there, 1:3] = random.random((int(there.sum()), 2))
        image[there, 3] = 0
        ranges.append(image)
        projections.append(made_projection(image, there, laser, rig))
    return LaserScan(laser.name, (ranges[0], ranges[1]), (projections[0], projections[1]))


def made_projection(
    image: Float32[np.ndarray, "h w 4"],
    there: np.ndarray,
    laser: LaserCalibration,
    rig: dict[str, CameraCalibration],
) -> Float32[np.ndarray, "h w 6"]:
    """Record up to two cameras that see each return, and whole pixels."""
    projection = np.zeros((*image.shape[:2], 6), np.float32)
    rows, columns = np.nonzero(there)
    points = in_vehicle(image, rows, columns, laser)
    numbers = {name: number for number, name in CAMERAS.items()}
    for name, camera in rig.items():
        pose, lens = camera.camera_to_vehicle, camera.intrinsics
        local = (points - pose[:3, 3]) @ pose[:3, :3] @ CAMERA_TO_WAYMO
        with np.errstate(divide="ignore", invalid="ignore"):
            u = lens.fx * local[:, 0] / local[:, 2] + lens.cx
            v = lens.fy * local[:, 1] / local[:, 2] + lens.cy
            seen = (local[:, 2] > 1) & (u >= 0) & (u < lens.width) & (v >= 0) & (v < lens.height)
        for slot in (0, 3):
            free = seen & (projection[rows, columns, slot] == 0)
            where = rows[free], columns[free]
            projection[where[0], where[1], slot] = numbers[name]
            projection[where[0], where[1], slot + 1] = np.floor(u[free])
            projection[where[0], where[1], slot + 2] = np.floor(v[free])
            seen &= ~free
    return projection


def made_photo(seed: int, width: int, height: int) -> MadeImage:
    """Return noise on several scales, about 400 kB as a JPEG of 1920 x 1280."""
    random = np.random.default_rng(seed)
    total = np.full((height, width), 110, np.float32)
    for grain, strength in ((2, 8.0), (16, 20.0), (128, 30.0)):
        noise = random.normal(0, strength, (height // grain + 1, width // grain + 1))
        total += cv2.resize(noise.astype(np.float32), (width, height))
    pixels = np.clip(total[..., None] * np.float32([1, 0.95, 0.9]), 0, 255).astype(np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=90)
    return MadeImage(encoded.getvalue())


def made_frames(count: int, scans: tuple[LaserScan, ...]) -> Iterator[Frame]:
    """Yield frames a tenth of a second apart."""
    photos = {
        name: [made_photo(10 * i + kind, *size) for kind in range(KINDS)]
        for i, (name, (_, *size)) in enumerate(RIG.items())
    }
    tracks = tuple(f"car {i}" for i in range(40))
    for step in range(count):
        seconds = 0.1 * step
        pose = np.eye(4)
        pose[:3, 3] = ORIGIN + np.array([SPEED * seconds, 0, 0])
        at = BEGAN * 1e-6 + seconds
        images = [
            CameraImage(
                name,
                kinds[step % KINDS],
                pose,
                at,
                Motion(np.array([SPEED, 0, 0]), np.zeros(3)),
                Exposure(0.003, at - 0.0235, at + 0.0235),
            )
            for name, kinds in photos.items()
        ]
        moving = np.zeros((len(tracks), 3))
        moving[::2, 0] = 12.0
        objects = Objects(
            tracks,
            (1,) * len(tracks),
            np.stack([np.linspace(-60, 60, 40), np.resize([-4.0, 4.0], 40), np.ones(40)], axis=1),
            np.tile([4.5, 1.9, 1.6], (len(tracks), 1)),
            np.zeros(len(tracks)),
            moving,
        )
        yield Frame(BEGAN + 100_000 * step, pose, images, MadeScans(scans, pose[:3, 3]), objects)


def write_segment(root: Path, frames: int, rows_per_group: int) -> None:
    """Write the segment below a folder of components."""
    rig, beams = cameras(), lasers()
    shapes = {name: (64, 2650) if name == "TOP" else (200, 600) for name in beams}
    scans = tuple(made_scan(beams[name], *shape, rig) for name, shape in shapes.items())
    segment = Segment(NAME, rig, beams, list(made_frames(frames, scans)))
    write_v2(root, segment, rows_per_group)
