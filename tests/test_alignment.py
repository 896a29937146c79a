"""Alignment against exact truth: each form is found again, through outliers, or given up."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.errors import DataError
from recon.evidence.alignment import FORMS, Form, align
from recon.evidence.interface import SparseDepth
from recon.types import DepthKind, DepthMap

HEIGHT, WIDTH = 40, 60


def truth(seed: int = 0) -> torch.Tensor:
    """Return depths from 2 to 60, most of them far."""
    generator = np.random.default_rng(seed)
    return torch.from_numpy(2 + 58 * generator.beta(2, 1, (HEIGHT, WIDTH))).float()


def bent(form: Form, a: float, b: float, z: torch.Tensor) -> torch.Tensor:
    """Return the prior p that a form leads from to z: the inverse of what each form says."""
    return {
        Form.SCALE: z / a,
        Form.DEPTH: (z - b) / a,
        Form.DISPARITY: a / (1 / z - b),
        Form.LOG: (z / math.exp(b)) ** (1 / a),
    }[form]


def prior_of(p: torch.Tensor, kind: DepthKind = DepthKind.SCALE) -> DepthMap:
    return DepthMap(p, p > 0, kind)


def points(z: torch.Tensor, count: int, wrong: float = 0.0, seed: int = 0) -> SparseDepth:
    """Take depths at random pixels; a share of them is off by factors of up to 20."""
    generator = np.random.default_rng(seed)
    cells = generator.choice(HEIGHT * WIDTH, count, replace=False)
    rows, columns = np.divmod(cells, WIDTH)
    depth = z.numpy()[rows, columns].astype(np.float64)
    off = generator.random(count) < wrong
    depth *= np.where(off, np.exp(generator.uniform(-3, 3, count)), 1)
    pixels = torch.from_numpy(np.stack([columns, rows], axis=-1)).float() + 0.5
    return SparseDepth(pixels, torch.from_numpy(depth).float(), torch.ones(count))


CASES = [
    (Form.SCALE, 3.7, 0.0),
    (Form.DEPTH, 2.5, 0.8),
    (Form.DEPTH, 40.0, -1.5),
    (Form.DISPARITY, 0.3, 0.01),
    (Form.DISPARITY, 1.4, -0.05),
    (Form.LOG, 1.5, 0.4),
    (Form.LOG, 0.7, -1.0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("count", "wrong"), [(20, 0.0), (300, 0.0), (300, 0.3)])
def test_each_form_is_found(case: tuple[Form, float, float], count: int, wrong: float) -> None:
    form, a, b = case
    z = truth()
    prior = prior_of(bent(form, a, b, z))
    found = align("a", prior, points(z, count, wrong), form)
    assert found.form is form
    assert found.a == pytest.approx(a, rel=1e-3)
    assert found.b == pytest.approx(b, abs=2e-3 * max(1, abs(b)))
    aligned = found.apply(prior)
    assert aligned.kind is DepthKind.METRIC
    torch.testing.assert_close(aligned.z, z, rtol=5e-3, atol=0)
    assert found.points == count
    assert found.inliers == pytest.approx(1 - wrong, abs=0.08)


def test_far_points_do_not_decide_alone() -> None:
    """The prior pulls far things together, and most points are far."""
    z = truth()
    prior, near = prior_of(bent(Form.LOG, 1.3, 0.0, z)), z < 10

    def error(form: Form, balance: float) -> float:
        aligned = align("a", prior, points(z, 400), form, balance=balance).apply(prior)
        return float((aligned.z / z - 1).abs()[near].mean())

    by_median = prior.z * (z / prior.z).median()
    assert error(Form.SCALE, 1) < error(Form.SCALE, 0)
    assert error(Form.SCALE, 1) < float((by_median / z - 1).abs()[near].mean())
    assert error(Form.LOG, 0.5) < 1e-3


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.floats(0.01, 100), st.sampled_from(list(Form)))
def test_units_of_prior_and_points_do_not_matter(
    of_prior: float, of_points: float, form: Form
) -> None:
    z = truth()
    prior, sparse = prior_of(bent(Form.DISPARITY, 0.5, 0.02, z)), points(z, 80, 0.2)
    plain = align("a", prior, sparse, form)
    other = align(
        "a",
        prior_of(prior.z * of_prior),
        replace(sparse, depth=sparse.depth * of_points),
        form,
    )
    expected = plain.apply(prior).z * of_points
    found = other.apply(prior_of(prior.z * of_prior)).z
    both = (expected > 0) & (found > 0)
    assert bool((both == ((expected > 0) | (found > 0))).float().mean() > 0.99)
    torch.testing.assert_close(found[both], expected[both], rtol=2e-2, atol=0)


def test_noise_of_a_few_percent_leaves_less() -> None:
    z = truth()
    sparse = points(z, 300)
    noise = torch.exp(0.05 * torch.randn(300, generator=torch.Generator().manual_seed(0)))
    noisy = replace(sparse, depth=sparse.depth * noise)
    found = align("a", prior_of(bent(Form.LOG, 1.2, 0.3, z)), noisy, Form.LOG)
    # Three standard errors of a slope: 3 * 0.05 / sqrt(300) over a deviation of ln p of 0.5.
    assert found.a == pytest.approx(1.2, abs=0.03)


@pytest.mark.parametrize("form", Form)
def test_points_of_one_depth_say_nothing_of_a_shift(form: Form) -> None:
    z = torch.full((HEIGHT, WIDTH), 7.0)
    found = align("a", prior_of(z / 2), points(z, 100), form)
    assert found.form is Form.SCALE
    assert found.a == pytest.approx(2)


@pytest.mark.parametrize("form", Form)
def test_few_points_say_only_a_factor(form: Form) -> None:
    z = truth()
    found = align("a", prior_of(z / 3), points(z, 5), form)
    assert (found.form, found.points) == (Form.SCALE, 5)
    assert found.a == pytest.approx(3)


@pytest.mark.parametrize("form", [Form.DEPTH, Form.DISPARITY, Form.LOG])
def test_a_prior_turned_inside_out_gets_no_line(form: Form) -> None:
    """Near and far exchanged: a falling line would fit, and no depth prior is that wrong."""
    z = truth()
    found = align("a", prior_of(120 / z), points(z, 200), form)
    assert found.form is Form.SCALE or found.a > 0


def test_without_overlap_the_view_is_named() -> None:
    z = truth()
    prior = DepthMap(z, torch.zeros(HEIGHT, WIDTH, dtype=torch.bool))
    with pytest.raises(DataError, match=r"left/3\.png: 0 of 50 points .* its scale needs 3"):
        align("left/3.png", prior, points(z, 50), Form.SCALE)
    empty = SparseDepth(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    with pytest.raises(DataError, match="0 of 0 points"):
        align("a", prior_of(z), empty, Form.LOG)


def test_points_without_a_number_or_weight_do_not_count() -> None:
    z = truth()
    sparse = points(z, 60)
    depth, weight = sparse.depth.clone(), sparse.weight.clone()
    depth[:5] = torch.tensor([math.nan, math.inf, 0.0, -3.0, 1e-30])
    depth[5:45] *= 10
    weight[5:45] = 0
    found = align("a", prior_of(z / 2), SparseDepth(sparse.pixels, depth, weight), Form.SCALE)
    assert found.points == 16
    assert found.a == pytest.approx(2)


def test_the_report_is_by_range() -> None:
    z = truth()
    shifted = torch.where(z < 20, z, z * 1.2)
    ranges = ((0.0, 20.0), (20.0, 80.0), (80.0, 200.0))
    near, far, none = align(
        "a", prior_of(z), points(shifted, 400), Form.SCALE, ranges, balance=0
    ).ranges
    assert (near.low, near.high) == (0.0, 20.0)
    assert near.points + far.points == 400
    # One factor cannot serve both; what it does to one it leaves undone to the other.
    assert near.bias / far.bias == pytest.approx(1.2, rel=1e-3)
    assert far.abs_rel == pytest.approx(abs(far.bias - 1), abs=1e-3)
    assert none.points == 0
    assert math.isnan(none.bias)
    assert math.isnan(none.abs_rel)
    assert sum(r.points for r in align("a", prior_of(z), points(z, 50), Form.SCALE).ranges) == 50


def test_what_would_lie_behind_infinity_is_not_valid() -> None:
    z = truth()
    p = bent(Form.DISPARITY, 1.0, -0.01, z)
    # The line meets 0 at p = 100: disparity would be negative beyond.
    p[0] = 250.0
    prior = prior_of(p)
    sparse = points(z, 200)
    below = replace(sparse, weight=(sparse.pixels[:, 1] > 1).float())
    aligned = align("a", prior, below, Form.DISPARITY).apply(prior)
    assert not bool(aligned.valid[0].any())
    assert not bool(aligned.z[0].any())
    assert bool(aligned.valid[1:].all())


def test_there_is_a_form_for_each_kind() -> None:
    assert set(FORMS) == set(DepthKind)
