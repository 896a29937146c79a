"""The photometric loss: the kernel on every instruction set against float64 torch, which is itself
checked against scikit-image, finite differences and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from recon.core import HAS_CORE
from recon.losses.functional import masked_mean, photometric, photometric_in_torch

# Below the window, and above the kernel's tiles of 128 rows and 256 columns.
SIZES = [(1, 1), (3, 40), (45, 37), (12, 300), (260, 17)]
core = pytest.mark.skipif(not HAS_CORE, reason="no native core")


def make_pair(height, width, seed=0):
    """A photo with texture and a render that differs from it everywhere, here and there above 1."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    smooth = smooth[0].permute(1, 2, 0).contiguous()
    noise = torch.randn(2, height, width, 3, generator=generator)
    photo = ((smooth + 0.1 * noise[0]).clamp(0, 1) * 255).to(torch.uint8)
    rendered = smooth + 0.05 * noise[1] + 0.01
    # |x - y| has no gradient at 0: keep away from it, where float32 and float64 may disagree.
    close = (rendered - photo / 255).abs() < 1e-4
    return torch.where(close, rendered + 1e-3, rendered), photo


def make_mask(height, width, seed=0):
    mask = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) > 0.3
    mask[: height // 3, width // 2 :] = False
    return mask


def with_gradient(function, rendered, photo, mask, weight):
    rendered = rendered.clone().requires_grad_()
    result = function(rendered, photo, mask, weight)
    (gradient,) = torch.autograd.grad(result.loss, rendered)
    return result, gradient


@core
@pytest.mark.parametrize(("masked", "weight"), [(False, 0.2), (True, 0.2), (True, 1.0)])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_kernel_equals_float64(instruction_set, height, width, masked, weight):
    rendered, photo = make_pair(height, width)
    mask = make_mask(height, width) if masked else None
    result, gradient = with_gradient(photometric, rendered, photo, mask, weight)
    exact, exact_gradient = with_gradient(
        photometric_in_torch, rendered.double(), photo, mask, weight
    )
    assert result.l1.item() == pytest.approx(exact.l1.item(), abs=1e-6)
    assert result.ssim.item() == pytest.approx(exact.ssim.item(), abs=1e-6)
    assert result.loss.item() == pytest.approx(exact.loss.item(), abs=1e-6)
    error = (gradient - exact_gradient).norm()
    assert error <= 1e-5 * exact_gradient.norm()


@core
def test_kernel_gradient_equals_finite_differences(instruction_set):
    rendered, photo = make_pair(14, 20)
    mask = make_mask(14, 20)
    _, gradient = with_gradient(photometric, rendered, photo, mask, 0.6)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        direction = torch.randn(rendered.shape, generator=generator, dtype=torch.float64)
        direction *= mask[..., None]
        step = 1e-6 * direction
        ahead = photometric_in_torch(rendered.double() + step, photo, mask, 0.6).loss
        behind = photometric_in_torch(rendered.double() - step, photo, mask, 0.6).loss
        difference = (ahead - behind) / 2e-6
        assert (gradient * direction).sum().item() == pytest.approx(difference.item(), rel=1e-4)


@core
def test_kernel_in_flat_bright_areas(instruction_set):
    """Where float32 variances cancel worst, the gradient still holds to 1e-5."""
    rendered = torch.full((60, 80, 3), 0.97)
    photo = torch.full((60, 80, 3), 250, dtype=torch.uint8)
    _, gradient = with_gradient(photometric, rendered, photo, None, 0.2)
    _, exact = with_gradient(photometric_in_torch, rendered.double(), photo, None, 0.2)
    assert (gradient - exact).norm() <= 1e-5 * exact.norm()


@core
def test_kernel_gives_the_same_bytes_for_any_number_of_threads():
    rendered, photo = make_pair(300, 530)
    mask = make_mask(300, 530)
    from recon import _core

    threads = _core.threads()
    try:
        outcomes = []
        for count in (1, 2, 3, 7):
            _core.use_threads(count)
            result, gradient = with_gradient(photometric, rendered, photo, mask, 0.2)
            outcomes.append((result.l1.item(), result.ssim.item(), gradient.numpy().tobytes()))
    finally:
        _core.use_threads(threads)
    assert all(outcome == outcomes[0] for outcome in outcomes)


@core
def test_kernel_takes_views_that_are_not_contiguous():
    rendered, photo = make_pair(20, 30)
    turned = rendered.transpose(0, 1).contiguous().transpose(0, 1)
    plain, gradient = with_gradient(photometric, rendered, photo, None, 0.2)
    result, turned_gradient = with_gradient(photometric, turned, photo.flip(0).flip(0), None, 0.2)
    assert result.loss == plain.loss
    assert torch.equal(turned_gradient, gradient)


@core
def test_kernel_refuses_shapes_that_differ():
    from recon import _core

    rendered, photo = make_pair(20, 30)
    with pytest.raises(ValueError, match="photo"):
        _core.photometric(rendered, photo[:10], None, 0.2, None)
    with pytest.raises(ValueError, match="mask"):
        _core.photometric(rendered, photo, torch.ones(20, 29, dtype=torch.uint8), 0.2, None)
    with pytest.raises(ValueError, match="gradient"):
        _core.photometric(rendered, photo, None, 0.2, torch.zeros(20, 30, 1))


@core
def test_kernel_without_gradient_gives_the_same_figures():
    rendered, photo = make_pair(140, 300)
    result, _ = with_gradient(photometric, rendered, photo, None, 0.2)
    plain = photometric(rendered, photo, None, 0.2)
    assert not plain.loss.requires_grad
    assert (plain.l1, plain.ssim) == (result.l1, result.ssim)


def test_torch_takes_what_the_core_does_not(monkeypatch):
    rendered, photo = make_pair(20, 30)
    expected, exact = with_gradient(photometric_in_torch, rendered.double(), photo, None, 0.2)
    double, gradient = with_gradient(photometric, rendered.double(), photo, None, 0.2)
    assert gradient.dtype == torch.float64
    assert torch.equal(gradient, exact)
    monkeypatch.setattr("recon.losses.functional.HAS_CORE", False)
    without_core, gradient = with_gradient(photometric, rendered, photo, None, 0.2)
    torch.testing.assert_close(gradient.double(), exact, rtol=1e-3, atol=1e-8)
    assert double.loss.item() == expected.loss.item()
    assert without_core.loss.item() == pytest.approx(expected.loss.item(), abs=1e-6)


@pytest.fixture(params=[photometric, photometric_in_torch], ids=["chosen", "torch"])
def implementation(request):
    return request.param


def test_figures_equal_numpy_and_scikit_image(implementation):
    """With zeros around the images, scikit-image's border is ours, once its own crop is undone."""
    rendered, photo = make_pair(40, 50)
    x, y = rendered.double().numpy(), photo.double().numpy() / 255
    border = ((10, 10), (10, 10), (0, 0))
    _, similarity = structural_similarity(
        np.pad(x, border), np.pad(y, border), gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=1, channel_axis=-1, full=True,
    )  # fmt: skip
    result = implementation(rendered, photo, None, 0.3)
    assert result.l1.item() == pytest.approx(np.abs(x - y).mean(), abs=1e-6)
    assert result.ssim.item() == pytest.approx(similarity[10:-10, 10:-10].mean(), abs=1e-5)
    expected = 0.7 * result.l1.item() + 0.3 * (1 - result.ssim.item())
    assert result.loss.item() == pytest.approx(expected, abs=1e-6)


def test_ssim_of_constant_images_is_the_luminance_term(implementation):
    rendered = torch.full((31, 31, 3), 0.25)
    photo = torch.full((31, 31, 3), 102, dtype=torch.uint8)
    mask = torch.zeros(31, 31, dtype=torch.bool)
    mask[15, 15] = True
    # Only the middle pixel counts, and its window sees the render's 0.25 elsewhere in both images.
    weight = 0.2660117248617943**2
    mean_y = 0.25 + weight * 0.15
    variance_y, covariance = weight * (1 - weight) * 0.15**2, 0.0
    expected = (2 * 0.25 * mean_y + 1e-4) * (2 * covariance + 9e-4)
    expected /= (0.25**2 + mean_y**2 + 1e-4) * (variance_y + 9e-4)
    assert implementation(rendered, photo, mask, 1.0).ssim.item() == pytest.approx(expected, 1e-5)


def test_equal_images_have_no_loss_and_no_l1_gradient(implementation):
    _, photo = make_pair(40, 50)
    result, gradient = with_gradient(implementation, photo.float() / 255, photo, None, 0.0)
    assert result.loss.item() == 0
    assert result.ssim.item() == pytest.approx(1, abs=1e-6)
    assert not gradient.any()


def test_masked_pixels_do_not_matter(implementation):
    rendered, photo = make_pair(40, 50)
    mask = make_mask(40, 50)
    other = torch.where(mask[..., None], photo, 255 - photo)
    result, gradient = with_gradient(implementation, rendered, photo, mask, 0.5)
    changed, changed_gradient = with_gradient(implementation, rendered, other, mask, 0.5)
    assert result.loss == changed.loss
    assert torch.equal(gradient, changed_gradient)
    assert not gradient[~mask].any()


def test_empty_mask_gives_zero(implementation):
    rendered, photo = make_pair(20, 30)
    mask = torch.zeros(20, 30, dtype=torch.bool)
    result, gradient = with_gradient(implementation, rendered, photo, mask, 0.2)
    assert result.loss.item() == 0
    assert not gradient.any()


def test_gradient_scales_with_what_follows(implementation):
    rendered, photo = make_pair(20, 30)
    _, gradient = with_gradient(implementation, rendered, photo, None, 0.2)
    rendered.requires_grad_()
    (2.5 * implementation(rendered, photo, None, 0.2).loss).backward()
    torch.testing.assert_close(rendered.grad, 2.5 * gradient)


def test_torch_gradient_equals_finite_differences():
    rendered, photo = make_pair(6, 7)
    assert torch.autograd.gradcheck(
        lambda x: photometric_in_torch(x, photo, None, 0.4).loss,
        rendered.double().requires_grad_(),
        fast_mode=True,
    )


@core
@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 300), seed=st.integers(0, 99))
def test_kernel_equals_torch_at_any_size(height, width, seed):
    rendered, photo = make_pair(height, width, seed)
    mask = make_mask(height, width, seed)
    result, gradient = with_gradient(photometric, rendered, photo, mask, 0.2)
    exact, exact_gradient = with_gradient(photometric_in_torch, rendered.double(), photo, mask, 0.2)
    assert result.loss.item() == pytest.approx(exact.loss.item(), abs=1e-6)
    assert (gradient - exact_gradient).norm() <= 1e-5 * exact_gradient.norm()


def test_masked_mean_divides_by_what_the_mask_uses():
    values = torch.tensor([[1.0, 2.0], [3.0, 100.0]])
    mask = torch.tensor([[True, True], [True, False]])
    assert masked_mean(values, mask).item() == 2
    assert masked_mean(values[..., None].expand(2, 2, 3), mask).item() == 2
    assert masked_mean(values, None).item() == 26.5


def test_masked_mean_of_nothing_is_zero_even_beside_nan():
    values = torch.tensor([[torch.nan, torch.inf]], requires_grad=True)
    mean = masked_mean(values, torch.zeros(1, 2, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert torch.equal(values.grad, torch.zeros(1, 2))
