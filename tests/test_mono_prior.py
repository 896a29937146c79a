"""The term of a depth prior, in closed form."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from photos import MemoryPhoto

from recon.evidence.depth_files import DepthFileProvider
from recon.evidence.interface import DenseDepth, Evidence
from recon.losses.mono_prior import MonoPrior
from recon.supervise import Sample
from recon.types import DepthKind, DepthMap


def against(sample: Sample, drawn: float, prior: float, confidence: float) -> Sample:
    size = (24, 32)
    render = replace(sample.render, alpha=torch.ones(size), expected_depth=torch.full(size, drawn))
    known = DenseDepth(torch.full(size, prior), torch.full(size, confidence))
    return replace(sample, render=render, evidence=Evidence(prior=known))


def test_the_penalty_in_closed_form(sample: Sample) -> None:
    expected = 0.6 * sample.scene_scale * (1 / 4 - 1 / 5)
    found = float(MonoPrior().penalty(against(sample, 4.0, 5.0, 0.6)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_gross_disagreement_is_capped_and_does_not_pull(sample: Sample) -> None:
    taken = against(sample, 1.0, 50.0, 1.0)
    depth = taken.render.expected_depth.clone().requires_grad_()
    taken = replace(taken, render=replace(taken.render, expected_depth=depth))
    penalty = MonoPrior(cap=0.5).penalty(taken)
    assert float(penalty.detach()) == pytest.approx(0.5)
    assert not bool(torch.autograd.grad(penalty, depth)[0].any())


@pytest.mark.parametrize("nothing", [0.0, float("inf")])
def test_depths_that_are_not_known_do_not_matter(sample: Sample, nothing: float) -> None:
    taken = against(sample, nothing, 0.0, 1.0)
    depth = taken.render.expected_depth.clone().requires_grad_()
    taken = replace(taken, render=replace(taken.render, expected_depth=depth))
    penalty = MonoPrior().penalty(taken)
    assert float(penalty.detach()) == 0.0
    assert not bool(torch.autograd.grad(penalty, depth)[0].any())


def test_files_give_depth_in_the_captures_unit_only(sample: Sample) -> None:
    z = torch.full((24, 32), 3.0)
    z[0] = 0.0
    photos = {
        kind: MemoryPhoto(sample.photo, depth=DepthMap(z, z > 0, kind))
        for kind in (DepthKind.METRIC, DepthKind.AFFINE)
    }
    view = replace(sample.view, photo=photos[DepthKind.METRIC])
    found = DepthFileProvider().add(Evidence(), view).prior
    assert found is not None
    assert float(found.confidence.sum()) == 23 * 32
    small = found.resized(16, 12)
    assert set(small.depth.unique().tolist()) <= {0.0, 3.0}
    other = replace(sample.view, photo=photos[DepthKind.AFFINE])
    assert DepthFileProvider().add(Evidence(), other).prior is None


def dense(sample: Sample, drawn: torch.Tensor, prior: torch.Tensor, sure: torch.Tensor) -> Sample:
    render = replace(sample.render, alpha=torch.ones(24, 32), expected_depth=drawn)
    return replace(sample, render=render, evidence=Evidence(prior=DenseDepth(prior, sure)))


def some(seed: int, low: float = 2.0) -> torch.Tensor:
    return low + 2 * torch.rand(24, 32, generator=torch.Generator().manual_seed(seed))


def test_depth_itself_is_compared_if_asked_for(sample: Sample) -> None:
    found = float(MonoPrior(compare="depth").penalty(against(sample, 4.0, 5.0, 0.6)))
    assert found == pytest.approx(0.6 * (5 - 4) / sample.scene_scale, rel=1e-5)
    capped = float(MonoPrior(compare="depth", cap=0.1).penalty(against(sample, 4.0, 5.0, 0.6)))
    assert capped == pytest.approx(0.06, rel=1e-5)


@pytest.mark.parametrize("compare", ["inverse-depth", "depth"])
def test_the_correlation_is_numpys(
    sample: Sample, compare: Literal["inverse-depth", "depth"]
) -> None:
    drawn, prior = some(1), some(2)
    drawn = drawn + 0.7 * prior
    sure = (some(3, 0.0) > 0.8).float()
    taken = dense(sample, drawn, prior, sure)
    known = sure.bool().numpy()
    x, y = drawn.double().numpy()[known], prior.double().numpy()[known]
    if compare == "inverse-depth":
        x, y = 1 / x, 1 / y
    expected = known.mean() * (1 - np.corrcoef(x, y)[0, 1])
    alone, both = (
        float(MonoPrior(compare=compare, correlation=w).penalty(taken)) for w in (0.0, 0.4)
    )
    assert both - alone == pytest.approx(0.4 * expected, rel=1e-3)


def test_the_correlation_minds_neither_scale_nor_offset(sample: Sample) -> None:
    inverse, sure = 1 / some(5), torch.ones(24, 32)

    def part(other: torch.Tensor) -> float:
        taken = dense(sample, other.reciprocal(), inverse.reciprocal(), sure)
        return float(MonoPrior(correlation=1.0).penalty(taken)) - float(MonoPrior().penalty(taken))

    assert part(0.3 * inverse + 0.2) == pytest.approx(0, abs=1e-5)
    assert part(1 - inverse) == pytest.approx(2, rel=1e-4)
    assert part(torch.full((24, 32), 0.4)) == pytest.approx(1, rel=1e-4)


def test_slopes_of_the_correlation_are_those_of_differences(sample: Sample) -> None:
    term = MonoPrior(correlation=1.0, edge_aware=3.0, cap=1e3)
    prior, sure = some(2).double(), some(3, 0.0).double() / 2

    def penalty(drawn: torch.Tensor) -> torch.Tensor:
        render = replace(sample.render, alpha=torch.ones(24, 32).double(), expected_depth=drawn)
        known = Evidence(prior=DenseDepth(prior, sure))
        return term.penalty(replace(sample, render=render, evidence=known))

    depth = some(1).double().requires_grad_()
    (slope,) = torch.autograd.grad(penalty(depth), depth)
    for row, column in ((0, 0), (7, 20), (23, 31)):
        step = torch.zeros(24, 32).double()
        step[row, column] = 1e-6
        ahead, behind = (float(penalty(depth.detach() + s * step)) for s in (1, -1))
        assert float(slope[row, column]) == pytest.approx((ahead - behind) / 2e-6, rel=1e-4)


def test_pixels_at_edges_of_the_photo_count_less(sample: Sample) -> None:
    photo = torch.zeros(24, 32, 3, dtype=torch.uint8)
    photo[:, 16:] = 51  # A step of 0.2 between two columns of pixels, which both count less.
    taken = replace(against(sample, 4.0, 5.0, 1.0), photo=photo)
    flat = float(MonoPrior().penalty(taken))
    edge = float(MonoPrior(edge_aware=10.0).penalty(taken))
    assert edge == pytest.approx(flat * (30 + 2 * np.exp(-2)) / 32, rel=1e-5)
    valid = torch.ones(24, 32, dtype=torch.bool)
    valid[:, 16:] = False
    masked = MonoPrior(edge_aware=10.0).penalty(replace(taken, valid=valid))
    assert float(masked) == pytest.approx(flat / 2, rel=1e-5)
