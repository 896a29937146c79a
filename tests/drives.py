"""A small drive from exact geometry: a road, a house beside it, and a car that overtakes.

The scanner here casts rays by the book, pixel by pixel, and shares no code with the readers.
"""

from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from recon.camera import Intrinsics
from recon.datasets.range_image import LaserCalibration
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
from recon.distortion import Brown
from recon.drive_types import ReadOut
from recon.types import Capture

NAME = "10504764403039842352_460_000_480_000"
BEGAN = 1_553_735_853_462_203
FAR = np.array([-25211.25, 42391.5, -160.5])  # The worlds of real segments begin far away.
SPEED, TURN = 8.0, 0.15
HOUSE = (np.array([14.0, 4.0, 0.0]), np.array([22.0, 9.0, 6.0]))
CAR_SIZE = np.array([4.5, 1.9, 1.6])
CAMERA_TO_WAYMO = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
SHUTTER, READOUT, POSE_EARLY = 0.003, 0.044, 0.003


@dataclass(frozen=True)
class MemoryImage(StoredImage):
    encoded: bytes

    def read(self) -> bytes:
        return self.encoded


@dataclass(frozen=True, eq=False)
class MemoryScans(Scans):
    scans: tuple[LaserScan, ...]

    def read(self) -> list[LaserScan]:
        return list(self.scans)


def rigid(rotation: Rotation, position: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), position
    return pose


def car_pose(seconds: float) -> np.ndarray:
    """Vehicle to world: along an arc, so that velocity and rotation are known exactly."""
    angle, radius = TURN * seconds, SPEED / TURN
    place = [radius * np.sin(angle), radius * (1 - np.cos(angle)), 0.0]
    tilt = Rotation.from_euler("y", 0.02)
    return rigid(Rotation.from_euler("z", angle) * tilt, np.array(place) + FAR)


def velocity(seconds: float) -> np.ndarray:
    exact = SPEED * np.array([np.cos(TURN * seconds), np.sin(TURN * seconds), 0.0])
    return exact.astype(np.float32).astype(np.float64)  # As the formats store it.


def other_car(seconds: float) -> np.ndarray:
    """Its box to the world: it overtakes on the right."""
    return rigid(Rotation.identity(), FAR + np.array([6 + 12 * seconds, -3.5, 0.8]))


def camera(name: str, yaw: float, width: int, height: int) -> CameraCalibration:
    lens = Brown(k1=0.04, k2=-0.33, p1=0.001, p2=-0.0016)
    intrinsics = Intrinsics(width, height, 1.1 * width, 1.1 * width, 0.49 * width, 20.5, lens)
    turned = Rotation.from_euler("zyx", [yaw, 0.01, -0.004])
    return CameraCalibration(
        name, intrinsics, rigid(turned, np.array([1.5, np.sin(yaw) / 9, 2.1])), ReadOut.RIGHT
    )


def lasers() -> dict[str, LaserCalibration]:
    top = rigid(Rotation.from_euler("zyx", [2.58, 0.005, 0.004]), np.array([1.43, 0.0, 2.18]))
    front = rigid(Rotation.from_euler("zyx", [-0.005, 0.02, 0.004]), np.array([4.07, 0.0, 0.69]))
    beams = -0.3 + 0.33 * np.linspace(0, 1, 10) ** 0.8
    return {
        "TOP": LaserCalibration("TOP", top, (-0.31, 0.04), beams),
        "FRONT": LaserCalibration("FRONT", front, (-np.pi / 2, np.pi / 6)),
    }


def hit(origin: np.ndarray, direction: np.ndarray, seconds: float) -> tuple[float, float] | None:
    """Distance to road, house or car within 60 m, and what a second return would measure."""
    distances = []
    origin = origin - FAR
    if direction[2] < -1e-9:
        distances.append(-origin[2] / direction[2])
    car = other_car(seconds)[:3, 3] - FAR
    for low, high in (HOUSE, (car - CAR_SIZE / 2, car + CAR_SIZE / 2)):
        with np.errstate(divide="ignore"):
            first, second = (low - origin) / direction, (high - origin) / direction
        near, far = np.minimum(first, second).max(), np.maximum(first, second).min()
        if 0 < near < far:
            distances += [near]
    distances = sorted(d for d in distances if d < 60)
    return None if not distances else (distances[0], [*distances, 0.0][1])


def scan(name: str, seconds: float, rows: int, columns: int, moving: bool) -> LaserScan:
    laser = lasers()[name]
    ranges = np.zeros((2, rows, columns, 4), np.float32)
    ranges[..., 0] = -1
    poses = np.zeros((rows, columns, 6), np.float32)
    heading = np.arctan2(laser.laser_to_vehicle[1, 0], laser.laser_to_vehicle[0, 0])
    low, high = laser.bounds
    for column in range(columns):
        when = seconds + (0.1 * column / columns if moving else 0.05)
        vehicle = car_pose(when)
        roll, pitch, yaw = Rotation.from_matrix(vehicle[:3, :3]).as_euler("xyz")
        poses[:, column] = [roll, pitch, yaw, *vehicle[:3, 3]]
        azimuth = np.pi - 2 * np.pi * (column + 0.5) / columns - heading
        pose = vehicle @ laser.laser_to_vehicle
        for row in range(rows):
            beam = rows - 1 - row
            inclination = (
                low + (high - low) * (beam + 0.5) / rows
                if laser.inclinations is None
                else laser.inclinations[beam]
            )
            ray = pose[:3, :3] @ [
                np.cos(azimuth) * np.cos(inclination),
                np.sin(azimuth) * np.cos(inclination),
                np.sin(inclination),
            ]
            found = hit(pose[:3, 3], ray, when)
            if found is not None:
                ranges[0, row, column] = [found[0], 0.25 + 0.5 * (row % 2), 0.1, column < 4]
                if found[1] > 0 and row % 3 == 0:
                    ranges[1, row, column] = [found[1], 0.9, 0.0, 0]
    return LaserScan(name, (ranges[0], ranges[1]), (None, None), poses if moving else None)


def project(view: CameraImage, rig: CameraCalibration, points: np.ndarray) -> np.ndarray:
    """Distorted pixels by OpenCV, NaN behind the camera or far outside; at the middle's pose."""
    assert view.exposure is not None
    if len(points) == 0:
        return np.zeros((0, 2))
    world = car_pose(view.exposure.middle - BEGAN * 1e-6) @ rig.camera_to_vehicle
    local = (points - world[:3, 3]) @ world[:3, :3] @ CAMERA_TO_WAYMO
    lens, bent = rig.intrinsics, rig.intrinsics.distortion
    assert isinstance(bent, Brown)
    matrix = np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1.0]])
    numbers = np.array([bent.k1, bent.k2, bent.p1, bent.p2, bent.k3])
    pixels = cv2.projectPoints(local, np.zeros(3), np.zeros(3), matrix, numbers)[0][:, 0]
    outside = (local[:, 2] < 0.5) | (np.abs(local[:, :2]).max(axis=1) > 0.7 * local[:, 2])
    size = np.array([lens.width, lens.height])
    outside |= (pixels < 0).any(axis=1) | (pixels >= size).any(axis=1)
    pixels[outside] = np.nan
    return pixels


def with_projections(
    scanned: LaserScan, points: list[np.ndarray], frame: Frame, rig: dict[str, CameraCalibration]
) -> LaserScan:
    """Record the first two cameras that see each point, in whole pixels."""
    numbers = {name: number for number, name in CAMERAS.items()}
    projections = []
    for image, positions in zip(scanned.ranges, points, strict=True):
        assert image is not None
        projection = np.zeros((*image.shape[:2], 6), np.float32)
        rows, columns = np.nonzero(image[..., 0] > 0)
        for view in frame.images:
            pixels = project(view, rig[view.camera], positions)
            for row, column, pixel in zip(rows, columns, pixels, strict=True):
                cell = projection[row, column]
                slot = 0 if cell[0] == 0 else 3
                if np.isfinite(pixel).all() and cell[slot] == 0:
                    cell[slot : slot + 3] = [numbers[view.camera], *np.floor(pixel)]
        projections.append(projection)
    return LaserScan(scanned.laser, scanned.ranges, tuple(projections), scanned.pixel_poses)


def photo(step: int, number: int, width: int, height: int) -> MemoryImage:
    """A gradient over the photo, so that a colour says which pixel it is from."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    pixels = np.stack([x, y, np.full_like(x, 20 * number + step)], axis=-1).astype(np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=98, subsampling=0)
    return MemoryImage(encoded.getvalue())


def world_points(scanned: LaserScan, seconds: float) -> list[np.ndarray]:
    """Points of each return, one by one and in float64, from the geometry above."""
    laser = lasers()[scanned.laser]
    heading = np.arctan2(laser.laser_to_vehicle[1, 0], laser.laser_to_vehicle[0, 0])
    found = []
    for image in scanned.ranges:
        assert image is not None
        rows, columns = image.shape[:2]
        points = []
        for row, column in zip(*np.nonzero(image[..., 0] > 0), strict=True):
            moving = scanned.pixel_poses is not None
            when = seconds + (0.1 * column / columns if moving else 0.05)
            low, high = laser.bounds
            beam = rows - 1 - row
            v = (
                low + (high - low) * (beam + 0.5) / rows
                if laser.inclinations is None
                else laser.inclinations[beam]
            )
            a = np.pi - 2 * np.pi * (column + 0.5) / columns - heading
            ray = [np.cos(a) * np.cos(v), np.sin(a) * np.cos(v), np.sin(v), 0]
            pose = car_pose(when) @ laser.laser_to_vehicle
            points.append(pose[:3, 3] + float(image[row, column, 0]) * (pose @ ray)[:3])
        found.append(np.array(points).reshape(-1, 3))
    return found


@cache
def make_drive(steps: int = 12) -> Segment:
    rig = {c.name: c for c in (camera("FRONT", 0.0, 60, 40), camera("SIDE_LEFT", 1.2, 60, 32))}
    frames = []
    for step in range(steps):
        seconds = step * 0.1
        images = []
        for number, c in enumerate(rig.values()):
            trigger = seconds + 0.02 + 0.01 * number
            exposure = Exposure(
                SHUTTER, BEGAN * 1e-6 + trigger, BEGAN * 1e-6 + trigger + SHUTTER + READOUT
            )
            posed = exposure.middle - BEGAN * 1e-6 - POSE_EARLY
            images.append(
                CameraImage(
                    c.name,
                    photo(step, number, c.intrinsics.width, c.intrinsics.height),
                    car_pose(posed),
                    BEGAN * 1e-6 + posed,
                    Motion(velocity(posed), np.array([0.0, 0.0, TURN])),
                    exposure,
                )
            )
        vehicle = car_pose(seconds + 0.05)
        car = np.linalg.inv(vehicle) @ other_car(seconds + 0.05)
        sign = np.linalg.inv(vehicle) @ np.array([*(FAR + np.array([10.0, -6.0, 1.0])), 1.0])
        objects = Objects(
            ("overtaker", "sign"),
            (1, 3),
            np.array([car[:3, 3], sign[:3]]),
            np.array([CAR_SIZE, [0.1, 0.6, 0.6]]),
            np.array([np.arctan2(car[1, 0], car[0, 0]), 0.5]),
            np.array([[12.0, 0.0, 0.0], [np.nan] * 3]),
        )
        frame = Frame(BEGAN + 100_000 * step, vehicle, images, None, objects)
        scans = tuple(
            with_projections(found, world_points(found, seconds), frame, rig)
            for found in (scan("TOP", seconds, 10, 60, True), scan("FRONT", seconds, 5, 16, False))
        )
        frames.append(Frame(frame.timestamp_micros, vehicle, images, MemoryScans(scans), objects))
    return Segment(NAME, rig, lasers(), frames)


def assert_same_capture(a: Capture, b: Capture) -> None:
    """One drive, read from v1 and from v2."""
    assert (a.format, b.format) == ("waymo-v1", "waymo-v2")
    assert a.split == b.split
    assert a.notes == b.notes
    assert a.warnings == b.warnings
    assert a.points is not None
    assert b.points is not None
    assert torch.equal(a.points.positions, b.points.positions)
    assert torch.equal(a.points.colors, b.points.colors)
    for one, other in zip(a.views, b.views, strict=True):
        assert (one.name, one.time, one.step, one.sensor) == (
            other.name, other.time, other.step, other.sensor,
        )  # fmt: skip
        assert torch.equal(one.camera.world_to_camera, other.camera.world_to_camera)
        assert replace(one.camera, world_to_camera=torch.eye(4)).fx == other.camera.fx
        assert torch.equal(one.photo.pixels(), other.photo.pixels())
        assert (one.shutter is None) == (other.shutter is None)
        if one.shutter is not None and other.shutter is not None:
            assert torch.equal(one.shutter.linear, other.shutter.linear)
            assert one.shutter.readout == other.shutter.readout
    for one, other in zip(a.lidar, b.lidar, strict=True):
        assert (one.time, one.step) == (other.time, other.step)
        first, second = one.returns(), other.returns()
        for name in ("positions", "intensity", "order", "laser", "unlabeled", "sensors"):
            assert torch.equal(getattr(first, name), getattr(second, name)), name
        torch.testing.assert_close(first.pixels, second.pixels, equal_nan=True, atol=0, rtol=0)
    for one, other in zip(a.boxes, b.boxes, strict=True):
        assert (one.tracks, one.kinds, one.time) == (other.tracks, other.kinds, other.time)
        assert torch.equal(one.poses, other.poses)
        assert torch.equal(one.sizes, other.sizes)
        torch.testing.assert_close(one.velocities, other.velocities, equal_nan=True)
