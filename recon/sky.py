"""A learned sky: a dome of colours at infinite distance, behind the Gaussians."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample

from recon.backdrop import Backdrop
from recon.raster.interface import Render
from recon.types import Camera

RATES = {32: 1e-2, 512: 2e-3}
"""Texels along the edges of the maps that are added up, and Adam's rate for each: a coarse one,
which a few rays fill and which learns first, and a fine one of about a third of a degree."""
HORIZON = -0.05
"""Sine of the lowest elevation that has sky. Below it is ground: a dome that reached farther down
would take the place of roads, which look alike from everywhere."""
SEEN_THROUGH = 0.005
"""Pixels with less transmittance than this do not see the sky, and pay nothing for it."""


@final
class Sky(Backdrop):
    """Colours by direction, as octahedral maps with the zenith in their middle.

    The map of directions is that of Praun and Hoppe (Spherical Parametrization and Remeshing,
    2003): continuous over the upper half of the sphere, with its folds below the horizon.
    """

    def __init__(self, up: Float[Tensor, "3"], device: torch.device) -> None:
        """Make a grey sky.

        Args:
            up: of any length, in the working frame.
            device: where the rasterizer works.
        """
        self._to_dome = _towards_zenith(up).to(device)
        self._maps = {
            f"map_{size}": torch.zeros(1, 3, size, size, device=device, requires_grad=True)
            for size in RATES
        }
        self._black = torch.zeros(3, device=device)

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the maps, as offsets from grey."""
        return self._maps

    def rates(self) -> Mapping[str, float]:
        """Return the maps' rates."""
        return {f"map_{size}": rate for size, rate in RATES.items()}

    def relax(self) -> None:
        """Leave the colours of directions that are no longer seen."""

    @property
    def flat(self) -> Float[Tensor, "3"]:
        """Black, to which the sky is added."""
        return self._black

    def complete(self, render: Render, camera: Camera) -> Render:
        """Add the sky's colour above the horizon, times what the Gaussians let through."""
        through = 1 - render.alpha
        seen = (through.detach().flatten() > SEEN_THROUGH).nonzero().squeeze(-1)
        rays = _rays(camera, seen)
        high = rays.to(self._to_dome) @ self._to_dome[2] > HORIZON * rays.norm(dim=-1)
        seen, rays = seen[high], rays[high]
        if len(seen) == 0:
            return render
        light = through.flatten()[seen, None] * self.colors(rays)
        color = render.color.reshape(-1, 3).index_add(0, seen, light.to(render.color.dtype))
        return replace(render, color=color.reshape(render.color.shape))

    def colors(self, directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Look up sRGB colours, with gradients to the maps.

        Args:
            directions: in the working frame, of any length but 0.
        """
        place = octahedral(directions.to(self._to_dome) @ self._to_dome.T)[None, None]
        looked = [
            grid_sample(m, place, padding_mode="border", align_corners=False)[0, :, 0].T
            for m in self._maps.values()
        ]
        return 0.5 + torch.stack(looked).sum(0)

    def panorama(self, width: int) -> Float[Tensor, "h w 3"]:
        """Draw all of it: the zenith at the top, the nadir at the bottom, once around across."""
        height = width // 2
        around = (torch.arange(width) + 0.5) / width * 2 * torch.pi
        down = (torch.arange(height) + 0.5) / height * torch.pi
        polar, azimuth = torch.meshgrid(down, around, indexing="ij")
        dome = torch.stack(
            [polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos()], -1
        )
        directions = dome.reshape(-1, 3).to(self._to_dome) @ self._to_dome
        return self.colors(directions).detach().reshape(height, width, 3).clamp(0, 1)


def upwards(cameras: Sequence[Camera]) -> Float[Tensor, "3"]:
    """Return the mean of what is up in the photos, which is up where a car or a person took them.

    Returns:
        A unit vector in the working frame; any, where the photos cancel each other.
    """
    total = torch.stack([-camera.world_to_camera[1, :3].detach() for camera in cameras]).sum(0)
    length = float(total.norm())
    return total / length if length > 1e-6 else torch.tensor([0.0, 0.0, 1.0])


def octahedral(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 2"]:
    """Map directions to the square [-1, 1]²: +z to its middle, the horizon to the inner diamond."""
    flat = directions / directions.abs().sum(-1, keepdim=True)
    x, y, z = flat.unbind(-1)
    folded = torch.stack(
        [(1 - y.abs()) * torch.where(x >= 0, 1.0, -1.0),
         (1 - x.abs()) * torch.where(y >= 0, 1.0, -1.0)], -1
    )  # fmt: skip
    return torch.where((z >= 0)[:, None], flat[:, :2], folded)


def _rays(camera: Camera, pixels: Int[Tensor, " n"]) -> Float[Tensor, "n 3"]:
    """Return the directions, in the working frame, of pixels that are counted row by row."""
    row, column = pixels // camera.width, pixels % camera.width
    x = (column + 0.5 - camera.cx) / camera.fx
    y = (row + 0.5 - camera.cy) / camera.fy
    local = torch.stack([x, y, torch.ones_like(x)], -1)
    # What is infinitely far tells of the pose's rotation only, and hardly of that.
    return local @ camera.world_to_camera[:3, :3].detach().to(local)


def _towards_zenith(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """Return a rotation that takes `up` to +z."""
    z = up / up.norm()
    helper = torch.eye(3)[int(z.abs().argmin())]
    x = torch.linalg.cross(helper, z)
    x = x / x.norm()
    return torch.stack([x, torch.linalg.cross(z, x), z])
