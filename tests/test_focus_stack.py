"""Blurred photos: discs by their moments, interpolation and its slope against differences."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from recon.focus_stack import DISCS, SPACING, WIDEST, disc, focus_stack, to_linear, to_srgb


@pytest.mark.parametrize("diameter", [2.0, 4.0, 8.0, 12.0])
def test_a_disc_covers_its_pixels_as_integrals_say(diameter: float) -> None:
    kernel = disc(diameter).astype(np.float64)
    radius, reach = diameter / 2, len(kernel) // 2
    assert kernel.sum() == pytest.approx(1)

    def height(x: float, y: float) -> float:
        """The part of a column of the pixel row y that lies in the disc."""
        half = math.sqrt(max(radius**2 - x**2, 0))
        return max(0.0, min(half, y + 0.5) - max(-half, y - 0.5))

    for row, column in ((0, 0), (reach, 0), (reach, 1), (reach - 1, 1), (reach, reach)):
        x, y = column - reach, row - reach
        edges = sorted({x - 0.5, x + 0.5, *np.clip([-radius, radius], x - 0.5, x + 0.5).tolist()})
        area = sum(quad(height, low, high, args=(y,))[0] for low, high in itertools.pairwise(edges))
        share = area / (math.pi * radius**2)
        assert kernel[row, column] == pytest.approx(share, abs=0.12 / diameter**2)


@pytest.mark.parametrize("diameter", [8.0, 12.0])
def test_a_disc_has_the_variance_of_the_matched_gaussian(diameter: float) -> None:
    kernel = disc(diameter).astype(np.float64)
    axis = np.arange(len(kernel)) - len(kernel) // 2
    variance = (kernel * axis[:, None] ** 2).sum()
    # c²/16 per axis, and 1/12 of the pixels that it is collected in.
    assert variance == pytest.approx(diameter**2 / 16 + 1 / 12, rel=0.03)


@given(st.floats(0, 1))
def test_srgb_there_and_back(value: float) -> None:
    encoded = to_srgb(to_linear(np.array([value], np.float32)))
    assert float(encoded[0]) == pytest.approx(value, abs=2e-4)


def test_light_is_kept_where_it_is_linear() -> None:
    photo = torch.zeros(41, 41, 3, dtype=torch.uint8)
    photo[20, 20] = 255
    stack = focus_stack(photo)
    assert torch.equal(stack.images[0], photo)
    for k in range(2, DISCS):
        area = math.pi * (k * SPACING) ** 2 / 4
        middle = to_linear(stack.images[k, 20, 20].numpy().astype(np.float32) / 255)
        assert float(middle[0]) == pytest.approx(1 / area, rel=0.12)


def test_even_photos_stay_even_and_wide_ones_become_smaller() -> None:
    photo = torch.full((300, 900, 3), 130, dtype=torch.uint8)
    stack = focus_stack(photo)
    assert stack.size == (round(300 * WIDEST / 900), WIDEST)
    assert int((stack.images.int() - 130).abs().max()) <= 1


def test_between_two_discs_the_photo_is_between() -> None:
    photo = torch.randint(0, 256, (24, 32, 3), generator=torch.Generator().manual_seed(0))
    stack = focus_stack(photo.to(torch.uint8))
    for k, share in ((0, 0.0), (1, 0.25), (4, 0.5), (5, 1.0)):
        found = stack.at(torch.full((24, 32), (k + share) * SPACING))
        lower, upper = stack.images[k].float() / 255, stack.images[k + 1].float() / 255
        assert torch.allclose(found, lower + share * (upper - lower), atol=1e-6)
    beyond = stack.at(torch.full((24, 32), 99.0))
    assert torch.allclose(beyond, stack.images[-1].float() / 255)


def test_the_slope_agrees_with_differences(one_thread: None) -> None:
    generator = torch.Generator().manual_seed(1)
    photo = torch.randint(0, 256, (24, 32, 3), generator=generator).to(torch.uint8)
    stack = focus_stack(photo)
    coc = (14 * torch.rand(24, 32, generator=generator)).requires_grad_()
    weights = torch.rand(24, 32, 3, generator=generator)
    torch.autograd.backward((stack.at(coc) * weights).sum())
    assert coc.grad is not None
    with torch.no_grad():
        ahead = (stack.at(coc + 0.01) * weights).sum(-1)
        behind = (stack.at(coc - 0.01) * weights).sum(-1)
    # Away from the discs themselves, where the slope changes.
    smooth = ((coc.detach() / SPACING) % 1 - 0.5).abs() < 0.48
    assert torch.allclose(coc.grad[smooth], ((ahead - behind) / 0.02)[smooth], atol=1e-3)
    outside = coc.detach() > stack.largest
    assert bool(outside.any())
    assert not bool(coc.grad[outside].any())
