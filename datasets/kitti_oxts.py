"""Where a raw drive's car was: GPS and inertial packets as rigid poses.

The convention is that of KITTI's devkit: a Mercator projection whose scale is the cosine of the
drive's first latitude, roll, pitch and yaw about x, y and z, and everything relative to the first
packet. So the world has the axes of the inertial unit at the first frame: x forward, y left, z up.
Source: the readme and convertOxtsToPose of the raw data devkit (Geiger et al. 2013).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.datasets.kitti_drive import numbered
from recon.datasets.kitti_text import lines_of, numbers
from recon.errors import DataError

EARTH = 6378137.0
"""Radius in metres."""
PACKET = 30
"""Numbers in a packet: latitude, longitude (degrees), altitude (m), roll, pitch, yaw (rad), ..."""


def read_poses(folder: Path) -> dict[int, Float64[np.ndarray, "4 4"]]:
    """Return the transforms from the inertial unit's axes to the world, by frame.

    Args:
        folder: oxts/data of a drive.

    Raises:
        DataError: there is no packet, or one is malformed.
    """
    files = numbered(folder, (".txt",))
    if not files:
        raise DataError(
            f"{folder}: no packets of GPS, from which the poses come; download the drive's "
            "synced and rectified data again, which has them."
        )
    packets = {frame: read_packet(path) for frame, path in files.items()}
    first = min(packets)
    scale = float(np.cos(np.radians(packets[first][0])))
    placed = {frame: place(packet, scale) for frame, packet in packets.items()}
    home = np.linalg.inv(placed[first])
    return {frame: home @ pose for frame, pose in placed.items()}


def read_packet(path: Path) -> Float64[np.ndarray, "6"]:
    """Read latitude, longitude, altitude, roll, pitch and yaw.

    Raises:
        DataError: the file is missing or malformed, or lies at a pole, which no map shows.
    """
    lines = lines_of(path)
    packet = numbers(path, 1, lines[0] if lines else "", PACKET)[:6]
    if abs(packet[0]) >= 90:
        raise DataError(f"{path}: latitude {packet[0]:g}; expected degrees between -90 and 90.")
    return packet


def place(packet: Float64[np.ndarray, "6"], scale: float) -> Float64[np.ndarray, "4 4"]:
    """Return the pose of a packet on the map: x east, y north, z up."""
    latitude, longitude = np.radians(packet[:2])
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", packet[3:]).as_matrix()
    east = scale * EARTH * longitude
    north = scale * EARTH * np.log(np.tan(np.pi / 4 + latitude / 2))
    pose[:3, 3] = east, north, packet[2]
    return pose
