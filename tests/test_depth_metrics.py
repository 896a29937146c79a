"""Depth metrics against numpy and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from recon.depth_metrics import (
    RANGES,
    SPARSE_EDGE_RATIO,
    DepthScore,
    depth_edges,
    mean_depth_score,
    score_depth,
    sparse_edges,
)
from recon.types import DepthKind, DepthMap


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


def test_depth_scores_equal_numpy():
    z, true, use = make_depths(40, 50)
    truth = DepthMap(torch.from_numpy(true), torch.from_numpy(use))
    report = score_depth(torch.from_numpy(z), truth)
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


def test_sparse_depths_are_at_edges_where_others_near_them_jump():
    random = np.random.default_rng(3)
    valid = random.random((60, 320)) < 0.2
    z = np.where(np.arange(320) < 150, 10.0, 14.0) * np.exp(0.02 * random.normal(size=valid.shape))
    truth = DepthMap(torch.from_numpy(np.where(valid, z, 0)), torch.from_numpy(valid))
    places = np.argwhere(valid)
    near = cKDTree(places).query_ball_point(places, 320 / 160, p=np.inf)
    logs = np.log(z[valid])
    jumps = [np.ptp(logs[others]) > np.log(SPARSE_EDGE_RATIO) for others in near]
    expected = np.zeros_like(valid)
    expected[tuple(places[jumps].T)] = True
    assert 20 < expected.sum() < 200
    found = sparse_edges(truth)
    np.testing.assert_array_equal(found, expected)
    at_edges = score_depth(truth.z, truth, found).edges
    assert at_edges.known == expected.sum()


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
