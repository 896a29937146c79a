"""KITTI odometry: calib.txt, times.txt, image_0 to image_3 and velodyne of a sequence, its poses.

A pose is a row of 12 numbers: the 3x4 transform from the reference camera's axes at that frame to
those at the first frame, which are the world. `Tr` leads from the laser to the reference camera.
Source: the readme of KITTI's odometry devkit (Geiger et al. 2012).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.datasets.folders import PHOTO_SUFFIXES
from recon.datasets.kitti_drive import KittiDrive, number_of, numbered
from recon.datasets.kitti_text import Calibration, rows_of
from recon.errors import DataError


def camera_folders(folder: Path) -> list[str]:
    """Return the names of a sequence's folders of photos."""
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if number_of(p.name) is not None and p.is_dir())


def is_sequence(folder: Path) -> bool:
    """Say whether a folder looks like a sequence, from file names alone."""
    texts = ("calib.txt", "times.txt", "poses.txt")
    return any((folder / name).is_file() for name in texts) and bool(camera_folders(folder))


def read_sequence(folder: Path) -> KittiDrive:
    """Read a sequence's texts, and find its photos and sweeps.

    Raises:
        DataError: the calibration or the poses are missing or malformed.
    """
    calibration = Calibration(folder / "calib.txt")
    poses_from = poses_file(folder)
    poses = dict(enumerate(map(rigid, rows_of(poses_from, 12))))
    times = folder / "times.txt"
    velodyne, warnings = numbered(folder / "velodyne", (".bin",)), []
    laser = rigid(calibration.matrix("Tr", 3, 4).ravel()) if "Tr" in calibration else None
    if velodyne and laser is None:
        warnings.append(
            f"{calibration.path}: no Tr, which says where the laser stands, so velodyne is left "
            "out; KITTI's download of the odometry calibration has it"
        )
        velodyne = {}
    return KittiDrive(
        folder,
        {name: numbered(folder / name, PHOTO_SUFFIXES) for name in camera_folders(folder)},
        calibration,
        "P{}",
        poses,
        poses_from,
        dict(enumerate(rows_of(times, 1)[:, 0].tolist())) if times.is_file() else {},
        velodyne,
        laser,
        warnings=warnings,
    )


def poses_file(folder: Path) -> Path:
    """Find a sequence's poses: beside its calibration, or in the dataset's folder of poses.

    Raises:
        DataError: there are none.
    """
    name = folder.resolve().name
    own, dataset = folder / "poses.txt", folder.resolve().parent.parent / "poses" / f"{name}.txt"
    found = next((path for path in (own, dataset) if path.is_file()), None)
    if found is None:
        raise DataError(
            f"{folder}: no poses, neither {own.name} there nor {dataset}. KITTI publishes them for "
            "the sequences 00 to 10; for others put your own there, 12 numbers a line."
        )
    return found


def rigid(row: Float64[np.ndarray, "12"]) -> Float64[np.ndarray, "4 4"]:
    """Return the transform that 12 numbers mean."""
    return np.vstack([row.reshape(3, 4), [0.0, 0, 0, 1]])
