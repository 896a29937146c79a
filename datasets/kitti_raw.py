"""KITTI raw, synced and rectified: DATE/DATE_drive_NNNN_sync, with calibrations in the former.

Poses come from oxts, that of a frame's number for the frame; timestamps.txt give the times.
Source: the readme of KITTI's raw data devkit (Geiger et al. 2013).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.datasets.folders import PHOTO_SUFFIXES
from recon.datasets.kitti_drive import KittiDrive, number_of, numbered
from recon.datasets.kitti_oxts import read_poses
from recon.datasets.kitti_text import Calibration, seconds_of
from recon.datasets.kitti_tracklets import read_tracklets
from recon.errors import DataError

CALIBRATIONS = ("calib_cam_to_cam.txt", "calib_velo_to_cam.txt", "calib_imu_to_velo.txt")


def camera_folders(folder: Path) -> list[str]:
    """Return the names of a drive's folders of cameras."""
    if not folder.is_dir():
        return []
    return sorted(
        p.name
        for p in folder.iterdir()
        if p.name.startswith("image_0") and number_of(p.name) is not None and (p / "data").is_dir()
    )


def is_drive(folder: Path) -> bool:
    """Say whether a folder looks like a raw drive, from file names alone."""
    return bool(camera_folders(folder))


def read_drive(folder: Path) -> KittiDrive:
    """Read a drive's texts, and find its photos and sweeps.

    Raises:
        DataError: calibrations or packets are missing or malformed, or photos are not rectified.
    """
    if folder.resolve().name.endswith("_extract"):
        raise DataError(
            f"{folder}: photos that are not rectified, nor taken at the times of the others; "
            "download the drive's synced and rectified data, whose folder ends in _sync."
        )
    calibration, imu_to_reference, velodyne_to_reference = calibrations(folder)
    to_imu = np.linalg.inv(imu_to_reference)
    names = camera_folders(folder)
    labels, oxts = folder / "tracklet_labels.xml", folder / "oxts" / "data"
    return KittiDrive(
        folder,
        {name: numbered(folder / name / "data", PHOTO_SUFFIXES) for name in names},
        calibration,
        "P_rect_{:02}",
        {frame: imu_to_world @ to_imu for frame, imu_to_world in read_poses(oxts).items()},
        oxts,
        times_of(folder, names),
        numbered(folder / "velodyne_points" / "data", (".bin",)),
        velodyne_to_reference,
        read_tracklets(labels) if labels.is_file() else (),
    )


def calibrations(
    folder: Path,
) -> tuple[Calibration, Float64[np.ndarray, "4 4"], Float64[np.ndarray, "4 4"]]:
    """Read a date's calibrations.

    Returns:
        That of the cameras, and the transforms from the inertial unit and from the laser to the
        reference camera.
    """
    date = folder.resolve().parent
    absent = [name for name in CALIBRATIONS if not (date / name).is_file()]
    if absent:
        raise DataError(
            f"{date}: no {', '.join(absent)}, which the drive {folder.name} needs; download the "
            f"calibration of its date, and put its files there."
        )
    cameras, velodyne, imu = (Calibration(date / name) for name in CALIBRATIONS)
    rectify = np.eye(4)
    rectify[:3, :3] = cameras.matrix("R_rect_00", 3, 3)
    velodyne_to_reference = rectify @ velodyne.rigid("R", "T")
    return cameras, velodyne_to_reference @ imu.rigid("R", "T"), velodyne_to_reference


def times_of(folder: Path, cameras: list[str]) -> dict[int, float]:
    """Return the times of the first camera that states them; all are triggered together."""
    for name in cameras:
        path = folder / name / "timestamps.txt"
        if path.is_file():
            return dict(enumerate(seconds_of(path).tolist()))
    return {}
