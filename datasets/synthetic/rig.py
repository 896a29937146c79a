"""The cameras of the drive: three on one car, looking ahead, to the left and to the right."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

HEIGHT = 1.6
"""Of the cameras above the road, metres."""
STEP = 1.0
"""Between two time steps, metres along the street."""
SPEED = 8.0
"""Metres per second."""
FIELD_OF_VIEW = np.radians(72.0)
"""Horizontal."""
SENSORS = (
    ("front", np.array([1.60, 0.0, 0.0]), 0.0),
    ("left", np.array([1.25, 0.45, 0.0]), np.radians(52.0)),
    ("right", np.array([1.25, -0.45, 0.0]), np.radians(-52.0)),
)
"""Name, place on the car (ahead, left, up; metres) and heading towards the left, in radians."""


@dataclass(frozen=True, eq=False)
class Pose:
    """One photograph to take."""

    name: str
    """Sorts by time step, then by sensor."""
    sensor: str
    time: float
    """Seconds since the drive began."""
    camera_to_world: Float[np.ndarray, "4 4"]
    """OpenCV's axes: x right, y down, z forward."""


def focal_length(width: int) -> float:
    """Return the focal length in pixels of an image of a width."""
    return float(0.5 * width / np.tan(FIELD_OF_VIEW / 2))


def near_detail(width: int) -> float:
    """Return the pixels per metre that textures need: house fronts are 7 m away and farther."""
    return focal_length(width) / 7.0


def path(x: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the lateral position and the heading of the car: out around parked cars and back."""
    phase = 2 * np.pi * (x - 2.0) / 26.0
    swing = 0.55
    y = -1.4 + swing * (1 - np.cos(phase))
    slope = swing * 2 * np.pi / 26.0 * np.sin(phase)
    return y, np.arctan(slope)


def drive(steps: int) -> tuple[Pose, ...]:
    """Take every camera at every step."""
    x = STEP * np.arange(steps, dtype=np.float64)
    y, heading = path(x)
    poses = []
    for step in range(steps):
        nod = np.array([0.0, 0.0, HEIGHT + 0.02 * np.sin(0.9 * step)])
        for name, mount, yaw in SENSORS:
            place = np.array([x[step], y[step], 0.0]) + nod + _turn(heading[step]) @ mount
            pose = np.eye(4)
            # Columns are the camera's axes: right, down, forward.
            level = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
            pose[:3, :3] = _turn(heading[step] + yaw) @ level
            pose[:3, 3] = place
            poses.append(Pose(f"{step:03d}_{name}", name, step * STEP / SPEED, pose))
    return tuple(poses)


def _turn(angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotate about z."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
