"""What every supervision term keeps to. A new term joins by a line in TERMS."""

from dataclasses import replace

import pytest
import torch

from recon.config import Supervision
from recon.densify.choose import own_terms
from recon.densify.interface import Densify
from recon.evidence.interface import Evidence, SparseDepth
from recon.losses.consistency import Consistency
from recon.losses.defocus import Defocus
from recon.losses.lidar import Lidar
from recon.losses.mono_prior import MonoPrior
from recon.losses.multiview import Multiview
from recon.losses.photometric import Photometric
from recon.losses.regularize import Opacity, Scale
from recon.losses.siamese_coc import SiameseCoc
from recon.losses.sky import Sky
from recon.supervise import Sample, Term

SHAPED = MonoPrior(compare="depth", correlation=0.5, edge_aware=4.0)

TERMS: list[Term] = [
    Photometric(),
    Lidar(),
    Sky(),
    MonoPrior(),
    SHAPED,
    Defocus(),
    Multiview(),
    Consistency(begin=0.0),
    SiameseCoc(begin=0.0),
    Opacity(),
    Scale(),
]

PER_PIXEL: list[Term] = [
    Photometric(),
    Lidar(),
    Sky(),
    MonoPrior(),
    SHAPED,
    Defocus(),
    Multiview(),
    Consistency(begin=0.0),
    SiameseCoc(begin=0.0),
]
"""Those that compare pixels."""


def changed(sample: Sample, where: torch.Tensor) -> Evidence:
    """The sample's evidence, with other values at some pixels."""
    known = sample.evidence
    assert known.lidar is not None
    assert known.sky is not None
    assert known.prior is not None
    assert known.matches is not None
    assert known.coc is not None
    dense = replace(known.prior, depth=torch.where(where, 3 * known.prior.depth, known.prior.depth))
    lidar, matches = (farther(sparse, where) for sparse in (known.lidar, known.matches))
    coc = replace(known.coc, size=torch.where(where, 3 * known.coc.size, known.coc.size))
    sky = known.sky ^ where
    return replace(known, lidar=lidar, sky=sky, prior=dense, matches=matches, coc=coc)


def farther(known: SparseDepth, where: torch.Tensor) -> SparseDepth:
    row, column = known.pixels[:, 1].long(), known.pixels[:, 0].long()
    return replace(known, depth=torch.where(where[row, column], 3 * known.depth, known.depth))


def by_name(term: Term) -> str:
    return term.name


def test_the_list_is_complete() -> None:
    used = (*Supervision().terms(), *own_terms(Densify(strategy="mcmc")))
    assert {type(t) for t in used} == {type(t) for t in TERMS}


@pytest.mark.parametrize("term", TERMS, ids=by_name)
def test_the_penalty_is_a_finite_scalar_at_least_0_that_reaches_the_scene(
    term: Term, sample: Sample
) -> None:
    penalty = term.penalty(sample)
    assert penalty.shape == ()
    assert float(penalty.detach()) >= 0
    penalty.backward()
    gradients = [t.grad for t in sample.gaussians.named().values() if t.grad is not None]
    assert gradients
    assert all(bool(g.isfinite().all()) for g in gradients)
    assert any(float(g.abs().max()) > 0 for g in gradients)


@pytest.mark.parametrize("term", TERMS, ids=by_name)
def test_a_step_against_the_gradient_lowers_the_penalty(term: Term, sample: Sample) -> None:
    before = term.penalty(sample)
    drawn = {name: getattr(sample.render, name) for name in ("color", "alpha", "expected_depth")}
    slopes = torch.autograd.grad(before, [*drawn.values()], allow_unused=True, retain_graph=True)
    if any(slope is not None for slope in slopes):
        step = {n: drawn[n] - g for n, g in zip(drawn, slopes, strict=True) if g is not None}
        moved = replace(sample, render=replace(sample.render, **step))
    else:
        before.backward()
        scene = replace(sample.gaussians)
        for name, tensor in sample.gaussians.named().items():
            if tensor.grad is not None:
                setattr(scene, name, (tensor - 0.1 * tensor.grad).detach())
        moved = replace(sample, gaussians=scene)
    assert float(term.penalty(moved).detach()) < float(before.detach())


@pytest.mark.parametrize("term", PER_PIXEL, ids=by_name)
def test_pixels_that_are_not_valid_do_not_matter(term: Term, sample: Sample) -> None:
    valid = torch.ones(24, 32, dtype=torch.bool)
    valid[5:12, 8:20] = False
    other = sample.photo.clone()
    other[~valid] = 255 - other[~valid]
    one = term.penalty(replace(sample, valid=valid))
    two = term.penalty(replace(sample, valid=valid, photo=other, evidence=changed(sample, ~valid)))
    assert float(one.detach()) == float(two.detach())


@pytest.mark.parametrize("term", PER_PIXEL, ids=by_name)
def test_no_valid_pixel_gives_0_without_gradient(term: Term, sample: Sample) -> None:
    penalty = term.penalty(replace(sample, valid=torch.zeros(24, 32, dtype=torch.bool)))
    assert float(penalty.detach()) == 0.0
    penalty.backward()
    for tensor in sample.gaussians.named().values():
        assert tensor.grad is None or float(tensor.grad.abs().max()) == 0.0


def test_the_photometric_term_is_0_for_the_photo_itself(sample: Sample) -> None:
    exact = replace(sample.render, color=sample.photo.float() / 255)
    assert float(Photometric().penalty(replace(sample, render=exact))) == pytest.approx(0, abs=1e-6)
