"""The losses of the siamese network and the sweep over depths, against closed forms."""

import math

import pytest
import torch

from recon.defocus import blur
from recon.networks.bands import band_energies, gaussian, smooth
from recon.networks.fusion import agreed, shift
from recon.networks.reblurring import COCS, blurred, blurs
from recon.networks.rerendering import rerender
from recon.networks.siamese_coc import Branch
from recon.networks.siamese_losses import cross_focus, likelihood, reblur, side, smoothness
from recon.networks.sweep import behind, certainty, expected_likelihood, sweep
from recon.optics import signed_coc, thin_lens

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def branch(size: torch.Tensor, spread: float = 1.0, side: float = 0.0) -> Branch:
    return Branch(size, torch.full_like(size, spread), torch.full_like(size, side))


def pair_of_blurs(coc_a: float, coc_b: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Two photos of one texture under Gaussians of known variance, in linear light as 8 bit is."""
    texture = 0.2 + 0.6 * noise(1, 3, 64, 64, seed=3)
    light = texture**2.2
    seen = [light if c == 0 else smooth(light, c / 4) for c in (coc_a, coc_b)]
    return seen[0] ** (1 / 2.2), seen[1] ** (1 / 2.2)


def test_gaussians_sum_to_one_and_have_their_variance() -> None:
    for sigma in (0.8, 2.0, 4.2):
        taps = gaussian(sigma).double()
        offsets = torch.arange(len(taps)) - len(taps) // 2
        assert float(taps.sum()) == pytest.approx(1, abs=1e-6)
        assert float((taps * offsets**2).sum()) == pytest.approx(sigma**2, rel=0.05)


def test_bands_know_blur_and_not_contrast() -> None:
    texture = noise(1, 3, 64, 64)
    blurry = smooth(texture, 1.5)
    fine = [float(band_energies(i)[:, 0].mean()) for i in (texture, blurry)]
    assert fine[1] < fine[0] - 0.5
    lower = band_energies(0.5 + 0.5 * (texture - 0.5))
    whole = band_energies(texture)
    # Half the contrast is a quarter of the energy, in every band alike.
    assert float((whole - lower)[:, 0].mean()) == pytest.approx(math.log(4) / 3, rel=0.02)
    assert float((whole - lower)[:, 5:].abs().mean()) < 0.03


def test_the_blur_between_two_blurs_adds_variances() -> None:
    sharp, wide = pair_of_blurs(0.0, 6.0)
    levels = blurs(sharp)
    assert levels.shape == (1, len(COCS), 64, 64)
    found = blurred(levels, torch.full((1, 64, 64), 36.0))
    truth = blurs(wide)[:, 0]
    assert float((found - truth).abs()[..., 8:-8, 8:-8].max()) < 0.02


def test_blurs_have_the_gradient_of_finite_differences() -> None:
    levels = blurs(noise(1, 3, 24, 24)).double()
    squares = (30 * noise(1, 24, 24, seed=1) + 0.5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: blurred(levels, s).sum(), (squares,), atol=1e-5)


def test_reblur_is_least_at_the_blur_that_the_photos_have() -> None:
    sharp, wide = pair_of_blurs(2.0, 5.0)
    of_sharp, of_wide = blurs(sharp), blurs(wide)

    def loss(second: float) -> float:
        a, b = torch.full((1, 64, 64), 2.0), torch.full((1, 64, 64), second)
        return float(reblur(branch(a), branch(b), of_sharp, of_wide))

    losses = {size: loss(size) for size in (2.0, 3.5, 5.0, 7.0)}
    assert min(losses, key=losses.__getitem__) == 5.0
    assert losses[5.0] < 0.3 < losses[2.0]


def test_rerendering_is_least_at_the_blur_that_the_photo_has() -> None:
    torch.manual_seed(3)
    sharp = torch.rand(1, 3, 40, 48)
    photo = blurred_photo(sharp, 5.0)

    def left(size: float) -> float:
        return float(rerender(branch(torch.full((1, 40, 48), size), side=1.0), sharp, photo))

    errors = {size: left(size) for size in (0.0, 2.0, 4.0, 5.0, 6.0, 9.0)}
    assert min(errors, key=errors.__getitem__) == 5.0
    assert errors[0.0] == pytest.approx(1.0, abs=0.1)
    assert errors[5.0] < 0.3 * errors[0.0]


def test_rerendering_teaches_sizes_and_the_sharp_picture() -> None:
    torch.manual_seed(4)
    sharp = torch.rand(1, 3, 32, 32, requires_grad=True)
    photo = blurred_photo(sharp.detach(), 4.0)
    size = torch.full((1, 32, 32), 2.0, requires_grad=True)
    rerender(branch(size, side=1.0), sharp, photo).backward()  # type: ignore[no-untyped-call]
    assert size.grad is not None
    assert sharp.grad is not None
    # Too little blur: larger circles lower the loss, nearly everywhere that is judged.
    inner = size.grad[0, 8:-8, 8:-8]
    assert float((inner < 0).float().mean()) > 0.7
    step = 1e-2 * sharp.grad / sharp.grad.abs().max()
    before = rerender(branch(size.detach(), side=1.0), sharp.detach(), photo)
    after = rerender(branch(size.detach(), side=1.0), (sharp - step).detach(), photo)
    assert float(after) < float(before)


def blurred_photo(sharp: torch.Tensor, size: float) -> torch.Tensor:
    coc = torch.full(sharp.shape[-2:], size)
    return blur(sharp[0].permute(1, 2, 0).contiguous(), coc).permute(2, 0, 1)[None]


def test_the_lens_ties_two_settings_together() -> None:
    depth = 0.5 + 6 * noise(1, 12, 16)
    lenses = thin_lens(8.0, 1.0), thin_lens(8.0, 3.0)
    a, b = (signed_coc(depth, lens) for lens in lenses)
    planes = [lens.inverse_focus[None] for lens in lenses]
    moved = shift(lenses[0].strength[None], *planes)
    assert torch.allclose(a - b, moved.expand_as(a), atol=1e-5)
    exact = float(cross_focus(branch(a.abs()), branch(b.abs()), moved))
    assert exact == pytest.approx(math.log(2.0), abs=1e-4)
    assert float(cross_focus(branch(a.abs() + 1), branch(b.abs() + 0.7), moved)) > exact
    signs = agreed(a.abs(), b.abs(), moved)
    for sign, coc in zip(signs, (a, b), strict=True):
        assert bool(((sign > 0) == (coc > 0))[coc.abs() > 0.05].all())


def test_likelihood_is_laplaces_and_least_at_the_truth() -> None:
    truth = torch.tensor([[[-3.0, 2.0]]])
    assert float(likelihood(branch(truth.abs(), 0.5), truth)) == pytest.approx(math.log(0.5))
    off = likelihood(branch(truth.abs() + 1, 0.5), truth)
    assert float(off) == pytest.approx(2 + math.log(0.5))
    right = side(branch(truth, side=3.0), torch.ones(1, 1, 2), torch.ones(1, 1, 2))
    assert float(right) == pytest.approx(math.log(1 + math.exp(-3)), rel=1e-5)


def test_smoothness_minds_steps_less_where_the_photo_has_edges() -> None:
    size = torch.zeros(1, 8, 8)
    size[..., 4:] = 3.0
    flat = torch.full((1, 3, 8, 8), 0.5)
    edged = flat.clone()
    edged[..., 4:] = 1.0
    assert float(smoothness(branch(torch.ones(1, 8, 8)), flat)) == 0
    assert float(smoothness(branch(size), edged)) < 0.01 * float(smoothness(branch(size), flat))


def test_a_sweep_finds_signed_blur_of_two_photos_from_their_lens_alone() -> None:
    for coc_a, coc_b in ((-2.5, 5.0), (5.0, 1.25), (-5.0, -1.25)):
        a, b = pair_of_blurs(abs(coc_a), abs(coc_b))
        swept = sweep(blurs(a), blurs(b), torch.tensor([[[coc_a - coc_b]]]))
        assert float(swept.share.sum(0).sub(1).abs().max()) < 1e-4
        share = swept.share[:, 0, 8:-8, 8:-8].mean((1, 2))
        assert float(swept.coc_a[share.argmax()]) == coc_a
        first, second = (float(p[..., 8:-8, 8:-8].median()) for p in behind(swept))
        assert (first > 0.5, second > 0.5) == (coc_a > 0, coc_b > 0)


def test_a_sweep_is_unsure_without_texture() -> None:
    flat = torch.full((1, 3, 32, 32), 0.4)
    a, b = pair_of_blurs(2.0, 5.0)
    moved = torch.tensor([[[-3.0]]])
    sure = [certainty(sweep(blurs(x), blurs(y), moved)) for x, y in ((flat, flat), (a, b))]
    assert float(sure[0].max()) < 0.25 < float(sure[1].median())
    weight = torch.ones(1, 64, 64)
    swept = sweep(blurs(a), blurs(b), moved)
    near = expected_likelihood(branch(2 * weight), branch(5 * weight), swept, weight)
    far = expected_likelihood(branch(7 * weight), branch(0.5 * weight), swept, weight)
    assert float(near) < float(far)
