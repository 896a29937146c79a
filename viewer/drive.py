"""A drive as a row of time steps: who looked when, where the car was, and what its laser saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from recon.drive_types import Sweep
from recon.pictures import DepthRange, depth_picture
from recon.types import Camera, Capture, View

MOST = 60_000
"""Points of a sweep that are shown, evenly chosen."""


@dataclass(frozen=True, eq=False)
class Drive:
    """The views of a capture by time step and camera."""

    steps: tuple[int, ...]
    """In order."""
    sensors: tuple[str, ...]
    """In the order of their first photos."""
    views: dict[tuple[int, str], View]
    path: Float[np.ndarray, "n 3"]
    """Where the car was at each step: the mean of its cameras, in the working frame."""
    sweeps: dict[int, Sweep]
    """By step."""

    @staticmethod
    def of(capture: Capture) -> "Drive | None":
        """Return the drive of a capture; None where it has not two time steps."""
        timed = [view for view in capture.views if view.step is not None]
        steps = tuple(sorted({view.step for view in timed if view.step is not None}))
        if len(steps) < 2:
            return None
        views = {(view.step, view.sensor): view for view in timed if view.step is not None}
        first = sorted(timed, key=lambda view: view.step or 0)
        path = np.stack([_place([view for view in timed if view.step == step]) for step in steps])
        return Drive(
            steps,
            tuple(dict.fromkeys(view.sensor for view in first)),
            views,
            path,
            {sweep.step: sweep for sweep in capture.lidar},
        )

    def view(self, index: int, sensor: str) -> View:
        """Return a camera's photo at a step, or the nearest step at which it took one."""
        taken = [i for i, step in enumerate(self.steps) if (step, sensor) in self.views]
        nearest = min(taken, key=lambda i: abs(i - index))
        return self.views[self.steps[nearest], sensor]

    def to_the_right(self, index: int, up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        """Return the unit vector to the right of the way at a step, level with the ground.

        Where the car stands still, the way is that of the nearest steps at which it moves.
        """
        reach = np.arange(1, len(self.path) + 1)
        behind, ahead = np.maximum(index - reach, 0), np.minimum(index + reach, len(self.path) - 1)
        ways = self.path[ahead] - self.path[behind]
        across = np.cross(ways, up)
        lengths = np.linalg.norm(across, axis=1)
        moving = np.flatnonzero(lengths > 0.1 * max(lengths.max(), 1e-9))
        if not len(moving):
            return np.zeros(3)
        return np.asarray(across[moving[0]] / lengths[moving[0]])


def shifted(camera: Camera, offset: Float[np.ndarray, "3"]) -> Camera:
    """Return a camera that stands elsewhere and looks the same way."""
    pose = camera.world_to_camera.detach().clone()
    pose[:3, 3] -= pose[:3, :3] @ torch.from_numpy(offset).to(pose)
    return camera.moved(pose)


@dataclass(frozen=True, eq=False)
class LidarPoints:
    """The points of a sweep, to be shown."""

    positions: Float[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    """Of their distance from the car, in the colours of depth."""


def lidar_points(sweep: Sweep, place: Float[np.ndarray, "3"], span: DepthRange) -> LidarPoints:
    """Read and colour a sweep.

    Args:
        sweep: to be read.
        place: from where distances are.
        span: of the colours.

    Raises:
        DataError: it cannot be read.
    """
    positions = sweep.shown().positions.double()
    positions = positions[:: max(1, -(-len(positions) // MOST))]
    apart = (positions - torch.from_numpy(place)).norm(dim=-1).float()[None]
    colors = depth_picture(apart, apart > 0, span)[0]
    return LidarPoints(positions.numpy().astype(np.float32), colors)


def _place(views: Sequence[View]) -> Float[np.ndarray, "3"]:
    places = [view.camera.position.detach().cpu().double().numpy() for view in views]
    return np.asarray(np.mean(places, axis=0))
