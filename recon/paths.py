"""Ways through a scene, as pure functions from cameras to cameras."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from recon.camera import look_at, resized
from recon.errors import DataError
from recon.types import Camera

Vector = Float64[np.ndarray, "3"]


def interpolated(cameras: Sequence[Camera], frames: int) -> list[Camera]:
    """Lead smoothly through the cameras in their order, at nearly constant speed.

    Positions follow a natural cubic spline over the square root of the distance between
    neighbours (centripetal, which neither loops nor overshoots much where cameras are unevenly
    spaced), rotations are spherically interpolated. Every camera is passed exactly where `frames`
    is at least their number; of more cameras than frames, evenly chosen ones are taken.
    """
    chosen = np.linspace(0, len(cameras) - 1, min(frames, len(cameras))).round().astype(int)
    keys = [cameras[i] for i in chosen]
    if len(keys) == 1:
        return keys * frames
    positions = np.stack([_position(camera) for camera in keys])
    turns = Rotation.from_matrix(np.stack([_rotation(camera) for camera in keys]))
    lengths = _lengths(positions, turns)
    knots = np.concatenate([[0], np.cumsum(np.sqrt(lengths))])
    times = _times(knots, lengths, frames)
    places = CubicSpline(knots, positions, bc_type="natural")(times)
    rotations = Slerp(knots, turns)(times).as_matrix()
    inside = np.array([[c.fx, c.fy, c.cx, c.cy] for c in (resized(k, *_size(keys)) for k in keys)])
    lenses = np.stack([np.interp(times, knots, column) for column in inside.T], axis=1)
    return [
        replace(_placed(keys[0], rotation, place), fx=fx, fy=fy, cx=cx, cy=cy)
        for rotation, place, (fx, fy, cx, cy) in zip(
            rotations, places, lenses.tolist(), strict=True
        )
    ]


def spin(cameras: Sequence[Camera], frames: int) -> list[Camera]:
    """Circle around what the cameras look at: once around, or to and fro where they have been.

    The centre is the point nearest to all optical axes, in the least-squares sense; height and
    radius are the cameras' medians about it. Where the cameras leave a gap of more than a quarter
    of the circle, nothing was seen from there: the path swings over the rest of it and back,
    beginning in the middle.

    Raises:
        DataError: the cameras do not look at a common point, so that there is nothing to circle.
    """
    positions = np.stack([_position(camera) for camera in cameras])
    axes = np.stack([_rotation(camera)[2] for camera in cameras])
    center = _nearest_point(positions, axes)
    up = _up(cameras)
    offsets = positions - center
    heights = offsets @ up
    around = offsets - heights[:, None] * up
    radius = float(np.median(np.linalg.norm(around, axis=1)))
    first = around[0] / np.linalg.norm(around[0])
    side = np.cross(up, first)
    angles = _swing(np.arctan2(around @ side, around @ first), frames)
    circle = radius * (np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * side)
    places = center + circle + np.median(heights) * up
    return [_looking(cameras[0], place, center, up) for place in places]


def wobble(camera: Camera, frames: int, radius: float, distance: float) -> list[Camera]:
    """Move on a small ellipse around a camera's position, its eyes on one point of its axis.

    Args:
        camera: the view to wobble at.
        frames: of one round.
        radius: half the ellipse's width, in the capture's units; half its height is half of this.
        distance: of the point that stays in the middle of the image, in the capture's units.
    """
    axes, position = _rotation(camera), _position(camera)
    target = position + distance * axes[2]
    angles = np.arange(frames) * (2 * np.pi / frames)
    steps = radius * np.stack([np.cos(angles), np.sin(angles) / 2], axis=1)
    return [_looking(camera, position + step @ axes[:2], target, -axes[1]) for step in steps]


def _lengths(positions: Float64[np.ndarray, "n 3"], turns: Rotation) -> Float64[np.ndarray, " m"]:
    """Measure the way between neighbours: distance, and for turns on the spot a share of it."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    angles = (turns[1:] * turns[:-1].inv()).magnitude()
    usual = steps.mean() if steps.any() else 1.0
    # The small last part keeps times apart where two cameras coincide.
    lengths: Float64[np.ndarray, " m"] = steps + usual * (0.5 * angles + 1e-3)
    return lengths


def _times(
    knots: Float64[np.ndarray, " n"], lengths: Float64[np.ndarray, " m"], frames: int
) -> Float64[np.ndarray, " frames"]:
    """Share out the frames over the stretches by length, at least one each, knots included."""
    spare = frames - 1 - len(lengths)
    ends = np.cumsum(lengths) / lengths.sum() * spare
    counts = np.diff(np.concatenate([[0], ends.round()])).astype(int) + 1
    parts = [
        np.linspace(a, b, n, endpoint=False)
        for a, b, n in zip(knots[:-1], knots[1:], counts, strict=True)
    ]
    return np.concatenate([*parts, knots[-1:]])


def _swing(seen: Float64[np.ndarray, " n"], frames: int) -> Float64[np.ndarray, " frames"]:
    """Return angles once around from 0, or to and fro over the arc between the angles seen."""
    turn = np.arange(frames) * (2 * np.pi / frames)
    ordered = np.sort(seen)
    gaps = np.diff(np.append(ordered, ordered[0] + 2 * np.pi))
    widest = int(gaps.argmax())
    if gaps[widest] <= np.pi / 2:
        return turn
    half = (2 * np.pi - gaps[widest]) / 2
    middle = ordered[widest] + gaps[widest] + half
    swung: Float64[np.ndarray, " frames"] = middle + half * np.sin(turn)
    return swung


def _nearest_point(origins: Float64[np.ndarray, "n 3"], axes: Float64[np.ndarray, "n 3"]) -> Vector:
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    normal = across.mean(axis=0)
    ahead = False
    if np.linalg.eigvalsh(normal)[0] > 1e-3:
        center = np.linalg.solve(normal, (across @ origins[..., None]).mean(axis=0)[:, 0])
        ahead = bool(np.median(((center - origins) * axes).sum(axis=1)) > 0)
    if not ahead:
        raise DataError(
            "these cameras do not look at a common point, so there is nothing to spin around; "
            "expected views from around an object, choose the path through the cameras or a wobble"
        )
    return center


def _up(cameras: Sequence[Camera]) -> Vector:
    """Return the direction that is across all horizontal image axes: people hold cameras level.

    The mean of the cameras' own up directions chooses the sign, and breaks the tie where all
    horizontal axes are parallel; by itself it would lean with cameras that look down.
    """
    rotations = np.stack([_rotation(camera) for camera in cameras])
    right, mean = rotations[:, 0], -rotations[:, 1].mean(axis=0)
    vectors = np.linalg.eigh(right.T @ right / len(right) - 0.01 * np.outer(mean, mean))[1]
    up: Vector = vectors[:, 0] * (1.0 if vectors[:, 0] @ mean >= 0 else -1.0)
    return up


def _looking(camera: Camera, place: Vector, target: Vector, up: Vector) -> Camera:
    pose = look_at(*(torch.from_numpy(np.ascontiguousarray(v)) for v in (place, target, up)))
    return camera.moved(pose.to(camera.world_to_camera.dtype))


def _placed(camera: Camera, rotation: Float64[np.ndarray, "3 3"], place: Vector) -> Camera:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ place
    return camera.moved(torch.from_numpy(pose).to(camera.world_to_camera.dtype))


def _size(cameras: Sequence[Camera]) -> tuple[int, int]:
    return cameras[0].width, cameras[0].height


def _rotation(camera: Camera) -> Float64[np.ndarray, "3 3"]:
    return camera.world_to_camera[:3, :3].detach().double().cpu().numpy()


def _position(camera: Camera) -> Vector:
    return camera.position.detach().double().cpu().numpy()
