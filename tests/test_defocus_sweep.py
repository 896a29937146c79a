"""Inverse depth from how blur grows with K, against exact planes through the exact operator."""

import pytest
import torch

from recon.defocus import blur, blur_stack
from recon.errors import UsageError
from recon.networks.defocus_sweep import COCS, LARGEST_ERROR, measure_diameters, measure_offset

pytestmark = pytest.mark.usefixtures("one_thread")
STRENGTHS = (6.0, 12.0, 18.0)
HEIGHT, WIDTH = 72, 96
INNER = (slice(14, -14), slice(14, -14))
"""Away from the border, beyond which the operator knows as little as we do."""


def photo(seed: int = 0, contrast: float = 0.15) -> torch.Tensor:
    """Return a photo whose spectrum falls as 1 / frequency."""
    white = torch.randn(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))
    fy, fx = torch.fft.fftfreq(HEIGHT)[:, None], torch.fft.rfftfreq(WIDTH)[None]
    falling = torch.fft.rfft2(white) / (fx**2 + fy**2).sqrt().clamp(min=1 / WIDTH)
    pink = torch.fft.irfft2(falling, s=(HEIGHT, WIDTH))
    return (0.5 + contrast * (pink - pink.mean()) / pink.std()).clamp(0, 1)


def seen(image: torch.Tensor, signed_offset: torch.Tensor) -> torch.Tensor:
    sharp = image.permute(1, 2, 0).contiguous()
    coc = signed_offset.expand(HEIGHT, WIDTH).contiguous()
    return torch.stack([blur(sharp, k * coc) for k in STRENGTHS]).permute(0, 3, 1, 2).clamp(0, 1)


@pytest.mark.parametrize("offset", [0.06, 0.3, 1.2])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_offset_of_a_plane_is_right_to_one_percent(offset: float, side: int) -> None:
    image = photo()
    frames = seen(image, torch.tensor(side * offset))
    found = measure_offset(image, frames, STRENGTHS).size[INNER]
    assert float((found / offset - 1).abs().max()) < 0.01


def test_a_slanted_plane_is_right_everywhere() -> None:
    image, offset = photo(1), torch.linspace(0.1, 0.8, WIDTH)
    found = measure_offset(image, seen(image, -offset), STRENGTHS)
    off = (found.size - offset)[INNER]
    assert float(off.abs().max()) < 0.04
    assert float(off.abs().mean()) < 0.01


def test_an_image_in_focus_has_no_offset_and_frames_of_no_strength_count_for_nothing() -> None:
    image = photo()
    in_focus = measure_offset(image, image.expand(3, -1, -1, -1), STRENGTHS)
    assert float(in_focus.size.max()) < 1e-3
    frames = seen(image, torch.tensor(0.3))
    without = measure_offset(image, frames, STRENGTHS)
    added = measure_offset(image, torch.cat([image[None], frames]), (0.0, *STRENGTHS))
    torch.testing.assert_close(added.size, without.size)
    torch.testing.assert_close(added.error, without.error)


def test_the_standard_error_is_that_of_noise() -> None:
    image, offset = photo(2), 0.3
    frames = seen(image, torch.tensor(offset))
    noise = 0.02 * torch.randn(frames.shape, generator=torch.Generator().manual_seed(3))
    found = measure_offset(image, frames + noise, STRENGTHS)
    spread = (found.size - offset)[INNER].square().mean().sqrt()
    promised = found.error[INNER].square().mean().sqrt()
    assert 0.5 < float(spread / promised) < 2.0


def test_without_texture_it_says_that_it_does_not_know() -> None:
    even = torch.full((3, HEIGHT, WIDTH), 0.4)
    found = measure_offset(even, even.expand(3, -1, -1, -1), STRENGTHS)
    assert float(found.error.min()) > 1.0
    assert float(found.error.max()) <= LARGEST_ERROR
    assert bool(found.size.isfinite().all())


def test_equal_certainty_gives_the_slope_of_least_squares() -> None:
    image = photo()
    frames = seen(image, torch.tensor(0.4))
    levels = blur_stack(image.permute(1, 2, 0).contiguous(), COCS)
    sizes = torch.stack([measure_diameters(levels, frame).size for frame in frames])
    strengths = torch.tensor(STRENGTHS)[:, None, None]
    slope = (strengths * sizes).sum(0) / strengths.square().sum()
    found = measure_offset(image, frames, STRENGTHS).size
    torch.testing.assert_close(found[INNER], slope[INNER], rtol=0.01, atol=0)


def test_refuses_what_is_no_stack() -> None:
    image = photo()
    frames = image.expand(2, -1, -1, -1)
    for strengths in ((1.0,), (0.0, 0.0), (1.0, -1.0)):
        with pytest.raises(UsageError, match="expected"):
            measure_offset(image, frames, strengths)
    with pytest.raises(UsageError, match="one size"):
        measure_offset(image, frames[..., 1:], (1.0, 2.0))
