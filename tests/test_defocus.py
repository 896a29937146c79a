"""The blur by a thin lens, against closed forms of discs, edges and occlusion, and differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recon.defocus import Disc, Gaussian, Polygon, blur, blur_stack, defocus, from_stack
from recon.defocus.operator import LARGEST
from recon.errors import UsageError
from recon.types import ThinLens

SHAPES = [Disc(), Gaussian(), Polygon(6), Polygon(5, rotation=20.0)]
pytestmark = pytest.mark.usefixtures("one_thread")


def flat(coc: float, size: int = 41) -> Tensor:
    return torch.full((size, size), coc, dtype=torch.float64)


def point(size: int = 41) -> Tensor:
    image = torch.zeros(size, size, 3, dtype=torch.float64)
    image[size // 2, size // 2] = 1
    return image


def spread(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The sum of a grey image around its middle, its mean and its variances, along x and y."""
    axis = torch.arange(len(image), dtype=torch.float64) - len(image) // 2
    light = image[..., 0]
    total = light.sum()
    mean = torch.stack([(light * axis).sum(), (light * axis[:, None]).sum()]) / total
    square = torch.stack([(light * axis**2).sum(), (light * axis[:, None] ** 2).sum()]) / total
    return total, mean, square - mean**2


def disc_edge(x: np.ndarray, diameter: float) -> np.ndarray:
    """The share of a disc on the positive side of a line at distance x, averaged over a pixel."""
    inside = np.clip((x[:, None] + (np.arange(64) + 0.5) / 64 - 0.5) / (diameter / 2), -1, 1)
    return (0.5 + (inside * np.sqrt(1 - inside**2) + np.arcsin(inside)) / np.pi).mean(axis=1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("coc", [0.2, 0.9, 1.4, 3.3, -7.0, 15.0])
def test_a_point_keeps_its_light_and_spreads_as_its_aperture(shape, coc):
    total, mean, variance = spread(blur(point(81), flat(coc, 81), shape, encoded=False))
    assert total.item() == pytest.approx(1, abs=1e-12)
    # A pentagon's centre of mass lies between pixels; it spreads around the middle of one.
    around = variance + mean**2
    assert around.mean().item() == pytest.approx(shape.variance(coc), rel=1e-3)
    assert mean.abs().max() < (1e-9 if shape.is_even else 0.25)


@pytest.mark.parametrize("shape", [Disc(), Polygon(6), Polygon(5)])
def test_a_point_covers_the_area_of_the_disc(shape):
    """Polygons let through as much light as the disc: they cover the same area."""
    light = blur(point(), flat(18.0), shape, encoded=False)[..., 0]
    assert (light > light.max() / 2).sum().item() == pytest.approx(math.pi * 81, rel=0.04)


def test_a_hexagon_has_corners():
    light = blur(point(), flat(24.0), Polygon(6), encoded=False)[..., 0]
    corner = 24 / 2 * Polygon(6).reach
    middle = corner * math.cos(math.pi / 6)
    # At rotation 0 a corner points up; sides face left and right.
    assert light[round(20 - corner + 1.5), 20] > 0
    assert light[round(20 - corner - 1.5), 20] == 0
    assert light[20, round(20 + middle - 1.5)] > 0
    assert light[20, round(20 + middle + 1.5)] == 0


def test_a_triangle_is_upright_behind_the_focus_and_turned_before_it():
    behind, before = (
        blur(point(), flat(sign * 12.0), Polygon(3), encoded=False)[..., 0] for sign in (1, -1)
    )
    torch.testing.assert_close(before, behind.flip(0, 1))
    assert behind[20 - 8, 20] > 0  # Its corner points up.
    assert behind[20 + 8, 20] == 0


def test_a_gaussian_is_that_of_the_rasterizers():
    light = blur(point(61), flat(12.0, 61), Gaussian(), encoded=False)[..., 0]
    axis = torch.arange(61, dtype=torch.float64) - 30
    exact = torch.exp(-(axis**2 + axis[:, None] ** 2) / (2 * 3.0**2)) / (2 * math.pi * 9)
    assert (light - exact).abs().max() < 0.01 * exact.max()


@pytest.mark.parametrize("shape", SHAPES)
def test_without_blur_the_image_stays_as_it_is(shape):
    image = torch.rand(9, 12, 3, dtype=torch.float64)
    torch.testing.assert_close(
        blur(image, torch.zeros(9, 12, dtype=torch.float64), shape), image, atol=1e-9, rtol=0
    )


@settings(max_examples=10)
@given(seed=st.integers(0, 999), scale=st.floats(0, 5), shape=st.sampled_from(SHAPES))
def test_one_colour_stays_one_colour(seed, scale, shape):
    generator = torch.Generator().manual_seed(seed)
    coc = scale * torch.randn(7, 9, generator=generator, dtype=torch.float64)
    color = torch.rand(3, generator=generator, dtype=torch.float64)
    image = color.expand(7, 9, 3)
    torch.testing.assert_close(blur(image, coc, shape), image, atol=1e-9, rtol=0)


@settings(max_examples=10)
@given(seed=st.integers(0, 999), scale=st.floats(0, 5), shape=st.sampled_from(SHAPES))
def test_blur_invents_no_light(seed, scale, shape):
    generator = torch.Generator().manual_seed(seed)
    coc = scale * torch.randn(7, 9, generator=generator, dtype=torch.float64)
    image = torch.rand(7, 9, 3, generator=generator, dtype=torch.float64)
    blurred = blur(image, coc, shape)
    assert blurred.min() >= image.min() - 1e-9
    assert blurred.max() <= image.max() + 1e-9


def test_it_blurs_light_and_not_its_code():
    image = torch.zeros(41, 41, 3, dtype=torch.float64)
    image[:, 21:] = 1
    blurred = blur(image, flat(12.0))
    # Half the light is 0.735 in sRGB (IEC 61966-2-1).
    assert blurred[20, 20:22, 0].mean().item() == pytest.approx(0.735, abs=0.02)


@pytest.mark.parametrize("coc", [5.0, 9.0, 15.0])
def test_an_edge_becomes_the_disc_s_integral(coc):
    image = torch.zeros(25, 60, 3, dtype=torch.float64)
    image[:, 30:] = 1
    profile = blur(image, torch.full((25, 60), coc, dtype=torch.float64), encoded=False)[12, :, 0]
    exact = disc_edge(np.arange(60) - 29.5, coc)
    assert np.abs(profile.numpy() - exact)[12:48].max() < 0.012


@pytest.mark.parametrize("near", [-5.0, -12.0])
def test_what_is_near_blurs_over_what_is_sharp(near):
    """On both sides of the edge: inside, what is behind shines through."""
    image = torch.zeros(21, 60, 3, dtype=torch.float64)
    image[:, :30] = 1
    coc = torch.zeros(21, 60, dtype=torch.float64)
    coc[:, :30] = near
    profile = blur(image, coc, encoded=False)[10, :, 0]
    exact = 1 - disc_edge(np.arange(60) - 29.5, abs(near))
    assert np.abs(profile.numpy() - exact)[8:52].max() < 0.02


@pytest.mark.parametrize("far", [5.0, 12.0])
def test_what_is_far_does_not_blur_over_what_is_sharp(far):
    image = torch.rand(21, 60, 3, dtype=torch.float64)
    image[:, 30:] = torch.tensor([0.2, 0.9, 0.4])
    coc = torch.zeros(21, 60, dtype=torch.float64)
    coc[:, 30:] = far
    blurred = blur(image, coc)
    torch.testing.assert_close(blurred[:, :30], image[:, :30], atol=1e-12, rtol=0)
    torch.testing.assert_close(blurred[:, 30:], image[:, 30:], atol=1e-9, rtol=0)


def test_a_sharp_surface_in_front_hides_a_blurred_one_but_not_the_other_way_round():
    """A wire of three pixels: thin things in focus stay whole before a blurred background."""
    image = torch.zeros(31, 31, 3, dtype=torch.float64)
    image[:, 14:17] = 1
    coc = torch.full((31, 31), 10.0, dtype=torch.float64)
    coc[:, 14:17] = 0
    blurred = blur(image, coc, encoded=False)
    torch.testing.assert_close(blurred, image, atol=1e-9, rtol=0)


@pytest.mark.parametrize("shape", [Disc(), Gaussian(), Polygon(5)])
def test_on_one_surface_there_are_no_layers(shape):
    """Where circles of confusion differ by less than a pixel, all light is mixed as it falls."""
    generator = torch.Generator().manual_seed(3)
    image = torch.rand(7, 9, 3, generator=generator, dtype=torch.float64)
    coc = 4 + 0.4 * torch.rand(7, 9, generator=generator, dtype=torch.float64)
    light, share = torch.zeros_like(image), torch.zeros(7, 9, 1, dtype=torch.float64)
    for row in range(7):
        for column in range(9):
            alone = torch.zeros(23, 25, 3, dtype=torch.float64)
            alone[row + 8, column + 8] = 1
            kernel = blur(
                alone, torch.full((23, 25), float(coc[row, column])).double(), shape, encoded=False
            )
            kernel = kernel[8:15, 8:17]
            light += kernel * image[row, column]
            share += kernel[..., :1]
    torch.testing.assert_close(
        blur(image, coc, shape, encoded=False), light / share, atol=3e-3, rtol=0
    )


def test_an_even_blur_is_that_of_the_stack():
    image = torch.rand(20, 24, 3, dtype=torch.float64)
    coc = torch.full((20, 24), 6.0, dtype=torch.float64)
    stack = blur_stack(image, (0.0, 6.0, 9.0))
    torch.testing.assert_close(from_stack(stack, coc), blur(image, coc))
    torch.testing.assert_close(from_stack(stack, -coc), blur(image, -coc))


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


@pytest.mark.parametrize("make", [lambda: Polygon(2), lambda: Polygon(6, rotation=math.nan)])
def test_impossible_irises_are_refused(make):
    with pytest.raises(UsageError, match="expected"):
        make()
