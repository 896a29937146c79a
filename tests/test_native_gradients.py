"""The native rasterizer's gradients against finite differences of its own images."""

from collections.abc import Iterator

import pytest
import torch
from splat_scenes import cloud
from torch import Tensor

from recon.core import HAS_CORE

if not HAS_CORE:
    pytest.skip("no native core", allow_module_level=True)

from recon import _core
from recon.gaussians import Gaussians
from recon.raster.native import NativeRasterizer
from recon.types import Camera, ThinLens

pytestmark = pytest.mark.usefixtures("one_thread")

OFFSETS = {-2: 1, -1: -8, 1: 8, 2: -1}
"""Steps and weights of the central difference of fourth order."""


@pytest.fixture(params=["baseline", "x86-64-v3", "x86-64-v4"])
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    try:
        _core.use_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield
    _core.use_isa("best")


def fog(n: int) -> tuple[Gaussians, Camera]:
    """Gaussians that reach every pixel and fill none: nothing jumps when they move a little."""
    generator = torch.Generator().manual_seed(5)
    gaussians = cloud(n, sigma=1.5, opacity_logit=-2.0, seed=5).to(torch.float32)
    gaussians.means[:, :2] = 0.3 * torch.randn(n, 2, generator=generator)
    gaussians.means[:, 2] = torch.linspace(2.0, 4.0, n)
    gaussians.opacity_logits.clamp_(-2.5, -1.5)
    gaussians.log_scales.clamp_(0.0, 0.7)
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([0.1, -0.05, 0.2])
    return gaussians, Camera(pose, 30.0, 28.0, 15.0, 11.0, 31, 21)


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(
    "name", ["means", "quaternions", "log_scales", "opacity_logits", "sh_base", "sh_rest", "pose",
             "strength", "inverse_focus"]
)  # fmt: skip
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    gaussians, view = fog(6)
    leaves = {
        **gaussians.named(),
        "pose": view.world_to_camera,
        "strength": torch.tensor(60.0),
        "inverse_focus": torch.tensor(0.8),
    }

    def value(moved: dict[str, Tensor]) -> Tensor:
        parameters = Gaussians(**{key: moved[key] for key in gaussians.named()})
        lens = ThinLens(moved["strength"], moved["inverse_focus"])
        picture = NativeRasterizer().render(parameters, view.moved(moved["pose"]), lens=lens)
        generator = torch.Generator().manual_seed(2)
        total = torch.zeros((), dtype=torch.float64)
        for image in (picture.color, picture.alpha, picture.expected_depth):
            weights = torch.rand(image.shape, generator=generator, dtype=torch.float64)
            total = total + (weights * image.double()).sum()
        return total

    leaf = leaves[name].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value({**leaves, name: leaf}), leaf)
    direction = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(3))
    if name == "pose":
        direction[3] = 0  # The last row is no parameter.
    # Five points, so that the steps may be large: the float32 images are good to 1e-7 only.
    step = 2.0 if name == "strength" else 1e-2
    with torch.no_grad():
        moved = {k: float(value({**leaves, name: leaf + k * step * direction})) for k in OFFSETS}
    expected = sum(OFFSETS[k] * moved[k] for k in OFFSETS) / (12 * step)
    assert float((gradient * direction).double().sum()) == pytest.approx(expected, rel=1e-3)
