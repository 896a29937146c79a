"""sRGB against its table of corner values, its inverse, and autograd."""

import pytest
import torch

from recon.srgb import to_linear, to_srgb


def test_known_values():
    encoded = torch.tensor([0.0, 0.04045, 0.5, 1.0], dtype=torch.float64)
    # IEC 61966-2-1; the middle of the scale is 21.404 % of the light.
    linear = torch.tensor([0.0, 0.0031308, 0.21404, 1.0], dtype=torch.float64)
    torch.testing.assert_close(to_linear(encoded), linear, atol=1e-5, rtol=0)
    torch.testing.assert_close(to_srgb(linear), encoded, atol=1e-5, rtol=0)


def test_each_inverts_the_other_below_0_and_above_1_too():
    values = torch.linspace(-0.5, 3, 71, dtype=torch.float64)
    torch.testing.assert_close(to_srgb(to_linear(values)), values, atol=1e-7, rtol=0)


@pytest.mark.parametrize("function", [to_linear, to_srgb])
def test_gradients_are_finite_everywhere_and_right(function):
    values = torch.tensor([-0.3, 0.0, 0.002, 0.03, 0.2, 1.0, 4.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(function, values.requires_grad_())
