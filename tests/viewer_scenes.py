"""Small scenes and pages for the tests of the viewer."""

import torch
from photos import MemoryPhoto
from splat_scenes import grey

from recon.backdrop import Plain
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.raster.interface import Rasterizer
from recon.raster.reference import ReferenceRasterizer
from recon.render import Stage
from recon.scene import Scene
from recon.types import Camera, View

BLACK = Plain((0.0, 0.0, 0.0), torch.device("cpu"))


def stage(gaussians: Gaussians, rasterizer: Rasterizer | None = None, metric: bool = True) -> Stage:
    return Stage(Scene(gaussians, BLACK), rasterizer or ReferenceRasterizer(), metric)


def walls(step: float = 0.15) -> Gaussians:
    """A red wall at z = 2 on the left, and a green one at z = 6 on the right, both opaque."""
    places, colors = [], []
    for z, left, color in ((2.0, True, (0.9, 0.1, 0.1)), (6.0, False, (0.1, 0.9, 0.1))):
        # Each half is as wide as a camera at the origin with 90 degrees sees.
        along = torch.arange(0, 1.2 * z, step * z / 2)
        x = -along - step * z / 4 if left else along + step * z / 4
        y = torch.arange(-1.2 * z, 1.2 * z, step * z / 2)
        grid = torch.cartesian_prod(x, y)
        places.append(torch.cat([grid, torch.full((len(grid), 1), z)], dim=1))
        colors.append(torch.tensor(color).expand(len(grid), 3))
    means = torch.cat(places)
    depth = means[:, 2:]
    return Gaussians(
        means=means,
        quaternions=torch.tensor([1.0, 0, 0, 0]).repeat(len(means), 1),
        log_scales=(0.4 * step * depth * torch.tensor([[1.0, 1.0, 1e-3]])).log(),
        opacity_logits=torch.full((len(means),), 4.0),
        sh_base=((torch.cat(colors) - 0.5) / HARMONIC_BAND_0)[:, None],
        sh_rest=torch.zeros(len(means), 15, 3),
    )


def camera(width: int = 64, height: int = 48) -> Camera:
    return Camera(
        torch.eye(4), width / 2, width / 2, width / 2, height / 2, width=width, height=height
    )


def photo_view(name: str, seen: Stage, at: Camera) -> View:
    """A photo that shows exactly what the scene draws."""
    color = seen.draw(at).color
    return View(name, at, MemoryPhoto((255 * color.clamp(0, 1)).round().to(torch.uint8)))


def one_ray(opacities: list[float], depths: list[float]) -> Gaussians:
    """Large Gaussians behind one another on the optical axis, in float32."""
    places = [(0.0, 0.0, z) for z in depths]
    return grey(places, sigma=[0.5 * z for z in depths], opacity=opacities).to(torch.float32)
