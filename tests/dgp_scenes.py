"""The small drive of `drives` as a DGP scene, with one LiDAR and each datum's own pose."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from drives import BEGAN, CAR_SIZE, FAR, car_pose, lasers, make_drive, other_car, world_points
from scipy.spatial.transform import Rotation

from recon.datasets.waymo_segment import Frame, Segment
from recon.distortion import Brown

Json = dict[str, Any]
AXES = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
SIGN = FAR + np.array([10.0, -6.0, 1.0])
MIDDLE = 0.05
"""Seconds after a step begins; when the sweep is."""
ONTOLOGY = {"items": [{"id": 2, "name": "Car"}, {"id": 8, "name": "Sign", "isthing": True}]}


def pose_of(matrix: np.ndarray) -> Json:
    """Zeros are left out, as protocol buffers do."""
    numbers = Rotation.from_matrix(matrix[:3, :3]).as_quat(scalar_first=True)
    turn = {k: v for k, v in zip(("qw", "qx", "qy", "qz"), numbers.tolist(), strict=True) if v}
    place = dict(zip("xyz", matrix[:3, 3].tolist(), strict=True))
    return {"rotation": turn, "translation": place}


def stamp(seconds: float) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=BEGAN + round(seconds * 1e6))
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def lidar_pose(step: int) -> np.ndarray:
    return car_pose(0.1 * step + MIDDLE) @ lasers()["TOP"].laser_to_vehicle


def lidar_points(frame: Frame, step: int) -> np.ndarray:
    """All returns of the TOP laser in the world, where the laser hit them."""
    assert frame.scans is not None
    top = next(scan for scan in frame.scans.read() if scan.laser == "TOP")
    return np.concatenate(world_points(top, 0.1 * step))


def intensities(count: int) -> np.ndarray:
    return np.linspace(0, 1, count, dtype=np.float32)


def middle(frame: Frame, camera: str) -> float:
    """When the middle line of a photo was seen, in seconds since the drive began."""
    image = next(image for image in frame.images if image.camera == camera)
    assert image.exposure is not None
    return image.exposure.middle - BEGAN * 1e-6


def world_boxes(step: int) -> list[tuple[int, int, np.ndarray, np.ndarray]]:
    """Class, track, pose and size."""
    sign = np.eye(4)
    sign[:3, :3], sign[:3, 3] = Rotation.from_euler("z", 0.5).as_matrix(), SIGN
    car = other_car(0.1 * step + MIDDLE)
    return [(2, 70, car, CAR_SIZE), (8, 71, sign, np.array([0.1, 0.6, 0.6]))]


def box(label: int, track: int, pose: np.ndarray, size: np.ndarray) -> Json:
    length, width, height = size.tolist()
    shape = {"pose": pose_of(pose), "length": length, "width": width, "height": height}
    return {"class_id": label, "instance_id": track, "box": shape}


def datum(name: str, seconds: float, key: str, kind: str, content: Json) -> Json:
    names = {"name": name, "log": "", "timestamp": stamp(seconds), "index": "0"}
    return {"id": names, "key": key, "datum": {kind: content}, "next_key": "", "prev_key": ""}


def write_cloud(folder: Path, frame: Frame, step: int) -> Json:
    pose, world = lidar_pose(step), lidar_points(frame, step)
    local = (world - pose[:3, 3]) @ pose[:3, :3]
    file = folder / f"point_cloud/LIDAR/{step:04d}.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, data=np.column_stack([local, intensities(len(local))]))
    back = np.linalg.inv(pose)
    boxes = [box(kind, track, back @ place, size) for kind, track, place, size in world_boxes(step)]
    boxes_file = folder / f"bounding_box_3d/LIDAR/{step:04d}.json"
    boxes_file.parent.mkdir(parents=True, exist_ok=True)
    boxes_file.write_text(json.dumps({"annotations": boxes}))
    content = {
        "filename": f"point_cloud/LIDAR/{step:04d}.npz",
        "point_format": ["X", "Y", "Z", "INTENSITY"],
        "annotations": {"1": f"bounding_box_3d/LIDAR/{step:04d}.json"},
        "pose": pose_of(pose),
    }
    return datum("LIDAR", 0.1 * step + MIDDLE, f"cloud{step}", "point_cloud", content)


def write_photos(folder: Path, drive: Segment, frame: Frame, step: int) -> list[Json]:
    written = []
    for image in frame.images:
        rig, seconds = drive.cameras[image.camera], middle(frame, image.camera)
        name = f"rgb/{image.camera}/{step:04d}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image.image.read())
        content = {
            "filename": name,
            "width": rig.intrinsics.width,
            "height": rig.intrinsics.height,
            "channels": 3,
            "pose": pose_of(car_pose(seconds) @ rig.camera_to_vehicle @ AXES),
        }
        written.append(datum(image.camera, seconds, f"{image.camera}{step}", "image", content))
    return written


def calibration(drive: Segment) -> Json:
    """Intrinsics as DGP writes them; the extrinsics are nonsense, as nobody needs them."""
    lenses: list[Json] = [{"fx": 0.0, "fy": 0.0, "cx": 0.0, "cy": 0.0, "skew": 0.0}]
    for rig in drive.cameras.values():
        lens, bent = rig.intrinsics, rig.intrinsics.distortion
        assert isinstance(bent, Brown)
        pinhole = {"fx": lens.fx, "fy": lens.fy, "cx": lens.cx, "cy": lens.cy, "skew": 0.0}
        lenses.append(pinhole | {"k1": bent.k1, "k2": bent.k2, "p1": bent.p1, "p2": bent.p2})
    identity = pose_of(np.eye(4))
    return {
        "names": ["LIDAR", *drive.cameras],
        "intrinsics": lenses,
        "extrinsics": [identity] * len(lenses),
    }


def write_dgp(folder: Path, steps: int, name: str = "scene_1a2b.json") -> Path:
    """Write the first steps of the drive; return the scene file."""
    drive = make_drive(12)
    data, samples = [], []
    for step, frame in enumerate(drive.frames[:steps]):
        here = [write_cloud(folder, frame, step), *write_photos(folder, drive, frame, step)]
        data += here
        keys = [found["key"] for found in here]
        identity = {"name": "", "timestamp": stamp(0.1 * step), "index": "0", "log": ""}
        samples.append({"id": identity, "datum_keys": keys, "calibration_key": "cal"})
    (folder / "calibration").mkdir(exist_ok=True)
    (folder / "calibration/cal.json").write_text(json.dumps(calibration(drive)))
    (folder / "ontology").mkdir(exist_ok=True)
    (folder / "ontology/names.json").write_text(json.dumps(ONTOLOGY))
    content = {"name": "", "data": data, "samples": samples, "ontologies": {"1": "names"}}
    (folder / name).write_text(json.dumps(content))
    return folder / name
