"""The car that drives along the street, and its three cameras: ahead, to the left, to the right.

The car's frame has x ahead, y to the left and z up; its origin lies on the road.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STEP = 1.0
"""Between two time steps of the street's photos, metres along the street."""
SPEED = 8.0
"""Along the street, metres per second."""
FIELD_OF_VIEW = np.radians(72.0)
"""Horizontal."""
SWING, WAVE = 0.55, 26.0
"""The car moves twice SWING to the left and back, once every WAVE, in metres."""
BOB, BOBBING = 0.02, 7.2
"""How far the car goes up and down on its springs in metres, and how fast in rad/s."""
CAMERA_AXES = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Columns are right, down and forward of a camera that looks along x."""


@dataclass(frozen=True, eq=False)
class Mount:
    """Where a camera stands on the car."""

    sensor: str
    place: Float[np.ndarray, "3"]
    """In the car's frame."""
    yaw: float
    """Heading towards the left, in radians."""

    @property
    def camera_to_vehicle(self) -> Float[np.ndarray, "4 4"]:
        """The pose of the camera's axes: x right, y down, z forward."""
        pose = np.eye(4)
        pose[:3, :3] = turn(self.yaw) @ CAMERA_AXES
        pose[:3, 3] = self.place
        return pose


MOUNTS = (
    Mount("front", np.array([1.60, 0.0, 1.6]), 0.0),
    Mount("left", np.array([1.25, 0.45, 1.6]), float(np.radians(52.0))),
    Mount("right", np.array([1.25, -0.45, 1.6]), float(np.radians(-52.0))),
)


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


def vehicle_to_world(time: float) -> Float[np.ndarray, "4 4"]:
    """Return the car's pose after some seconds: out around parked cars and back."""
    x = SPEED * time
    phase = 2 * np.pi * (x - 2.0) / WAVE
    pose = np.eye(4)
    pose[:3, :3] = turn(np.arctan(SWING * 2 * np.pi / WAVE * np.sin(phase)))
    pose[:3, 3] = x, -1.4 + SWING * (1 - np.cos(phase)), BOB * np.sin(BOBBING * time)
    return pose


def velocity(time: float) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return how the car moves, in m/s, and turns, in rad/s: the exact derivative of its pose."""
    phase = 2 * np.pi * (SPEED * time - 2.0) / WAVE
    slope = SWING * 2 * np.pi / WAVE * np.sin(phase)
    bend = SWING * (2 * np.pi / WAVE) ** 2 * np.cos(phase)
    linear = np.array([SPEED, SPEED * slope, BOB * BOBBING * np.cos(BOBBING * time)])
    return linear, np.array([0.0, 0.0, SPEED * bend / (1 + slope**2)])


def drive(steps: int) -> tuple[Pose, ...]:
    """Take every camera at every step."""
    return tuple(
        Pose(
            f"{step:03d}_{mount.sensor}",
            mount.sensor,
            step * STEP / SPEED,
            vehicle_to_world(step * STEP / SPEED) @ mount.camera_to_vehicle,
        )
        for step in range(steps)
        for mount in MOUNTS
    )


def turn(angle: float) -> Float[np.ndarray, "3 3"]:
    """Rotate about z."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
