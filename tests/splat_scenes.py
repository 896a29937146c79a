"""Scenes and cameras for the tests of rasterizers, and a way to compare what they draw."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.raster.interface import ALPHA_MAX, ALPHA_MIN, TRANSMITTANCE_MIN, Rasterizer, Render
from recon.raster.projection import project
from recon.types import Camera, ThinLens

CLOSE = 1e-4
"""What counts as within rounding distance of a limit, relative to it."""


def camera(width: int = 33, height: int = 25, focal: float = 40.0) -> Camera:
    pose = torch.eye(4, dtype=torch.float64)
    return Camera(pose, focal, focal, width / 2, height / 2, width, height)


def rotation(x: float, y: float, z: float) -> Tensor:
    """A rotation about the axis (x, y, z) by its length."""
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    return torch.matrix_exp(skew)


def rigid(rotated: tuple[float, float, float], moved: tuple[float, float, float]) -> Tensor:
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = rotation(*rotated)
    pose[:3, 3] = torch.tensor(moved)
    return pose


def oblique(width: int = 50, height: int = 37) -> Camera:
    """A camera whose numbers all differ; the sizes are no multiples of a tile's."""
    pose = rigid((0.1, -0.2, 0.3), (0.2, -0.1, 0.3))
    return Camera(pose, 1.1 * width, 1.0 * width, 0.45 * width, 0.53 * height, width, height)


def thin_lens() -> ThinLens:
    def number(value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64)

    return ThinLens(strength=number(30.0), inverse_focus=number(0.4))


def grey(
    means: list[tuple[float, float, float]],
    sigma: float | list[float] = 0.1,
    opacity: float | list[float] = 0.5,
    value: float | list[float] = 1.0,
) -> Gaussians:
    """Isotropic grey Gaussians in float64."""
    n = len(means)
    scales = torch.tensor(sigma, dtype=torch.float64).expand(n)
    values = torch.tensor(value, dtype=torch.float64).expand(n)
    return Gaussians(
        means=torch.tensor(means, dtype=torch.float64).reshape(n, 3),
        quaternions=torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).repeat(n, 1),
        log_scales=scales.log()[:, None].repeat(1, 3),
        opacity_logits=torch.tensor(opacity, dtype=torch.float64).expand(n).logit(),
        sh_base=((values - 0.5) / HARMONIC_BAND_0)[:, None, None].repeat(1, 1, 3),
        sh_rest=torch.zeros(n, 15, 3, dtype=torch.float64),
    )


def cloud(n: int, *, sigma: float = 0.1, opacity_logit: float = 0.0, seed: int = 0) -> Gaussians:
    """Random anisotropic Gaussians in front of the cameras above, some far outside the image.

    The values are float32 numbers in float64, so that a float32 rasterizer draws the same scene.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    z = torch.linspace(1.0, 6.0, n, dtype=torch.float64)[torch.randperm(n, generator=generator)]
    scene = Gaussians(
        means=torch.cat([0.4 * normal(n, 2) * z[:, None], z[:, None]], -1),
        quaternions=normal(n, 4),
        log_scales=math.log(sigma) + 0.5 * normal(n, 3),
        opacity_logits=opacity_logit + normal(n),
        sh_base=normal(n, 1, 3),
        sh_rest=0.3 * normal(n, 15, 3),
    )
    return scene.to(torch.float32).to(torch.float64)


def needles(n: int) -> Gaussians:
    """A cloud of Gaussians a hundred times as long as wide."""
    scene = cloud(n, seed=9)
    scene.log_scales[:] = torch.tensor([0.4, 0.004, 0.004], dtype=torch.float64).log()
    return scene.to(torch.float32).to(torch.float64)


def capped() -> Gaussians:
    """Large Gaussians, two of them more opaque than the cap over many pixels."""
    scene = cloud(8, sigma=3.0, opacity_logit=-2.0, seed=11)
    scene.opacity_logits[scene.means[:, 2].argsort()[4:6]] = 9.0
    return scene


@dataclass(frozen=True)
class Case:
    """What to draw, in float64."""

    gaussians: Gaussians
    camera: Camera
    lens: ThinLens | None = None
    sh_degree: int = 3
    background: tuple[float, float, float] = (0.2, 0.5, 0.9)


@dataclass(frozen=True)
class Drawing:
    """A render, and the gradients of a weighted sum of it, on CPU in float64."""

    images: dict[str, Tensor]
    gradients: dict[str, Tensor]
    radii: Tensor


def draw(rasterizer: Rasterizer, case: Case, kind: torch.dtype, smooth: Tensor) -> Drawing:
    """Draw a case in a precision, and differentiate by everything that has a gradient.

    The weights of the sum are random numbers, 0 where `smooth` is False.
    """
    place = rasterizer.device
    gaussians = case.gaussians.to(kind).to(place).trainable()
    pose = case.camera.world_to_camera.to(place, kind).requires_grad_()
    leaves = {**gaussians.named(), "pose": pose}
    lens = case.lens
    if lens is not None:
        strength = lens.strength.to(place, kind).clone().requires_grad_()
        inverse_focus = lens.inverse_focus.to(place, kind).clone().requires_grad_()
        lens = ThinLens(strength, inverse_focus)
        leaves |= {"strength": strength, "inverse_focus": inverse_focus}
    render = rasterizer.render(
        gaussians,
        case.camera.moved(pose),
        sh_degree=case.sh_degree,
        background=torch.tensor(case.background, dtype=kind, device=place),
        lens=lens,
        median=True,
    )
    leaves["offsets"] = render.footprint.offsets
    images = images_of(render)
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=kind, device=place)
    for image in images.values():
        weights = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        weights[~smooth] = 0
        total = total + (weights.to(place, kind) * image).sum()
    gradients = torch.autograd.grad(total, list(leaves.values()), materialize_grads=True)
    named = zip(leaves, gradients, strict=True)
    return Drawing(
        images={name: image.detach().cpu().double() for name, image in images.items()},
        gradients={name: gradient.cpu().double() for name, gradient in named},
        radii=render.footprint.radii.cpu(),
    )


def images_of(render: Render) -> dict[str, Tensor]:
    assert render.median_depth is not None
    return {
        "color": render.color,
        "alpha": render.alpha,
        "expected_depth": render.expected_depth,
        "median_depth": render.median_depth,
    }


@dataclass(frozen=True)
class Jumps:
    """Where compositing, which has jumps, can be compared."""

    smooth: Tensor
    """Per pixel: no Gaussian is within rounding distance of a jump."""
    reaching: Tensor
    """Per Gaussian: its alpha reaches ALPHA_MIN in some pixel, hidden or not."""


@torch.no_grad()
def jumps(case: Case) -> Jumps:
    """Look for an alpha of ALPHA_MIN, the cap at ALPHA_MAX, the end of the pixel and the median.

    Written as a loop over Gaussians, apart from the reference's compositing.
    """
    scene, view = case.gaussians, case.camera
    offsets = torch.zeros(len(scene), 2, dtype=torch.float64)
    splats = project(scene, view, offsets=offsets, sh_degree=case.sh_degree, lens=case.lens)
    x = torch.arange(view.width, dtype=torch.float64) + 0.5
    y = torch.arange(view.height, dtype=torch.float64)[:, None] + 0.5
    light = torch.ones(view.height, view.width, dtype=torch.float64)
    smooth, open_ = light > 0, light > 0
    reaching = torch.zeros(len(scene), dtype=torch.bool)
    columns = (splats.source, splats.centers, splats.conics, splats.opacities)
    for source, center, (xx, xy, yy), opacity in zip(*columns, strict=True):
        dx, dy = x - center[0], y - center[1]
        alpha = opacity * torch.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy)
        reaching[source] = alpha.max() > (1 + CLOSE) * ALPHA_MIN
        smooth &= ~(open_ & (_close(alpha, ALPHA_MIN) | _close(alpha, ALPHA_MAX)))
        alpha = torch.where(alpha >= ALPHA_MIN, alpha.clamp(max=ALPHA_MAX), 0)
        left = light * (1 - alpha)
        smooth &= ~(open_ & (_close(left, TRANSMITTANCE_MIN, 1e-3) | _close(left, 0.5)))
        open_ &= left > TRANSMITTANCE_MIN
        light = torch.where(open_, left, light)
    return Jumps(smooth, reaching)


def _close(values: Tensor, limit: float, relative: float = CLOSE) -> Tensor:
    return (values / limit - 1).abs() < relative
