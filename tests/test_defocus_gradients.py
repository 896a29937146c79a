"""Gradients of the blur by a thin lens, against differences, and where depth is bad."""

import math

import pytest
import torch
from torch import Tensor

from recon.defocus import Disc, Gaussian, Polygon, blur, defocus
from recon.defocus.operator import LARGEST
from recon.types import ThinLens

SHAPES = [Disc(), Gaussian(), Polygon(6), Polygon(5, rotation=20.0)]
pytestmark = pytest.mark.usefixtures("one_thread")


def scene(height: int = 8, width: int = 9) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """An image, its depth with an edge, and a lens: random, so that no kink of the blur is hit."""
    generator = torch.Generator().manual_seed(5)
    image = 0.1 + 0.8 * torch.rand(height, width, 3, generator=generator, dtype=torch.float64)
    depth = 2 + 0.6 * torch.rand(height, width, generator=generator, dtype=torch.float64)
    depth[:, width // 2 :] += 2.5
    strength, inverse_focus = (torch.tensor(v, dtype=torch.float64) for v in (17.0, 0.37))
    return image, depth, strength, inverse_focus


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_image_depth_strength_and_focus_equal_differences(shape, encoded):
    inputs = [tensor.requires_grad_() for tensor in scene()]

    def through_lens(image: Tensor, depth: Tensor, strength: Tensor, focus: Tensor) -> Tensor:
        return defocus(image, depth, ThinLens(strength, focus), shape, encoded=encoded)

    # Along random directions of inputs and outputs, the image's, the depth's and the lens' apart.
    assert torch.autograd.gradcheck(
        through_lens, inputs, eps=1e-6, atol=1e-7, rtol=1e-4, fast_mode=True
    )


def test_the_gradient_of_every_depth_equals_differences():
    image, depth, strength, focus = scene()
    weights = torch.randn(image.shape, generator=torch.Generator().manual_seed(6)).double()

    def total(depth: Tensor) -> Tensor:
        return (weights * defocus(image, depth, ThinLens(strength, focus))).sum()

    assert torch.autograd.gradcheck(total, depth.requires_grad_(), eps=1e-6, atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize("shape", [Disc(), Gaussian()])
def test_below_a_pixel_the_gradient_is_that_of_diffusion(shape):
    """Blurring by a variance v adds v/2 times the Laplacian: here v is c²/16 times the shape's."""
    image = torch.rand(12, 12, 3, dtype=torch.float64)
    around = torch.nn.functional.pad(image.permute(2, 0, 1), [1] * 4, mode="replicate")
    middle = around[:, 1:-1, 1:-1]
    laplacian = sum(
        around[:, 1 + dy : 13 + dy, 1 + dx : 13 + dx] - middle
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
    )
    coc, step = 0.1, 1e-6
    after, before = (
        blur(image, torch.full((12, 12), c, dtype=torch.float64), shape, encoded=False)
        for c in (coc + step, coc - step)
    )
    slope = ((after - before) / (2 * step)).permute(2, 0, 1)[:, 1:-1, 1:-1]
    exact = (shape.variance(1.0) * coc * laplacian)[:, 1:-1, 1:-1]
    torch.testing.assert_close(slope, exact, atol=2e-3 * float(exact.abs().max()), rtol=0)
    assert slope.abs().min() > 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0.05, 0.5, 0.95])
def test_every_pixel_has_a_gradient_below_a_pixel(shape, size):
    image = torch.rand(9, 9, 3, dtype=torch.float64)
    coc = torch.full((9, 9), size, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(9, 9, 3, dtype=torch.float64)
    gradient = torch.autograd.grad((weights * blur(image, coc, shape)).sum(), coc)[0]
    assert gradient.abs().min() > 0


BAD = [0.0, -2.0, math.nan, -math.inf, math.inf, 1e-30, 1e30]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [0.0, 20.0, 1e6])
def test_bad_depth_never_gives_a_bad_gradient(dtype, strength):
    image, depth, _, focus = (tensor.to(dtype) for tensor in scene(12, 14))
    depth[3, 2:9] = torch.tensor(BAD, dtype=dtype)
    depth[8:, 5:9] = 0
    inputs = [t.requires_grad_() for t in (image, depth, torch.tensor(strength).to(dtype), focus)]
    blurred = defocus(inputs[0], inputs[1], ThinLens(inputs[2], inputs[3]))
    assert blurred.isfinite().all()
    gradients = torch.autograd.grad((blurred**2).sum(), inputs)
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not gradients[1][8:, 5:9].any()


def test_unknown_depth_leaves_the_image_as_it_is():
    image, _, strength, focus = scene()
    nothing = torch.full((8, 9), math.nan, dtype=torch.float64)
    torch.testing.assert_close(defocus(image, nothing, ThinLens(strength, focus)), image)


def test_circles_of_confusion_beyond_the_largest_are_cut():
    image, *_ = scene()
    bad = torch.tensor([math.inf, -math.inf, 1e9, LARGEST, math.nan, -math.nan, 3.0, 0.0, -1e20])
    coc = bad.double().expand(8, 9).clone().requires_grad_()
    blurred = blur(image, coc)
    gradient = torch.autograd.grad(blurred.square().sum(), coc)[0]
    cut = bad.double().nan_to_num(0).clamp(-LARGEST, LARGEST).expand(8, 9)
    torch.testing.assert_close(blurred, blur(image, cut))
    assert gradient.isfinite().all()
    assert not gradient[:, [0, 1, 2, 4, 5, 8]].any()
