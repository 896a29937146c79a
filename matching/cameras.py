"""The cameras of many views at once, in float64: geometry from matches is a matter of digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from recon.types import Camera


@dataclass(frozen=True, eq=False)
class Cameras:
    """Pinhole cameras, stacked; `view` is always an index into them."""

    rotation: Float64[Tensor, "v 3 3"]
    """From the working frame to a camera's axes."""
    translation: Float64[Tensor, "v 3"]
    focal: Float64[Tensor, "v 2"]
    centre: Float64[Tensor, "v 2"]
    """Principal points, in pixels."""
    size: Float64[Tensor, "v 2"]
    """Width and height."""

    @staticmethod
    def of(cameras: Sequence[Camera]) -> "Cameras":
        """Stack cameras, without their gradients."""
        pose = torch.stack([camera.world_to_camera.detach().double() for camera in cameras])

        def stack(pairs: list[tuple[float, float]]) -> Tensor:
            return torch.tensor(pairs, dtype=torch.float64)

        return Cameras(
            pose[:, :3, :3],
            pose[:, :3, 3],
            stack([(camera.fx, camera.fy) for camera in cameras]),
            stack([(camera.cx, camera.cy) for camera in cameras]),
            stack([(camera.width, camera.height) for camera in cameras]),
        )

    def __len__(self) -> int:
        """Count the cameras."""
        return len(self.translation)

    @property
    def positions(self) -> Float64[Tensor, "v 3"]:
        """Return the centres of projection in the working frame."""
        return -(self.rotation.transpose(1, 2) @ self.translation[..., None])[..., 0]

    def rays(
        self, view: Int64[Tensor, " m"], pixels: Float[Tensor, "m 2"]
    ) -> Float64[Tensor, "m 3"]:
        """Return the directions of pixels in the camera's axes, with z = 1."""
        plane = (pixels.double() - self.centre[view]) / self.focal[view]
        return torch.cat([plane, torch.ones_like(plane[:, :1])], dim=1)

    def directions(
        self, view: Int64[Tensor, " m"], pixels: Float[Tensor, "m 2"]
    ) -> Float64[Tensor, "m 3"]:
        """Return the directions of pixels in the working frame, of length 1."""
        rays = self.rays(view, pixels)
        turned: Tensor = (rays[:, None] @ self.rotation[view])[:, 0]
        unit: Tensor = turned / torch.linalg.vector_norm(rays, dim=1, keepdim=True)
        return unit

    def local(
        self, view: Int64[Tensor, " m"], points: Float64[Tensor, "m 3"]
    ) -> Float64[Tensor, "m 3"]:
        """Return points of the working frame in the axes of a camera each."""
        return (self.rotation[view] @ points[..., None])[..., 0] + self.translation[view]

    def project(
        self, view: Int64[Tensor, " m"], points: Float64[Tensor, "m 3"]
    ) -> tuple[Float64[Tensor, "m 2"], Float64[Tensor, " m"]]:
        """Return a pixel and a depth for each point; behind a camera, pixels mean nothing."""
        local = self.local(view, points)
        pixels = self.focal[view] * local[:, :2] / local[:, 2:] + self.centre[view]
        return pixels, local[:, 2]

    def unproject(
        self, view: Int64[Tensor, " m"], pixels: Float[Tensor, "m 2"], depth: Float[Tensor, " m"]
    ) -> Float64[Tensor, "m 3"]:
        """Return the points, in the working frame, that are at pixels and depths of a view each."""
        local = self.rays(view, pixels) * depth.double()[:, None]
        return ((local - self.translation[view])[:, None] @ self.rotation[view])[:, 0]

    def relative(self, a: int, b: int) -> tuple[Float64[Tensor, "3 3"], Float64[Tensor, "3"]]:
        """Return rotation and translation from the axes of a to those of b."""
        rotation = self.rotation[b] @ self.rotation[a].T
        return rotation, self.translation[b] - rotation @ self.translation[a]
