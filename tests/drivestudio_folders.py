"""The small drive of `drives` as drivestudio prepares a Waymo segment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from drives import make_drive, world_points
from PIL import Image
from scipy.spatial.transform import Rotation

from recon.datasets.waymo_segment import KINDS, LASERS, Frame, lens_numbers

NUMBERS = {"FRONT": 0, "SIDE_LEFT": 3}
CLASSES = {"vehicle": "Vehicle", "pedestrian": "Pedestrian", "cyclist": "Cyclist"}
"""Signs are left out."""
SKY, MOVING = (slice(0, 11), slice(4, 60)), (slice(20, 30), slice(5, 25))


def save_text(file: Path, numbers: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(file, numbers)


def first_returns(frame: Frame, step: int) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Each laser's number from 0, its points in the world, and their intensities."""
    assert frame.scans is not None
    found = []
    for scan in frame.scans.read():
        number = next(n for n, name in LASERS.items() if name == scan.laser) - 1
        image = scan.ranges[0]
        assert image is not None
        found.append((number, world_points(scan, 0.1 * step)[0], image[image[..., 0] > 0][:, 1]))
    return found


def columns(frame: Frame, step: int) -> np.ndarray:
    """The 14 columns of all first returns, in the car's axes."""
    assert frame.vehicle_to_world is not None
    rows = []
    for number, world, intensity in first_returns(frame, step):
        pose = frame.vehicle_to_world
        values = np.zeros((len(world), 14))
        values[:, :3] = [1.43, 0, 2.18]
        values[:, 3:6] = (world - pose[:3, 3]) @ pose[:3, :3]
        values[:, 6:9], values[:, 9] = 0.5, -1
        values[:, 10], values[:, 11], values[:, 12] = values[:, 5] < 0.2, intensity, 0.1
        values[:, 13] = number
        rows.append(values)
    return np.concatenate(rows).astype("<f4")


def save_mask(file: Path, size: tuple[int, int], white: tuple[slice, slice]) -> None:
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[white] = 255
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(file)


def obj_to_world(frame: Frame, index: int) -> np.ndarray:
    """A box's pose, upright in the car's axes."""
    assert frame.objects is not None
    assert frame.vehicle_to_world is not None
    local = np.eye(4)
    local[:3, :3] = Rotation.from_euler("z", frame.objects.headings[index]).as_matrix()
    local[:3, 3] = frame.objects.centers[index]
    return np.asarray(frame.vehicle_to_world @ local)


def instances(frames: list[Frame]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for step, frame in enumerate(frames):
        assert frame.objects is not None
        for i, (track, kind) in enumerate(
            zip(frame.objects.tracks, frame.objects.kinds, strict=True)
        ):
            if KINDS[kind] in CLASSES:
                lists: dict[str, list[Any]] = {"frame_idx": [], "obj_to_world": [], "box_size": []}
                entry = {
                    "id": track,
                    "class_name": CLASSES[KINDS[kind]],
                    "frame_annotations": lists,
                }
                lists = found.setdefault(track, entry)["frame_annotations"]
                lists["frame_idx"].append(step)
                lists["obj_to_world"].append(obj_to_world(frame, i).tolist())
                lists["box_size"].append(frame.objects.sizes[i].tolist())
    return {str(i): entry for i, entry in enumerate(found.values())}


def write_drivestudio(folder: Path, steps: int, bent: bool = True) -> None:
    """Write the first steps of the drive, with all masks.

    Args:
        folder: to write to.
        steps: how many of 12.
        bent: whether the lenses are distorted, as the photos do not care.
    """
    drive = make_drive(12)
    for name, rig in drive.cameras.items():
        numbers = lens_numbers(rig.intrinsics)
        save_text(
            folder / f"intrinsics/{NUMBERS[name]}.txt",
            numbers[:4] + [0] * 5 if not bent else numbers,
        )
        save_text(folder / f"extrinsics/{NUMBERS[name]}.txt", rig.camera_to_vehicle)
    for step, frame in enumerate(drive.frames[:steps]):
        save_text(folder / f"ego_pose/{step:03d}.txt", frame.vehicle_to_world)
        (folder / "lidar").mkdir(exist_ok=True)
        (folder / f"lidar/{step:03d}.bin").write_bytes(columns(frame, step).tobytes())
        for image in frame.images:
            lens, stem = (
                drive.cameras[image.camera].intrinsics,
                f"{step:03d}_{NUMBERS[image.camera]}",
            )
            (folder / "images").mkdir(exist_ok=True)
            (folder / f"images/{stem}.jpg").write_bytes(image.image.read())
            save_mask(folder / f"sky_masks/{stem}.png", (lens.width, lens.height), SKY)
            save_mask(folder / f"dynamic_masks/all/{stem}.png", (lens.width, lens.height), MOVING)
    (folder / "instances").mkdir(exist_ok=True)
    (folder / "instances/instances_info.json").write_text(
        json.dumps(instances(drive.frames[:steps]))
    )
    tracks = {str(step): [0] for step in range(steps)}
    (folder / "instances/frame_instances.json").write_text(json.dumps(tracks))
