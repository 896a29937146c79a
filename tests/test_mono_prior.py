"""The term of a depth prior, in closed form."""

from dataclasses import replace

import pytest
import torch

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
    class WithDepth(type(sample.view.photo)):  # type: ignore[misc]
        kind = DepthKind.METRIC

        def depth(self) -> DepthMap:
            z = torch.full((24, 32), 3.0)
            z[0] = 0.0
            return DepthMap(z, z > 0, self.kind)

    photo = WithDepth(sample.photo)
    view = replace(sample.view, photo=photo)
    found = DepthFileProvider().add(Evidence(), view).prior
    assert found is not None
    assert float(found.confidence.sum()) == 23 * 32
    small = found.resized(16, 12)
    assert set(small.depth.unique().tolist()) <= {0.0, 3.0}
    photo.kind = DepthKind.AFFINE
    assert DepthFileProvider().add(Evidence(), view).prior is None
