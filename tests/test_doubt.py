"""A prior that is wrong in a known place is believed less there, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from photos import MemoryPhoto
from torch import Tensor

from recon.doubt import BlurDoubt, NoDoubt, choose_doubt
from recon.evidence.blurred_photos import stack_of
from recon.evidence.interface import DenseDepth, Evidence, Need
from recon.losses.defocus import Defocus
from recon.losses.mono_prior import MonoPrior
from recon.supervise import Sample, Term
from recon.types import View

HEIGHT, WIDTH = 120, 160
ROWS, COLUMNS = slice(40, 90), slice(50, 110)
"""Where the prior is wrong."""
INSIDE = (slice(48, 82), slice(58, 102))
FLAT = (slice(0, 20), slice(20, 140))
"""Where the photo has no texture."""


def photo() -> Tensor:
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    pixels = torch.from_numpy(noise).repeat_interleave(4, 0).repeat_interleave(4, 1)
    pixels[:26] = 128
    return pixels


def truth() -> Tensor:
    """A slope from 2 m at the top to 8 m at the bottom."""
    return torch.linspace(2, 8, HEIGHT)[:, None].expand(HEIGHT, WIDTH).contiguous()


def mistaken() -> Tensor:
    depth = truth()
    depth[ROWS, COLUMNS] *= 1.8
    return depth


def case(sample: Sample, progress: float, prior: Tensor) -> Sample:
    """The scene has the true depth; the prior, believed by 0.8, has not everywhere."""
    camera = replace(sample.view.camera, width=WIDTH, height=HEIGHT)
    pixels = photo()
    render = replace(
        sample.render,
        color=pixels.float() / 255,
        alpha=torch.full((HEIGHT, WIDTH), 0.99),
        expected_depth=truth().requires_grad_(),
    )
    evidence = Evidence(
        prior=DenseDepth(prior, torch.full((HEIGHT, WIDTH), 0.8)), stack=stack_of(pixels)
    )
    view = View("case", camera, MemoryPhoto(pixels))
    return replace(
        sample, view=view, photo=pixels, render=render, evidence=evidence, progress=progress
    )


def confidence(sample: Sample) -> Tensor:
    assert sample.evidence.prior is not None
    return sample.evidence.prior.confidence


@pytest.mark.parametrize("step", [4, 5])
def test_confidence_falls_where_the_prior_is_wrong_and_stays_elsewhere(
    sample: Sample, step: int
) -> None:
    """With the lens focused before the scene, and behind it."""
    given = replace(case(sample, 0.5, mistaken()), step=step)
    found = confidence(BlurDoubt(0.3).weigh(given))
    assert float(found[INSIDE].mean()) < 0.3 * 0.8
    around = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    around[ROWS.start - 8 : ROWS.stop + 8, COLUMNS.start - 8 : COLUMNS.stop + 8] = False
    assert float(found[around].min()) > 0.99 * 0.8
    assert float(found.max()) <= 0.8 + 1e-6


def test_how_wrong_a_wrong_prior_is_does_not_matter(sample: Sample) -> None:
    least = []
    for factor in (3.0, 30.0):
        prior = truth()
        prior[ROWS, COLUMNS] *= factor
        least.append(confidence(BlurDoubt(0.3).weigh(case(sample, 0.5, prior))).min())
    assert float(least[0]) == pytest.approx(float(least[1]), abs=0.01)
    assert float(least[1]) > 0


def test_where_there_is_no_texture_nothing_is_told(sample: Sample) -> None:
    prior = truth()
    prior[FLAT] *= 1.8
    found = confidence(BlurDoubt(0.3).weigh(case(sample, 0.5, prior)))
    torch.testing.assert_close(found[FLAT], torch.full_like(found[FLAT], 0.8))


def test_pixels_that_are_not_valid_are_no_witnesses(sample: Sample) -> None:
    valid = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    valid[ROWS, COLUMNS] = False
    given = replace(case(sample, 0.5, mistaken()), valid=valid)
    found = confidence(BlurDoubt(0.3).weigh(given))
    torch.testing.assert_close(found[valid], torch.full_like(found[valid], 0.8))


@pytest.mark.parametrize("term", [MonoPrior(), Defocus()], ids=["l1-depth", "defocus"])
def test_both_terms_pull_less_towards_what_is_doubted(sample: Sample, term: Term) -> None:
    pulls = []
    for doubt in (NoDoubt(), BlurDoubt(0.3)):
        weighed = doubt.weigh(case(sample, 0.5, mistaken()))
        (pull,) = torch.autograd.grad(term.penalty(weighed), weighed.render.expected_depth)
        pulls.append(float(pull[INSIDE].abs().sum()))
    assert pulls[1] < 0.4 * pulls[0]


def test_early_in_a_fit_and_without_a_prior_nothing_changes(sample: Sample) -> None:
    early = case(sample, 0.2, mistaken())
    assert BlurDoubt(0.3).weigh(early) is early
    blank = replace(early, progress=0.9, evidence=Evidence())
    assert BlurDoubt(0.3).weigh(blank) is blank


def test_nobody_doubts_where_nobody_believes() -> None:
    assert isinstance(choose_doubt(0.3, frozenset({Need.PRIOR})), BlurDoubt)
    assert isinstance(choose_doubt(1.0, frozenset({Need.PRIOR})), NoDoubt)
    assert isinstance(choose_doubt(0.3, frozenset({Need.LIDAR})), NoDoubt)
