"""Checks and changes of poses, in float64."""

import numpy as np
from jaxtyping import Float64

from recon.errors import DataError

# Poses are often printed with few digits; beyond this they are no rotations that lost digits.
TOLERANCE = 5e-3
FARTHEST = 1e12  # What is farther cannot be told from a broken number.
OPENGL_TO_OPENCV = np.array([1.0, -1.0, -1.0, 1.0])  # Factors of the columns.


def checked_pose(pose: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """Return a rigid transform, its rotation made exact.

    Raises:
        DataError: a number is not finite, or the matrix turns no right-handed frame rigidly.
    """
    if not (np.abs(pose) < FARTHEST).all():
        raise DataError(
            f"its pose holds NaN, infinity or a number beyond {FARTHEST:g}; "
            "estimate it again or take the view out"
        )
    rotation = pose[:3, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > TOLERANCE or np.linalg.det(rotation) < 0:
        raise DataError(
            f"its pose is no rotation: R Rᵀ differs from the identity by {error:.2g} and det R is "
            f"{np.linalg.det(rotation):.3g}; expected 0 and 1. Take scales and mirrors out of it"
        )
    u, _, v = np.linalg.svd(rotation)
    exact = pose.copy()
    exact[:3, :3], exact[3] = u @ v, [0, 0, 0, 1]
    return exact


def from_camera_to_world(pose: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """Invert a rigid transform; what is not rigid stays not rigid, for `checked_pose` to find."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    with np.errstate(over="ignore", invalid="ignore"):
        inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def from_opengl(camera_to_world: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """Return `world_to_camera`, OpenCV axes, of a pose whose camera looks along -z with y up."""
    return from_camera_to_world(camera_to_world * OPENGL_TO_OPENCV)
