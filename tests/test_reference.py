"""The reference rasterizer against gsplat's own torch code, closed forms and finite differences."""

import math
from dataclasses import replace

import pytest
import torch
from gsplat.cuda._torch_impl import (
    _fully_fused_projection,
    _quat_scale_to_covar_preci,
    _spherical_harmonics,
)
from torch import Tensor

from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.raster.interface import ALPHA_MIN, DILATION, NEAR
from recon.raster.projection import project, shade
from recon.raster.reference import ReferenceRasterizer
from recon.types import Camera

RENDERER = ReferenceRasterizer()


def camera(width: int = 33, height: int = 25, focal: float = 40.0) -> Camera:
    pose = torch.eye(4, dtype=torch.float64)
    return Camera(pose, focal, focal, width / 2, height / 2, width, height)


def gaussians(
    means: list[tuple[float, float, float]],
    sigma: float | list[float] = 0.1,
    opacity: float | list[float] = 0.5,
    grey: float | list[float] = 1.0,
) -> Gaussians:
    """Isotropic grey Gaussians in float64."""
    n = len(means)
    scales = torch.tensor(sigma, dtype=torch.float64).expand(n)
    greys = torch.tensor(grey, dtype=torch.float64).expand(n)
    return Gaussians(
        means=torch.tensor(means, dtype=torch.float64).reshape(n, 3),
        quaternions=torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).repeat(n, 1),
        log_scales=scales.log()[:, None].repeat(1, 3),
        opacity_logits=torch.tensor(opacity, dtype=torch.float64).expand(n).logit(),
        sh_base=((greys - 0.5) / HARMONIC_BAND_0)[:, None, None].repeat(1, 1, 3),
        sh_rest=torch.zeros(n, 15, 3, dtype=torch.float64),
    )


def cloud(n: int, seed: int = 0) -> Gaussians:
    """Random anisotropic Gaussians in front of `camera()`, some far outside its image."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    z = torch.linspace(1.0, 6.0, n, dtype=torch.float64)[torch.randperm(n, generator=generator)]
    means = torch.cat([0.5 * normal(n, 2) * z[:, None], z[:, None]], -1)
    log_scales = math.log(0.1) + 0.5 * normal(n, 3)
    rest = 0.3 * normal(n, 15, 3)
    return Gaussians(means, normal(n, 4), log_scales, normal(n), normal(n, 1, 3), rest)


def center(image: Tensor) -> Tensor:
    return image[image.shape[0] // 2, image.shape[1] // 2]


def rotation(angles: tuple[float, float, float]) -> Tensor:
    x, y, z = angles
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    return torch.matrix_exp(skew)


def test_projection_is_that_of_gsplat() -> None:
    scene, view = cloud(200), camera()
    view = replace(view, fx=43.0, cx=14.5, cy=15.25)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotation((0.1, -0.2, 0.3))
    pose[:3, 3] = torch.tensor([0.2, -0.1, 0.3])
    view = view.moved(pose)
    offsets = torch.zeros(200, 2, dtype=torch.float64)
    splats = project(scene, view, offsets=offsets)
    K = torch.tensor([[43.0, 0, 14.5], [0, 40.0, 15.25], [0, 0, 1]], dtype=torch.float64)
    covariances, _ = _quat_scale_to_covar_preci(scene.quaternions, scene.scales, True, False)
    radii, means, depths, conics, _ = _fully_fused_projection(
        scene.means, covariances, pose[None], K[None], 33, 25, eps2d=DILATION, near_plane=NEAR
    )
    assert 50 < len(splats.source) < 200
    assert (radii[0, splats.source] > 0).all()
    assert splats.depths.diff().min() > 0
    torch.testing.assert_close(splats.centers, means[0, splats.source])
    torch.testing.assert_close(splats.depths, depths[0, splats.source])
    torch.testing.assert_close(splats.conics, conics[0, splats.source])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_colors_are_those_of_gsplat(degree: int) -> None:
    scene, view = cloud(100), camera()
    coefficients = torch.cat([scene.sh_base, scene.sh_rest], 1)
    theirs = _spherical_harmonics(degree, scene.means - view.position, coefficients)
    torch.testing.assert_close(shade(scene, view, degree), (theirs + 0.5).clamp(min=0))


def test_one_gaussian_in_the_centre_has_its_closed_form() -> None:
    view = camera()
    sigma = math.sqrt((40 * 0.2 / 2) ** 2 + DILATION)
    image = RENDERER.render(gaussians([(0, 0, 2)], 0.2, 0.8), view)
    x = torch.arange(33, dtype=torch.float64) + 0.5 - view.cx
    y = torch.arange(25, dtype=torch.float64) + 0.5 - view.cy
    alpha = 0.8 * torch.exp(-(x**2 + y[:, None] ** 2) / (2 * sigma**2))
    alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
    torch.testing.assert_close(image.alpha, alpha)
    torch.testing.assert_close(image.color, alpha[..., None].expand(-1, -1, 3))
    torch.testing.assert_close(image.expected_depth, torch.where(alpha > 0, 2.0, 0.0).double())
    # The box in which alpha reaches 1/255: sigma * sqrt(2 ln(255 * 0.8)).
    assert image.footprint.radii.tolist() == [math.ceil(sigma * math.sqrt(2 * math.log(204)))]


def test_layers_are_composited_front_to_back() -> None:
    scene = gaussians([(0, 0, 4), (0, 0, 2)], sigma=[20.0, 10.0], opacity=[0.5, 0.6], grey=[1, 0.2])
    image = RENDERER.render(scene, camera(), background=torch.tensor([0.0, 0.5, 1.0]))
    expected = 0.6 * 0.2 + 0.4 * 0.5 * 1 + 0.4 * 0.5 * torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(center(image.color), expected.double(), rtol=0, atol=1e-4)
    torch.testing.assert_close(center(image.alpha).item(), 0.8, rtol=0, atol=1e-4)
