"""The reference rasterizer against gsplat's own torch code, closed forms and finite differences."""

import math
from dataclasses import replace

import pytest
import torch
from gsplat.cuda import _torch_impl as twins
from scipy.spatial.transform import Rotation
from splat_scenes import camera, cloud, grey, rigid, rotation
from torch import Tensor

from recon.gaussians import Gaussians
from recon.raster.interface import ALPHA_MAX, ALPHA_MIN, DILATION, NEAR, TRANSMITTANCE_MIN, Render
from recon.raster.projection import Splats, project, shade
from recon.raster.reference import ReferenceRasterizer
from recon.types import Camera, ThinLens

pytestmark = pytest.mark.usefixtures("one_thread")

RENDERER = ReferenceRasterizer()


def splatted(scene: Gaussians, view: Camera, lens: ThinLens | None = None) -> Splats:
    return project(scene, view, offsets=torch.zeros(len(scene), 2).double(), lens=lens)


def lens_of(strength: float, focus: float) -> ThinLens:
    return ThinLens(torch.tensor(strength).double(), torch.tensor(1 / focus).double())


def center(image: Tensor) -> Tensor:
    return image[image.shape[0] // 2, image.shape[1] // 2]


def assert_near(value: Tensor, expected: float | list[float], tolerance: float = 1e-4) -> None:
    torch.testing.assert_close(
        value, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=tolerance
    )


def test_projection_is_that_of_gsplat() -> None:
    scene = cloud(200)
    view = replace(camera(), fx=43.0, cx=14.5, cy=15.25)
    view = view.moved(rigid((0.1, -0.2, 0.3), (0.2, -0.1, 0.3)))
    splats = splatted(scene, view)
    K = torch.tensor([[43.0, 0, 14.5], [0, 40.0, 15.25], [0, 0, 1]], dtype=torch.float64)
    covariances, _ = twins._quat_scale_to_covar_preci(scene.quaternions, scene.scales, True, False)
    poses = view.world_to_camera[None]
    radii, centers, depths, conics, _ = twins._fully_fused_projection(
        scene.means, covariances, poses, K[None], 33, 25, eps2d=DILATION, near_plane=NEAR
    )
    assert 50 < len(splats.source) < 200
    assert (radii[0, splats.source] > 0).all()
    assert splats.depths.diff().min() > 0
    torch.testing.assert_close(splats.centers, centers[0, splats.source])
    torch.testing.assert_close(splats.depths, depths[0, splats.source])
    torch.testing.assert_close(splats.conics, conics[0, splats.source])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_colors_are_those_of_gsplat(degree: int) -> None:
    scene, view = cloud(100), camera().moved(rigid((0.1, -0.2, 0.3), (0.2, -0.1, 0.3)))
    coefficients = torch.cat([scene.sh_base, scene.sh_rest], 1)
    theirs = twins._spherical_harmonics(degree, scene.means - view.position, coefficients)
    torch.testing.assert_close(shade(scene, view, degree), (theirs + 0.5).clamp(min=0))


def test_one_gaussian_in_the_centre_has_its_closed_form() -> None:
    view = camera()
    sigma = math.sqrt((40 * 0.2 / 2) ** 2 + DILATION)
    image = RENDERER.render(grey([(0, 0, 2)], 0.2, 0.8), view)
    x = torch.arange(33, dtype=torch.float64) + 0.5 - view.cx
    y = torch.arange(25, dtype=torch.float64) + 0.5 - view.cy
    alpha = 0.8 * torch.exp(-(x**2 + y[:, None] ** 2) / (2 * sigma**2))
    alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
    torch.testing.assert_close(image.alpha, alpha)
    torch.testing.assert_close(image.color, alpha[..., None].expand(-1, -1, 3))
    torch.testing.assert_close(image.expected_depth, torch.where(alpha > 0, 2.0, 0.0).double())
    # The box in which alpha reaches 1/255: sigma * sqrt(2 ln(255 * 0.8)).
    assert image.footprint.radii.tolist() == [math.ceil(sigma * math.sqrt(2 * math.log(204)))]


def layers(opacities: list[float], values: list[float] | None = None) -> Render:
    """Fronto-parallel layers at z = 2, 4, 6, ... that fill the image, given back to front."""
    n = len(opacities)
    means = [(0.0, 0.0, 2.0 * k) for k in range(n, 0, -1)]
    sigmas = [2000.0 * k for k in range(n, 0, -1)]
    scene = grey(means, sigmas, opacities[::-1], (values or [1.0] * n)[::-1])
    background = torch.tensor([0.0, 0.5, 1.0])
    return RENDERER.render(scene, camera(), background=background, median=True)


def test_layers_are_composited_front_to_back() -> None:
    image = layers([0.6, 0.5], [0.2, 1.0])
    behind = [0.2 * light for light in (0.0, 0.5, 1.0)]
    assert_near(center(image.color), [0.6 * 0.2 + 0.4 * 0.5 + light for light in behind])
    assert_near(center(image.alpha), 0.8)


def test_depths_of_layers() -> None:
    image = layers([0.3, 0.2, 0.5])
    weights = [0.3, 0.7 * 0.2, 0.7 * 0.8 * 0.5]
    expected = sum(w * z for w, z in zip(weights, (2, 4, 6), strict=True)) / sum(weights)
    assert_near(center(image.expected_depth), expected)
    # Transmittance falls from 0.56 to 0.28 at the third.
    assert center(image.median_depth) == 6
    assert center(layers([0.3, 0.4, 0.5]).median_depth) == 4
    assert center(layers([0.3, 0.2]).median_depth) == 0


def test_opacity_is_capped_and_the_pixel_ends() -> None:
    image = layers([0.99999, 0.8, 0.99, 0.5])
    # 0.001 is left behind the first, 0.0002 behind the second; the third would leave 0.000002.
    assert_near(1 - center(image.alpha), (1 - ALPHA_MAX) * 0.2, 1e-9)
    assert center(1 - image.alpha) > TRANSMITTANCE_MIN


def test_what_is_in_focus_stays_as_it_is() -> None:
    scene = grey([(0.1, -0.2, 2), (-0.3, 0.1, 2)], [0.1, 0.2])
    sharp = RENDERER.render(scene, camera())
    lensed = RENDERER.render(scene, camera(), lens=lens_of(500.0, 2.0))
    torch.testing.assert_close(lensed.color, sharp.color)


def test_a_point_out_of_focus_has_the_variance_of_its_circle_of_confusion() -> None:
    view, point = camera(), grey([(0, 0, 4)], 1e-9, 0.9)
    splats = splatted(point, view, lens_of(40.0, 1.0))
    c = 40 * abs(1 / 1 - 1 / 4)
    variance = DILATION + (c / 4) ** 2
    assert_near(splats.conics[0], [1 / variance, 0, 1 / variance], 1e-12)
    assert_near(splats.opacities[0], 0.9 * DILATION / variance, 1e-12)


def test_defocus_keeps_the_energy_of_faint_gaussians() -> None:
    """A Gaussian's light is its opacity times 2 pi sqrt(det), whatever the lens."""
    scene, view = cloud(100, sigma=0.05, opacity_logit=2.0), camera()
    sharp = splatted(scene, view)
    lensed = splatted(scene, view, lens_of(20.0, 3.0))
    energies = torch.zeros(2, 100, dtype=torch.float64)
    for energy, splats in zip(energies, (sharp, lensed), strict=True):
        xx, xy, yy = splats.conics.unbind(-1)
        energy[splats.source] = splats.opacities / (xx * yy - xy * xy).sqrt()
    both = energies.prod(0) > 0
    assert both.sum() > 30
    torch.testing.assert_close(energies[0][both], energies[1][both])


def moved(scene: Gaussians, turn: Tensor, shift: Tensor) -> Gaussians:
    """The scene after x -> turn @ x + shift; harmonics above degree 0 stay as they are."""
    axes = twins._quat_to_rotmat(scene.quaternions)
    turned = Rotation.from_matrix((turn @ axes).numpy()).as_quat()[:, [3, 0, 1, 2]]
    means = scene.means @ turn.T + shift
    return replace(scene, means=means, quaternions=torch.from_numpy(turned.copy()))


@pytest.mark.parametrize(("turn", "degree"), [((0.0, 0.0, 0.0), 3), ((0.4, -0.9, 1.3), 0)])
def test_moving_camera_and_scene_together_changes_nothing(
    turn: tuple[float, float, float], degree: int
) -> None:
    scene, view = cloud(80), camera()
    turning, shift = rotation(*turn), torch.tensor([3.0, -20.0, 7.0], dtype=torch.float64)
    back = torch.eye(4, dtype=torch.float64)
    back[:3, :3], back[:3, 3] = turning.T, -turning.T @ shift
    lens = lens_of(30.0, 2.5)
    before = RENDERER.render(scene, view, sh_degree=degree, lens=lens, median=True)
    elsewhere = view.moved(view.world_to_camera @ back)
    after = RENDERER.render(
        moved(scene, turning, shift), elsewhere, sh_degree=degree, lens=lens, median=True
    )
    for name in ("color", "alpha", "expected_depth", "median_depth"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name))


@pytest.mark.parametrize("lens", [None, (25.0, 2.5)])
def test_gradients_are_finite_differences(lens: tuple[float, float] | None) -> None:
    scene, view = cloud(12, sigma=0.2, seed=3), camera(12, 9, 12.0)
    view = view.moved(rigid((0.05, -0.1, 0.2), (0.1, 0.05, -0.1)))

    def render(*values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        *fields, pose, strength, inverse_focus = values
        image = RENDERER.render(
            Gaussians(*fields),
            view.moved(pose),
            lens=ThinLens(strength, inverse_focus) if lens else None,
            background=torch.tensor([0.3, 0.6, 0.1]),
        )
        return image.color, image.alpha, image.expected_depth

    optics = lens_of(*(lens or (0.0, 1.0)))
    inputs = [*scene.named().values(), view.world_to_camera, optics.strength, optics.inverse_focus]
    leaves = tuple(value.clone().requires_grad_() for value in inputs)
    # Fast mode checks a random projection of the whole Jacobian.
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(render, leaves, eps=1e-7, atol=1e-5, fast_mode=True)


def test_the_gradient_of_the_offsets_is_that_of_the_image_moved() -> None:
    view, scene = camera(), cloud(30, sigma=0.2)
    scene.means[:, :2] *= 0.3  # Inside the image, where the Jacobian is not clamped.
    weights = torch.rand(25, 33, 3, generator=torch.Generator().manual_seed(2)).double()
    image = RENDERER.render(scene, view)
    (gradient,) = torch.autograd.grad((weights * image.color).sum(), image.footprint.offsets)
    # Moving the principal point moves every centre, and nothing else.
    step = 1e-6
    ahead, back = (replace(view, cx=view.cx + sign * step) for sign in (1, -1))
    difference = RENDERER.render(scene, ahead).color - RENDERER.render(scene, back).color
    slope = (weights * difference).sum() / (2 * step)
    torch.testing.assert_close(gradient[:, 0].sum(), slope, rtol=1e-5, atol=1e-6)


def test_tiles_do_not_show() -> None:
    """One Gaussian at a time, on an image of many tiles, against the closed form."""
    view = camera(100, 70, 80.0)
    scene = cloud(25, sigma=0.15, seed=4)
    for index in splatted(scene, view).source.tolist():
        alone = Gaussians(**{k: v[[index]] for k, v in scene.named().items()})
        splats = splatted(alone, view)
        x = torch.arange(100, dtype=torch.float64) + 0.5 - splats.centers[0, 0]
        y = torch.arange(70, dtype=torch.float64)[:, None] + 0.5 - splats.centers[0, 1]
        xx, xy, yy = splats.conics[0]
        alpha = splats.opacities[0] * torch.exp(-(xx * x * x + 2 * xy * x * y + yy * y * y) / 2)
        alpha = torch.where(alpha >= ALPHA_MIN, alpha, 0)
        torch.testing.assert_close(RENDERER.render(alone, view).alpha, alpha)
