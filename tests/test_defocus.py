"""The blur by a thin lens, against closed forms of discs, edges and occlusion, and differences."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recon.defocus import Disc, Gaussian, Polygon, blur, blur_stack, from_stack
from recon.errors import UsageError

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


@pytest.mark.parametrize("make", [lambda: Polygon(2), lambda: Polygon(6, rotation=math.nan)])
def test_impossible_irises_are_refused(make):
    with pytest.raises(UsageError, match="expected"):
        make()
