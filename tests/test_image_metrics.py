"""Image metrics against scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from recon.image_metrics import ImageScore, mean_image_score, score_image, score_regions


def make_pair(height, width, seed=0, noise=0.08):
    generator = np.random.default_rng(seed)
    y = np.cumsum(generator.normal(size=(height, width, 3)), axis=1) * 0.05 % 1
    x = np.clip(y + noise * generator.normal(size=y.shape), 0, 1)
    return (x * 255).astype(np.uint8), (y * 255).astype(np.uint8)


def expected_ssim(x, y, **options):
    return structural_similarity(
        x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=1, channel_axis=-1, **options,
    )  # fmt: skip


@pytest.mark.parametrize(("height", "width"), [(11, 11), (40, 61), (129, 64)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "mixed"])
def test_image_score_equals_scikit_image(height, width, kind):
    x8, y8 = make_pair(height, width)
    x, y = x8 / 255, y8 / 255
    tensors = {
        "uint8": (torch.from_numpy(x8), torch.from_numpy(y8)),
        "float32": (torch.from_numpy(x).float(), torch.from_numpy(y).float()),
        "mixed": (torch.from_numpy(x).float(), torch.from_numpy(y8)),
    }
    score = score_image(*tensors[kind])
    assert score.psnr == pytest.approx(peak_signal_noise_ratio(y, x, data_range=1), abs=1e-5)
    assert score.ssim == pytest.approx(expected_ssim(x, y), abs=1e-6)
    assert score.ssim_skimage7 == pytest.approx(
        structural_similarity(x, y, data_range=1, channel_axis=-1), abs=1e-6
    )
    assert score.pixels == height * width


@pytest.mark.parametrize("level", [0.0, 0.97])
def test_ssim_of_flat_images_equals_scikit_image(level):
    y = np.full((30, 30, 3), level)
    x = y + 0.02
    score = score_image(torch.from_numpy(x), torch.from_numpy(y))
    assert score.ssim == pytest.approx(expected_ssim(x, y), abs=1e-6)
    assert score.psnr == pytest.approx(20 * math.log10(1 / 0.02))


def test_equal_images_score_best():
    _, y = make_pair(20, 30)
    score = score_image(torch.from_numpy(y), torch.from_numpy(y))
    assert score.psnr == math.inf
    assert score.ssim == pytest.approx(1, abs=1e-12)


def test_image_mask_selects_pixels():
    x, y = make_pair(40, 50)
    mask = np.random.default_rng(1).random((40, 50)) > 0.4
    score = score_image(*map(torch.from_numpy, (x, y, mask)))
    difference = (x.astype(float) - y)[mask] / 255
    assert score.psnr == pytest.approx(-10 * np.log10(np.mean(difference**2)))
    patched = np.where(mask[..., None], x, y) / 255
    _, similarity = expected_ssim(patched, y / 255, full=True)
    inner = (slice(5, -5), slice(5, -5))
    assert score.ssim == pytest.approx(similarity[inner][mask[inner]].mean(), abs=1e-9)
    assert score.pixels == mask.sum()

    hidden = np.where(mask[..., None], x, 255 - x)
    assert score_image(*map(torch.from_numpy, (hidden, y, mask))) == score


def test_image_without_pixels_has_no_score_and_leaves_the_mean_alone():
    x, y = map(torch.from_numpy, make_pair(20, 30))
    nothing = score_image(x, y, torch.zeros(20, 30, dtype=torch.bool))
    assert math.isnan(nothing.psnr)
    assert math.isnan(nothing.ssim)
    assert nothing.pixels == 0
    mean = mean_image_score(
        [ImageScore(20.0, 0.5, 0.4, 10), nothing, ImageScore(30.0, 0.7, 0.6, 90)]
    )
    assert (mean.psnr, mean.ssim, mean.pixels) == (25, pytest.approx(0.6), 100)
    assert mean.ssim_skimage7 == pytest.approx(0.5)


def test_image_smaller_than_the_window_is_refused():
    image = torch.zeros(10, 30, 3)
    with pytest.raises(ValueError, match="30x10"):
        score_image(image, image)


def test_regions_are_parts_of_the_same_comparison():
    x, y = make_pair(40, 50)
    random = np.random.default_rng(2)
    mask, left = random.random((40, 50)) > 0.2, np.arange(50) < 20
    region = np.broadcast_to(left, (40, 50)).copy()
    parts = {"left": torch.from_numpy(region), "right": torch.from_numpy(~region)}
    scores = score_regions(*map(torch.from_numpy, (x, y, mask)), parts)
    assert scores["full"] == score_image(*map(torch.from_numpy, (x, y, mask)))
    assert scores["left"].pixels + scores["right"].pixels == scores["full"].pixels
    square = ((x.astype(float) - y) / 255) ** 2
    _, seven = structural_similarity(
        np.where(mask[..., None], x, y) / 255, y / 255, data_range=1, channel_axis=-1, full=True
    )
    for name, part in (("left", region), ("right", ~region)):
        use = mask & part
        assert scores[name].psnr == pytest.approx(-10 * np.log10(square[use].mean()), abs=1e-9)
        inner = (slice(3, -3), slice(3, -3))
        expected = seven[inner][use[inner]].mean()
        assert scores[name].ssim_skimage7 == pytest.approx(expected, abs=1e-9)
