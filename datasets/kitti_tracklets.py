"""A raw drive's tracklet_labels.xml: boxes that stand on the road, in the laser's axes.

A tracklet has one size and a pose in each frame of a row: the middle of the box's floor, and the
turn about the upward axis. Source: the readme of KITTI's raw data devkit.
"""

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.datasets.drive_source import SourceBoxes
from recon.datasets.kitti_drive import KittiDrive, Tracklet
from recon.errors import DataError

KINDS = {
    "Car": "vehicle",
    "Van": "vehicle",
    "Truck": "vehicle",
    "Tram": "vehicle",
    "Pedestrian": "pedestrian",
    "Person (sitting)": "pedestrian",
    "Cyclist": "cyclist",
}


def read_tracklets(path: Path) -> list[Tracklet]:
    """Read every tracklet.

    Raises:
        DataError: the file is no XML of tracklets, or a number is malformed.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{path}: cannot be read as XML ({error}); {REMEDY}") from error
    return [tracklet(path, i, item) for i, item in enumerate(root.findall("./tracklets/item"))]


REMEDY = "download the tracklets again, or take the file away to go on without boxes."


def tracklet(path: Path, index: int, item: ElementTree.Element) -> Tracklet:
    """Read one tracklet."""

    def number(of: ElementTree.Element, name: str) -> float:
        text = of.findtext(name, "nothing").strip()
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise DataError(f"{path}, tracklet {index}: {name} is {text}; {REMEDY}")
        return value

    height = number(item, "h")
    poses = []
    for pose in item.findall("./poses/item"):
        local = np.eye(4)
        turns = [number(pose, name) for name in ("rx", "ry", "rz")]
        local[:3, :3] = Rotation.from_euler("xyz", turns).as_matrix()
        floor = np.array([number(pose, name) for name in ("tx", "ty", "tz")])
        local[:3, 3] = floor + height / 2 * local[:3, 2]
        poses.append(local)
    return Tracklet(
        item.findtext("objectType", "").strip(),
        np.array([number(item, "l"), number(item, "w"), height]),
        int(number(item, "first_frame")),
        np.array(poses).reshape(-1, 4, 4),
    )


def boxes_of(drive: KittiDrive, frames: list[int]) -> list[SourceBoxes]:
    """Place the tracklets in the world, frame by frame."""
    if not drive.tracklets or drive.velodyne_to_reference is None:
        return []
    paths = [in_world(drive, found, drive.velodyne_to_reference) for found in drive.tracklets]
    boxes = []
    for frame in frames:
        there = [i for i, path in enumerate(paths) if frame in path]
        found = [drive.tracklets[i] for i in there]
        boxes.append(
            SourceBoxes(
                drive.time(frame),
                frame,
                tuple(f"{i:04d}" for i in there),
                tuple(KINDS.get(one.kind, "unknown") for one in found),
                np.array([paths[i][frame] for i in there]).reshape(-1, 4, 4),
                np.array([one.size for one in found]).reshape(-1, 3),
                np.array([velocity(drive, paths[i], frame) for i in there]).reshape(-1, 3),
            )
        )
    return boxes


def in_world(
    drive: KittiDrive, found: Tracklet, laser: Float64[np.ndarray, "4 4"]
) -> dict[int, Float64[np.ndarray, "4 4"]]:
    """Return an object's poses in the world, by frame; frames in which the car has none are out."""
    return {
        frame: drive.poses[frame] @ laser @ pose
        for frame, pose in enumerate(found.poses, start=found.first)
        if frame in drive.poses
    }


def velocity(
    drive: KittiDrive, path: dict[int, Float64[np.ndarray, "4 4"]], frame: int
) -> Float64[np.ndarray, "3"]:
    """Return how fast an object moves from the frame before to the frame after.

    At the ends of its path one of them stands in for itself; NaN where there is one frame only.
    """
    near = [i for i in (frame - 1, frame, frame + 1) if i in path]
    passed = drive.time(near[-1]) - drive.time(near[0])
    moved = path[near[-1]][:3, 3] - path[near[0]][:3, 3]
    return moved / passed if passed > 0 else np.full(3, np.nan)
