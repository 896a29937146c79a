"""Where a person stands, as a camera of ours."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from recon.types import Camera


@dataclass(frozen=True, eq=False)
class Standpoint:
    """A browser's camera: axes as ours, x right, y down, z forward."""

    quaternion: np.ndarray
    """(w, x, y, z), from the camera's axes to the scene's."""
    position: np.ndarray
    field_of_view: float
    """Vertical, in radians."""
    width: int
    """px of the page's canvas."""
    height: int

    def camera(self, rows: int) -> Camera:
        """Return the camera of a picture that fills the canvas, with this many rows."""
        height = max(1, rows)
        width = max(1, round(height * self.width / self.height))
        turn = Rotation.from_quat(self.quaternion, scalar_first=True).as_matrix().T
        pose = torch.eye(4)
        pose[:3, :3] = torch.from_numpy(turn)
        pose[:3, 3] = torch.from_numpy(-turn @ self.position)
        focal = height / 2 / math.tan(self.field_of_view / 2)
        return Camera(pose, focal, focal, width / 2, height / 2, width, height)


@dataclass(frozen=True)
class Frame:
    """Where a photo lies in a larger picture, in px."""

    left: int
    top: int
    width: int
    height: int


def letterboxed(camera: Camera, width: int, height: int) -> tuple[Camera, Frame]:
    """Return a photo's camera with margins, so that its picture has another shape.

    Args:
        camera: the photo's.
        width: of the picture, in px; the photo is scaled until it just fits.
        height: of the picture.

    Returns:
        The camera, which sees the scene beyond the photo's border as well, and the photo's place.
    """
    scale = min(width / camera.width, height / camera.height)
    frame = Frame(
        left=round((width - scale * camera.width) / 2),
        top=round((height - scale * camera.height) / 2),
        width=max(1, round(scale * camera.width)),
        height=max(1, round(scale * camera.height)),
    )
    x, y = frame.width / camera.width, frame.height / camera.height
    wide = replace(
        camera,
        fx=x * camera.fx,
        fy=y * camera.fy,
        cx=x * camera.cx + frame.left,
        cy=y * camera.cy + frame.top,
        width=width,
        height=height,
    )
    return wide, frame


def field_of_view(camera: Camera, width: int, height: int) -> float:
    """Return the vertical angle, in radians, at which a canvas shows all of a camera's photo."""
    scale = min(width / camera.width, height / camera.height)
    return 2 * math.atan(height / 2 / (scale * camera.fy))


def same_place(a: Standpoint, b: Camera, tolerance: float = 1e-3) -> bool:
    """Say whether a person stands where a camera does: by its unit of length, and by radians."""
    turn = Rotation.from_quat(a.quaternion, scalar_first=True)
    other = Rotation.from_matrix(b.world_to_camera[:3, :3].detach().cpu().double().numpy()).inv()
    apart = float(np.linalg.norm(a.position - b.position.detach().cpu().numpy()))
    return apart < tolerance and float((turn.inv() * other).magnitude()) < tolerance
