"""What a drive holds besides photos: the facts of its LiDAR, boxes and rolling shutter."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from recon.camera import project, unproject
from recon.drive_types import Boxes, Returns, Sweep, moving_tracks
from recon.errors import DataError
from recon.types import Capture, View

SWEEPS = 3
"""So many sweeps are read, evenly chosen."""
DISTANCE = 10.0
"""Metres at which the rolling shutter's effect is told."""


@dataclass(frozen=True)
class LidarFacts:
    """The sweeps, and whether they fit the cameras."""

    sweeps: int
    training: int
    """Sweeps that may be learned from."""
    returns: int
    """Mean number of points in a sweep, of the few that were read."""
    shown: float
    """Fraction of the points with a pixel in a camera that was read."""
    recorded: bool
    """Whether the source says which pixels those are; else they are projected."""
    agreement: float | None
    """Median distance between recorded and projected pixels; None where nothing was recorded."""


@dataclass(frozen=True)
class BoxFacts:
    """The tracked objects."""

    boxes: int
    tracks: int
    moving: int
    """Tracks that were ever faster than 1 m/s."""


@dataclass(frozen=True)
class ShutterFacts:
    """By how many pixels the first and last lines of a photo disagree, for things 10 m away."""

    readout: float
    """Seconds; the median."""
    median: float
    largest: float


@dataclass(frozen=True)
class DriveFacts:
    """Everything of a drive but its photos; None for what is not there."""

    steps: int
    lidar: LidarFacts | None
    boxes: BoxFacts | None
    shutter: ShutterFacts | None


def drive_facts(capture: Capture, warnings: list[str]) -> DriveFacts | None:
    """Gather the facts of a drive; None of other captures.

    Args:
        capture: the capture; a few sweeps are read.
        warnings: grows by sweeps that cannot be read.
    """
    steps = {view.step for view in capture.views if view.step is not None}
    if not steps:
        return None
    return DriveFacts(
        len(steps),
        lidar_facts(capture, warnings) if capture.lidar else None,
        box_facts(capture.boxes) if capture.boxes else None,
        shutter_facts(capture.views),
    )


def lidar_facts(capture: Capture, warnings: list[str]) -> LidarFacts:
    """Read a few sweeps."""
    views = {(view.sensor, view.step): view for view in capture.views}
    counts, shown = [], 0
    errors: list[torch.Tensor] = []
    for sweep in capture.lidar[:: -(-len(capture.lidar) // SWEEPS)]:
        try:
            returns = sweep.returns()
        except DataError as error:
            warnings.append(str(error))
            continue
        counts.append(len(returns))
        shown += int((returns.sensors > 0).any(dim=1).sum())
        here = {sensor: view for (sensor, step), view in views.items() if step == sweep.step}
        errors += disagreements(sweep, returns, here) if sweep.recorded else []
    found = torch.cat(errors) if errors else torch.zeros(0)
    return LidarFacts(
        len(capture.lidar),
        len(capture.split.sweeps),
        round(statistics.mean(counts)) if counts else 0,
        shown / max(1, sum(counts)),
        all(sweep.recorded for sweep in capture.lidar),
        float(found.median()) if found.numel() else None,
    )


def disagreements(sweep: Sweep, returns: Returns, views: dict[str, View]) -> list[torch.Tensor]:
    """Return the distances between recorded and projected pixels, camera by camera."""
    errors = []
    for number, sensor in enumerate(sweep.sensors, start=1):
        if sensor not in views:
            continue
        here = returns.sensors[:, 0] == number
        pixels, depth = project(views[sensor].camera, returns.positions[here])
        off = (pixels - returns.pixels[here, 0]).norm(dim=-1)
        errors.append(off[(depth > 0) & off.isfinite()])
    return errors


def box_facts(frames: Sequence[Boxes]) -> BoxFacts:
    """Count boxes and tracks."""
    tracks = {track for boxes in frames for track in boxes.tracks}
    return BoxFacts(sum(map(len, frames)), len(tracks), len(moving_tracks(frames)))


def shutter_facts(views: Sequence[View]) -> ShutterFacts | None:
    """Measure the rolling shutter's effect; None where nothing is known of it."""
    effects = [shutter_effect(view, DISTANCE) for view in views if view.shutter is not None]
    readouts = [view.shutter.readout for view in views if view.shutter is not None]
    if not effects:
        return None
    return ShutterFacts(statistics.median(readouts), statistics.median(effects), max(effects))


def shutter_effect(view: View, distance: float) -> float:
    """Return how far the image moves while it is read out, in pixels of the view.

    Args:
        view: with a rolling shutter.
        distance: depth of the things looked at.

    Returns:
        The largest of what happens in the middle and in the corners of the photo.
    """
    shutter, camera = view.shutter, view.camera
    if shutter is None:
        return 0.0
    across, down = torch.meshgrid(
        torch.tensor([0.0, 0.5, 1.0]) * camera.width,
        torch.tensor([0.0, 0.5, 1.0]) * camera.height,
        indexing="ij",
    )
    pixels = torch.stack([across.flatten(), down.flatten()], dim=-1)
    points = unproject(camera, pixels, torch.full((len(pixels),), distance))
    turn = Rotation.from_rotvec(shutter.readout * shutter.angular.double().numpy()).as_matrix()
    pose = camera.world_to_camera.double().clone()
    centre = camera.position.double() + shutter.readout * shutter.linear.double()
    pose[:3, :3] = pose[:3, :3] @ torch.from_numpy(np.ascontiguousarray(turn.T))
    pose[:3, 3] = -pose[:3, :3] @ centre
    moved, depth = project(camera.moved(pose.float()), points)
    return float((moved - pixels).norm(dim=-1)[depth > 0].max()) if (depth > 0).any() else 0.0
