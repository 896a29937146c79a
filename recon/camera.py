"""Geometry of cameras: projection and its inverse, poses, and a photo's grid of pixels.

Pixel coordinates are continuous: the photo covers [0, width] x [0, height], and the centre of the
top left pixel is (0.5, 0.5). So a resize multiplies every intrinsic by the same factor.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from recon.distortion import Distortion
from recon.types import Camera

Maps = tuple[Float64[np.ndarray, "h w"], Float64[np.ndarray, "h w"]]


@dataclass(frozen=True)
class Intrinsics:
    """The inside of a camera as calibrated: focal lengths, principal point (pixels) and lens."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: Distortion | None = None
    """None for a pinhole."""

    def resized(self, width: int, height: int) -> "Intrinsics":
        """Return the same camera with another number of pixels."""
        x, y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * x,
            fy=self.fy * y,
            cx=self.cx * x,
            cy=self.cy * y,
        )

    def pinhole(self, world_to_camera: Float[Tensor, "4 4"]) -> Camera:
        """Return the camera that undistorted photos have: same size, focal length and centre."""
        return Camera(world_to_camera, self.fx, self.fy, self.cx, self.cy, self.width, self.height)

    def undistortion_maps(self) -> Maps:
        """Return, for each pixel of the undistorted photo, where it lies in the distorted one.

        The result keeps size, focal length and principal point, so what moves are only the outer
        parts. Coordinates are continuous; NaN where the lens has no answer.
        """
        x = (np.arange(self.width) + 0.5 - self.cx) / self.fx
        y = (np.arange(self.height) + 0.5 - self.cy) / self.fy
        x, y = np.meshgrid(x, y)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.distortion is not None:
                radius = np.hypot(x, y)
                beyond = radius > self.distortion.limit(float(radius.max()))
                x, y = self.distortion.distort(x, y)
                x, y = np.where(beyond, np.nan, x), np.where(beyond, np.nan, y)
            return self.fx * x + self.cx, self.fy * y + self.cy

    def undistorted(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Return where points of the photo as stored lie in the undistorted photo.

        Newton's method on the lens model, with differences for slopes; NaN where it finds no ray.
        """
        if self.distortion is None:
            return pixels
        focal, centre = np.array([self.fx, self.fy]), np.array([self.cx, self.cy])
        goal = (pixels - centre) / focal
        x, y = goal.T
        step = 1e-6
        with np.errstate(all="ignore"):
            for _ in range(12):
                (u, v), (ux, vx), (uy, vy) = (
                    self.distortion.distort(*at) for at in ((x, y), (x + step, y), (x, y + step))
                )
                a, b, c, d = ((ux - u), (uy - u), (vx - v), (vy - v))
                off_x, off_y = goal[:, 0] - u, goal[:, 1] - v
                if not (np.hypot(off_x, off_y) > 1e-10).any():
                    break
                scale = step / (a * d - b * c)
                x, y = x + (d * off_x - b * off_y) * scale, y + (a * off_y - c * off_x) * scale
            missed = np.hypot(*(goal.T - self.distortion.distort(x, y))) > 1e-6
            radius = np.hypot(x, y)
            beyond = radius > self.distortion.limit(float(np.nanmax(radius, initial=1e-9)))
        found: np.ndarray = np.stack([x, y], axis=-1) * focal + centre
        found[missed | beyond | ~np.isfinite(radius)] = np.nan
        return found


def project(
    camera: Camera, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Return pixels and depths of points in the working frame.

    Pixels mean nothing where the depth is not positive; nothing is clipped.
    """
    pose = camera.world_to_camera.to(points.dtype)
    local = points @ pose[:3, :3].T + pose[:3, 3]
    depth = local[:, 2]
    pixels = torch.stack(
        [
            camera.fx * local[:, 0] / depth + camera.cx,
            camera.fy * local[:, 1] / depth + camera.cy,
        ],
        dim=-1,
    )
    return pixels, depth


def unproject(
    camera: Camera, pixels: Float[Tensor, "n 2"], depth: Float[Tensor, " n"]
) -> Float[Tensor, "n 3"]:
    """Return the points, in the working frame, that `project` maps to pixels and depths."""
    pose = camera.world_to_camera.to(pixels.dtype)
    local = torch.stack(
        [
            (pixels[:, 0] - camera.cx) / camera.fx * depth,
            (pixels[:, 1] - camera.cy) / camera.fy * depth,
            depth,
        ],
        dim=-1,
    )
    return (local - pose[:3, 3]) @ pose[:3, :3]


def inside(camera: Camera, pixels: Float[Tensor, "n 2"], depth: Float[Tensor, " n"]) -> Tensor:
    """Return which projected points lie before the camera and on its photo."""
    size = torch.tensor([camera.width, camera.height], dtype=pixels.dtype)
    return (depth > 0) & ((pixels >= 0) & (pixels <= size)).all(dim=-1)


def pixel_centres(camera: Camera) -> Float[Tensor, "n 2"]:
    """Return the centres of a camera's pixels, row by row."""
    rows, columns = torch.meshgrid(
        torch.arange(camera.height), torch.arange(camera.width), indexing="ij"
    )
    return torch.stack([columns.flatten(), rows.flatten()], -1) + 0.5


def look_at(
    position: Float[Tensor, "3"], target: Float[Tensor, "3"], up: Float[Tensor, "3"]
) -> Float[Tensor, "4 4"]:
    """Return the `world_to_camera` of a camera that looks at a target, with `up` upwards.

    Raises:
        ValueError: the target is the position, or lies straight up or down from it.
    """
    forward = target - position
    right = torch.linalg.cross(forward, up)
    if not float(right.norm()) > 1e-9 * float(forward.norm() * up.norm()):
        raise ValueError("A camera cannot look along its own up direction.")
    right, forward = right / right.norm(), forward / forward.norm()
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward])
    pose = torch.eye(4, dtype=position.dtype)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ position
    return pose


def resized(camera: Camera, width: int, height: int) -> Camera:
    """Return the same view with another number of pixels; a change of aspect stretches it."""
    x, y = width / camera.width, height / camera.height
    return replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * x,
        fy=camera.fy * y,
        cx=camera.cx * x,
        cy=camera.cy * y,
    )
