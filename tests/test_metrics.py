"""Image metrics against scikit-image, depth metrics against numpy and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from recon.metrics import (
    RANGES,
    DepthScore,
    ImageScore,
    depth_edges,
    mean_depth_score,
    mean_image_score,
    score_depth,
    score_image,
)
from recon.types import DepthKind, DepthMap


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
    mean = mean_image_score([ImageScore(20.0, 0.5, 10), nothing, ImageScore(30.0, 0.7, 90)])
    assert (mean.psnr, mean.ssim, mean.pixels) == (25, pytest.approx(0.6), 100)


def test_image_smaller_than_the_window_is_refused():
    image = torch.zeros(10, 30, 3)
    with pytest.raises(ValueError, match="30x10"):
        score_image(image, image)


def numpy_scores(z, true, use):
    """The depth metrics, written plainly once more."""
    total = int(use.sum())
    use = use & np.isfinite(z) & (z > 0)
    p, t = z[use].astype(float), true[use].astype(float)
    ratio = np.maximum(p / t, t / p)
    return {
        "mae": np.mean(np.abs(p - t)),
        "median": np.median(np.abs(p - t)),
        "abs_rel": np.mean(np.abs(p - t) / t),
        "sq_rel": np.mean((p - t) ** 2 / t),
        "rmse": np.sqrt(np.mean((p - t) ** 2)),
        "rmse_log": np.sqrt(np.mean((np.log(p) - np.log(t)) ** 2)),
        "delta1": np.mean(ratio < 1.25),
        "delta2": np.mean(ratio < 1.25**2),
        "delta3": np.mean(ratio < 1.25**3),
        "coverage": use.sum() / total,
        "compared": int(use.sum()),
        "known": total,
    }


def make_depths(height, width, seed=0):
    generator = np.random.default_rng(seed)
    true = np.exp(generator.uniform(0, 4.8, (height, width))).astype(np.float32)
    z = (true * np.exp(0.3 * generator.normal(size=true.shape))).astype(np.float32)
    z[generator.random(z.shape) < 0.1] = 0
    z[0, 0], z[0, 1], z[0, 2] = np.nan, np.inf, -3
    valid = generator.random(true.shape) < 0.7
    valid[0, :3] = True
    return z, np.where(valid, true, 0), valid


def assert_scores(score: DepthScore, expected):
    for name, value in expected.items():
        assert getattr(score, name) == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("masked", [False, True])
def test_depth_scores_equal_numpy(masked):
    z, true, valid = make_depths(40, 50)
    mask = np.random.default_rng(5).random(z.shape) > 0.5
    truth = DepthMap(torch.from_numpy(true), torch.from_numpy(valid))
    report = score_depth(torch.from_numpy(z), truth, torch.from_numpy(mask) if masked else None)
    use = valid & mask if masked else valid
    assert_scores(report.overall, numpy_scores(z, true, use))
    for score, (low, high) in zip(report.ranges, RANGES, strict=True):
        assert_scores(score, numpy_scores(z, true, use & (true >= low) & (true < high)))
    assert_scores(report.edges, numpy_scores(z, true, use & depth_edges(truth).numpy()))


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(0.2, 5), depth=st.floats(0.5, 79))
def test_depth_scores_of_a_constant_factor(factor, depth):
    true = torch.full((6, 7), depth, dtype=torch.float64)
    valid = torch.ones(6, 7, dtype=torch.bool)
    score = score_depth(factor * true, DepthMap(true, valid)).overall
    off = abs(factor - 1)
    assert score.abs_rel == pytest.approx(off, abs=1e-12)
    assert score.mae == pytest.approx(off * depth, abs=1e-9)
    assert score.median == pytest.approx(off * depth, abs=1e-9)
    assert score.rmse == pytest.approx(off * depth, abs=1e-9)
    assert score.sq_rel == pytest.approx(off**2 * depth, abs=1e-9)
    assert score.rmse_log == pytest.approx(abs(math.log(factor)), abs=1e-12)
    worse = max(factor, 1 / factor)
    for power, share in enumerate([score.delta1, score.delta2, score.delta3], start=1):
        if abs(worse - 1.25**power) > 1e-9:
            assert share == (worse < 1.25**power)


def test_every_depth_falls_into_one_range():
    true = torch.tensor([[9.999, 10.0, 20.0, 39.9, 40.0, 80.0, 500.0]])
    report = score_depth(true, DepthMap(true, torch.ones(1, 7, dtype=torch.bool)))
    assert [score.known for score in report.ranges] == [1, 1, 2, 1]
    assert report.overall.known == 7


def test_depth_edges_are_where_depth_jumps():
    z = torch.full((5, 8), 10.0)
    z[:, 4:] = 12.0
    valid = torch.ones(5, 8, dtype=torch.bool)
    valid[2, 4] = False
    expected = torch.zeros(5, 8, dtype=torch.bool)
    expected[:, 3:5] = True
    expected[2, 4] = False
    assert torch.equal(depth_edges(DepthMap(torch.where(valid, z, 0), valid)), expected)
    smooth = torch.linspace(10, 12, 8).expand(5, 8)
    assert not depth_edges(DepthMap(smooth, torch.ones(5, 8, dtype=torch.bool))).any()


def test_mean_depth_score_is_per_image_and_skips_empty_ones():
    valid = torch.ones(2, 2, dtype=torch.bool)
    near = score_depth(torch.full((2, 2), 6.0), DepthMap(torch.full((2, 2), 5.0), valid))
    half = DepthMap(torch.full((2, 2), 50.0), torch.tensor([[True, False], [False, False]]))
    far = score_depth(torch.full((2, 2), 45.0), half)
    mean = mean_depth_score([near, far])
    assert mean.overall.abs_rel == pytest.approx((0.2 + 0.1) / 2)
    assert mean.overall.known == 5
    assert mean.ranges[0].abs_rel == near.overall.abs_rel
    assert mean.ranges[3].mae == pytest.approx(5)
    assert math.isnan(mean.ranges[1].mae)
    assert mean.ranges[1].known == 0
    assert math.isnan(mean.edges.coverage)


def test_missing_predictions_lower_coverage_only():
    truth = DepthMap(torch.full((2, 2), 5.0), torch.ones(2, 2, dtype=torch.bool))
    score = score_depth(torch.tensor([[5.0, 0.0], [math.nan, 5.0]]), truth).overall
    assert (score.coverage, score.mae, score.delta1) == (0.5, 0, 1)
    nothing = score_depth(torch.zeros(2, 2), truth).overall
    assert nothing.coverage == 0
    assert math.isnan(nothing.mae)


def test_depth_of_unknown_scale_is_refused():
    depth = torch.ones(2, 2)
    truth = DepthMap(depth, torch.ones(2, 2, dtype=torch.bool), DepthKind.AFFINE)
    with pytest.raises(ValueError, match="affine"):
        score_depth(depth, truth)
