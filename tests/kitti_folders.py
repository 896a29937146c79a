"""Small KITTI folders of both layouts, written by the devkits' readmes; shares nothing with recon.

Both hold the same trip: a car that turns left, a laser, four cameras, and another car.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, FRAMES = 48, 32, 6
DATE, DRIVE = "2011_09_26", "2011_09_26_drive_0005_sync"
EARTH = 6378137.0
LATITUDE, LONGITUDE = 49.0115, 8.4218
CAR = np.array([4.2, 1.7, 1.5])  # Length, width, height.
# What stands in the fourth columns of KITTI's own calibrations, in metres.
SHIFTS = {0: (0, 0, 0), 1: (-0.537, 0, 0), 2: (0.06, -0.0003, 0.003), 3: (-0.473, 0.002, 0.004)}


def turn(axis: str, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def rigid(rotation: np.ndarray, place: object) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, place
    return pose


FORWARD_LEFT_UP = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # To right, down, forward.
IMU_TO_VELO = rigid(turn("z", 0.001) @ turn("x", -0.015), [-0.81, 0.32, -0.8])
VELO_TO_CAM = rigid(turn("x", 0.01) @ FORWARD_LEFT_UP, [-0.004, -0.076, -0.272])
RECTIFY = turn("y", 0.01) @ turn("x", -0.004)


def projection(camera: int) -> np.ndarray:
    """P or P_rect of a camera."""
    k = np.array([[40.0, 0, 23.1], [0, 40.0, 14.7], [0, 0, 1]])
    return k @ np.column_stack([np.eye(3), SHIFTS[camera]])


@dataclass(frozen=True)
class Trip:
    """Everything that the folders are written from."""

    eastnorth: np.ndarray = field(
        default_factory=lambda: np.array([[i, 0.05 * i**2, 0.02 * i] for i in range(FRAMES)], float)
    )
    """Metres east, north and up of the first packet."""
    angles: np.ndarray = field(
        default_factory=lambda: np.array([[0.01, -0.02, 0.3 + 0.1 * i] for i in range(FRAMES)])
    )
    """Roll, pitch and yaw."""

    def imu_to_map(self, frame: int) -> np.ndarray:
        roll, pitch, yaw = self.angles[frame]
        return rigid(turn("z", yaw) @ turn("y", pitch) @ turn("x", roll), self.eastnorth[frame])

    def imu_to_world(self, frame: int) -> np.ndarray:
        return np.linalg.inv(self.imu_to_map(0)) @ self.imu_to_map(frame)

    def velo_to_world(self, frame: int) -> np.ndarray:
        """To the raw layout's world."""
        return self.imu_to_world(frame) @ np.linalg.inv(IMU_TO_VELO)

    def cam_to_first_cam(self, frame: int) -> np.ndarray:
        """The odometry layout's pose."""
        to_cam = rigid(RECTIFY, 0) @ VELO_TO_CAM @ IMU_TO_VELO
        return to_cam @ self.imu_to_world(frame) @ np.linalg.inv(to_cam)

    def photo(self, camera: int, frame: int) -> np.ndarray:
        random = np.random.default_rng([camera, frame])
        shape = (HEIGHT, WIDTH) if camera < 2 else (HEIGHT, WIDTH, 3)
        return random.integers(0, 256, shape, dtype=np.uint8)

    def scan(self, frame: int) -> np.ndarray:
        """Points all around in the laser's axes, with reflectance."""
        random = np.random.default_rng([9, frame])
        points = random.uniform([-30, -20, -2, 0], [30, 20, 3, 1], (400, 4)).astype(np.float32)
        points[7, 1] = np.nan
        return points

    def other_car(self, frame: int) -> np.ndarray:
        """Its box's pose in the raw layout's world: it drives straight on at 7 m/s."""
        return rigid(turn("z", 0.2), [12 + 0.7 * frame * np.cos(0.2), 0.7 * frame * np.sin(0.2), 0])


def row(values: np.ndarray) -> str:
    return " ".join(f"{value:.12e}" for value in np.ravel(values))


def write_photos(trip: Trip, folders: dict[int, Path], digits: int) -> None:
    for camera, folder in folders.items():
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            Image.fromarray(trip.photo(camera, frame)).save(folder / f"{frame:0{digits}}.png")


def write_scans(trip: Trip, folder: Path, digits: int) -> None:
    folder.mkdir(parents=True)
    for frame in range(FRAMES):
        trip.scan(frame).astype("<f4").tofile(folder / f"{frame:0{digits}}.bin")


def write_odometry(root: Path, trip: Trip | None = None, sequence: str = "04") -> Path:
    """Write a dataset with one sequence, and return the sequence's folder."""
    trip = trip or Trip()
    folder = root / "sequences" / sequence
    write_photos(trip, {camera: folder / f"image_{camera}" for camera in range(4)}, 6)
    write_scans(trip, folder / "velodyne", 6)
    lines = [f"P{camera}: {row(projection(camera))}" for camera in range(4)]
    lines.append(f"Tr: {row((rigid(RECTIFY, 0) @ VELO_TO_CAM)[:3])}")
    (folder / "calib.txt").write_text("\n".join(lines) + "\n")
    (folder / "times.txt").write_text("".join(f"{0.1037 * i:e}\n" for i in range(FRAMES)))
    (root / "poses").mkdir(exist_ok=True)
    poses = [row(trip.cam_to_first_cam(frame)[:3]) for frame in range(FRAMES)]
    (root / "poses" / f"{sequence}.txt").write_text("\n".join(poses) + "\n")
    return folder


def write_raw(root: Path, trip: Trip | None = None) -> Path:
    """Write one drive of a date, and return the drive's folder."""
    trip = trip or Trip()
    date, drive = root / DATE, root / DATE / DRIVE
    write_photos(trip, {camera: drive / f"image_{camera:02}/data" for camera in range(4)}, 10)
    write_scans(trip, drive / "velodyne_points/data", 10)
    write_oxts(drive / "oxts/data", trip)
    stamps = [f"2011-09-26 13:02:{25 + 0.1037 * i:09.6f}123\n" for i in range(FRAMES)]
    for camera in range(4):
        (drive / f"image_{camera:02}/timestamps.txt").write_text("".join(stamps))
    cameras = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02"]
    for camera in range(4):
        rectify = RECTIFY if camera == 0 else turn("x", 0.02 * camera)
        cameras += [
            f"S_rect_{camera:02}: {row(np.array([WIDTH, HEIGHT]))}",
            f"R_rect_{camera:02}: {row(rectify)}",
            f"P_rect_{camera:02}: {row(projection(camera))}",
        ]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(cameras) + "\n")
    for name, pose in (("velo_to_cam", VELO_TO_CAM), ("imu_to_velo", IMU_TO_VELO)):
        (date / f"calib_{name}.txt").write_text(
            f"calib_time: 15-Mar-2012 11:37:16\nR: {row(pose[:3, :3])}\nT: {row(pose[:3, 3])}\n"
        )
    (drive / "tracklet_labels.xml").write_text(tracklets(trip))
    return drive


def write_oxts(folder: Path, trip: Trip) -> None:
    """Write packets: the map is conformal, so latitude is the Gudermannian of the distance."""
    folder.mkdir(parents=True)
    scale = np.cos(np.radians(LATITUDE)) * EARTH
    start = np.arcsinh(np.tan(np.radians(LATITUDE)))
    for frame, (east, north, up) in enumerate(trip.eastnorth):
        latitude = np.degrees(np.arctan(np.sinh(start + north / scale)))
        longitude = LONGITUDE + np.degrees(east / scale)
        angles = " ".join(f"{angle:.14f}" for angle in trip.angles[frame])
        place = f"{latitude:.15f} {longitude:.15f} {113.0 + up:.9f}"
        (folder / f"{frame:010}.txt").write_text(f"{place} {angles} {'0.5 ' * 19}4 8 5 5 6\n")


def tracklets(trip: Trip) -> str:
    """A car seen in frames 1 to 4, and a sitting person seen in frame 2."""
    poses = []
    for frame in range(1, 5):
        box = np.linalg.inv(trip.velo_to_world(frame)) @ trip.other_car(frame)
        # Only the turn about the upward axis is labelled; roll and pitch are written here too.
        yaw = np.arctan2(box[1, 0], box[0, 0])
        pitch = np.arctan2(-box[2, 0], np.hypot(box[0, 0], box[1, 0]))
        roll = np.arctan2(box[2, 1], box[2, 2])
        floor = box[:3, 3] - box[:3, 2] * CAR[2] / 2
        poses.append((floor, (roll, pitch, yaw)))
    seated = [(np.array([5.0, 2.0, -1.7]), (0.0, 0.0, 1.0))]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>',
            "<!DOCTYPE boost_serialization>",
            '<boost_serialization signature="serialization::archive" version="9">',
            '<tracklets class_id="0" tracking_level="0" version="0">',
            "<count>2</count><item_version>1</item_version>",
            item("Car", CAR, 1, poses),
            item("Person (sitting)", np.array([0.8, 0.6, 1.2]), 2, seated),
            "</tracklets></boost_serialization>",
        ]
    )


def item(kind: str, size: np.ndarray, first: int, poses: list[tuple[np.ndarray, tuple]]) -> str:
    rows = "".join(
        f"<item><tx>{x!r}</tx><ty>{y!r}</ty><tz>{z!r}</tz>"
        f"<rx>{a!r}</rx><ry>{b!r}</ry><rz>{c!r}</rz><state>2</state></item>"
        for (x, y, z), (a, b, c) in (
            (place.tolist(), [float(v) for v in angles]) for place, angles in poses
        )
    )
    length, width, height = size.tolist()
    return (
        f"<item><objectType>{kind}</objectType><h>{height}</h><w>{width}</w><l>{length}</l>"
        f"<first_frame>{first}</first_frame><poses><count>{len(poses)}</count>"
        f"<item_version>2</item_version>{rows}</poses><finished>1</finished></item>"
    )
