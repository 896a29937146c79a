"""The virtual lens: it pulls depth towards the prior, and nowhere else."""

from dataclasses import replace

import pytest
import torch

from recon.evidence.blurred_photos import stack_of
from recon.evidence.interface import DenseDepth, Evidence
from recon.losses.defocus import Defocus, Focus, pooled_inverse
from recon.losses.virtual_lens import virtual_lens
from recon.supervise import Sample

SIZE = (48, 64)


@pytest.fixture
def textured(sample: Sample) -> Sample:
    """A photo of noise on a slope from 2 to 8, drawn with depths between 3 and 4."""
    generator = torch.Generator().manual_seed(2)
    photo = torch.randint(0, 256, (*SIZE, 3), generator=generator).to(torch.uint8)
    truth = torch.linspace(2, 8, SIZE[1]).expand(SIZE).contiguous()
    drawn = (3 + torch.rand(SIZE, generator=generator)).requires_grad_()
    render = replace(
        sample.render,
        color=torch.zeros(*SIZE, 3),
        alpha=torch.ones(SIZE),
        expected_depth=drawn,
    )
    evidence = Evidence(prior=DenseDepth(truth, torch.ones(SIZE)), stack=stack_of(photo))
    return replace(sample, photo=photo, render=render, evidence=evidence)


def moved(taken: Sample, depth: torch.Tensor) -> Sample:
    return replace(taken, render=replace(taken.render, expected_depth=depth))


@pytest.mark.parametrize("step", [0, 1])
def test_the_gradient_points_at_the_prior(textured: Sample, step: int) -> None:
    term = Defocus(span=50.0)
    depth, prior = textured.render.expected_depth, textured.evidence.prior
    assert prior is not None
    torch.autograd.backward(term.penalty(replace(textured, step=step)))
    assert depth.grad is not None
    right = (depth.detach() - prior.depth) * depth.grad > 0
    share = (depth.grad.abs() * right).sum() / depth.grad.abs().sum()
    assert float(share) > 0.85


def test_focus_outside_the_range_descends_to_the_prior(textured: Sample) -> None:
    term = Defocus(span=60.0)
    prior = textured.evidence.prior
    assert prior is not None
    log_depth = textured.render.expected_depth.detach().log().requires_grad_()
    optimizer = torch.optim.Adam([log_depth], lr=0.02)
    before = float((log_depth.detach().exp() / prior.depth - 1).abs().mean())
    for step in range(150):
        optimizer.zero_grad()
        penalty = term.penalty(replace(moved(textured, log_depth.exp()), step=step))
        torch.autograd.backward(penalty)
        optimizer.step()
    after = (log_depth.detach().exp() / prior.depth - 1).abs()
    assert float(after.median()) < 0.25 * before


@pytest.mark.parametrize("focus", ["outside", "infinity", "median", "quantiles"])
def test_the_priors_own_depth_costs_nothing(textured: Sample, focus: Focus) -> None:
    prior = textured.evidence.prior
    assert prior is not None
    penalty = Defocus(focus=focus).penalty(moved(textured, prior.depth))
    # The structural part compares with 8 bits.
    assert float(penalty) == pytest.approx(0, abs=1e-4)


def test_no_evidence_or_the_wrong_time_give_nothing(textured: Sample) -> None:
    assert float(Defocus().penalty(replace(textured, evidence=Evidence())).detach()) == 0
    late = Defocus(begin=0.3, end=0.6)
    for progress, silent in ((0.1, True), (0.5, False), (0.9, True)):
        found = float(late.penalty(replace(textured, progress=progress)).detach())
        assert (found == 0) == silent


def test_depths_that_mean_nothing_give_no_gradient_that_is_not_finite(textured: Sample) -> None:
    depth = textured.render.expected_depth.detach().clone()
    depth[0], depth[1], depth[2] = 0.0, float("inf"), 1e-30
    depth.requires_grad_()
    torch.autograd.backward(Defocus().penalty(moved(textured, depth)))
    assert depth.grad is not None
    assert bool(depth.grad.isfinite().all())
    nothing = DenseDepth(torch.zeros(SIZE), torch.zeros(SIZE))
    blind = replace(textured, evidence=replace(textured.evidence, prior=nothing))
    assert float(Defocus().penalty(blind).detach()) == 0


def test_the_span_is_the_lens() -> None:
    """Blur changes by `span` pixels, at 360 px, between the ends of the range."""
    inverse = torch.linspace(0.1, 0.5, 1001)
    strength = virtual_lens(inverse, 9.0, "outside", 0, 720).strength
    near, far = inverse.quantile(0.98), inverse.quantile(0.02)
    assert float(strength * (near - far)) == pytest.approx(18.0, rel=1e-4)
    for step, low, high in ((0, 0.5, 0.7), (1, 0.05, 0.1)):
        plane = virtual_lens(inverse, 10.0, "outside", step, 720).inverse_focus
        assert low < float(plane) < high


def test_pooling_leaves_out_what_is_not_drawn() -> None:
    depth = torch.tensor([[2.0, 4.0], [0.0, 4.0]])
    pooled, known = pooled_inverse(depth, depth > 0, (1, 1))
    assert float(pooled) == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    assert bool(known)
    _, known = pooled_inverse(depth, torch.tensor([[True, False], [False, False]]), (1, 1))
    assert not bool(known)


def gradient_of(taken: Sample, term: Defocus) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """The gradients of depth and colour."""
    depth = taken.render.expected_depth.detach().clone().requires_grad_()
    color = torch.full((*SIZE, 3), 0.4, requires_grad=True)
    render = replace(taken.render, expected_depth=depth, color=color)
    penalty = term.penalty(replace(taken, render=render))
    if penalty.requires_grad:
        torch.autograd.backward(penalty)
    return depth.grad, color.grad


def test_the_form_render_moves_colours_only_if_asked(textured: Sample) -> None:
    _, color = gradient_of(textured, Defocus(form="render", span=50.0))
    assert color is None
    _, color = gradient_of(textured, Defocus(form="render", colors=True))
    assert color is not None
    assert bool(color.any())


def test_a_render_like_the_photo_costs_nothing_in_the_form_render(textured: Sample) -> None:
    prior = textured.evidence.prior
    assert prior is not None
    render = replace(
        textured.render, expected_depth=prior.depth, color=textured.photo.float() / 255
    )
    term = Defocus(form="render", span=50.0)
    assert float(term.penalty(replace(textured, render=render))) == pytest.approx(0, abs=1e-3)


def test_the_form_render_pulls_a_photo_s_depth_to_the_prior(textured: Sample) -> None:
    """With the colours of the photo, both forms see the same."""
    depth = textured.render.expected_depth
    prior = textured.evidence.prior
    assert prior is not None
    render = replace(textured.render, color=textured.photo.float() / 255)
    term = Defocus(form="render", span=50.0)
    torch.autograd.backward(term.penalty(replace(textured, render=render)))
    assert depth.grad is not None
    right = (depth.detach() - prior.depth) * depth.grad > 0
    share = (depth.grad.abs() * right).sum() / depth.grad.abs().sum()
    assert float(share) > 0.7


@pytest.mark.parametrize("circles", ["rounded", "constant"])
@pytest.mark.parametrize("form", ["photo", "render"])
def test_controls_pass_no_gradient_to_depth(textured: Sample, form: str, circles: str) -> None:
    term = Defocus(form=form, circles=circles, colors=True)  # type: ignore[arg-type]
    depth, color = gradient_of(textured, term)
    assert depth is None or not bool(depth.any())
    assert (color is not None and bool(color.any())) == (form == "render")
