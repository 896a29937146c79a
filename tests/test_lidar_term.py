"""LiDAR as evidence: exact geometry of the analytic drive, and the term in closed form."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.evidence.interface import Evidence, SparseDepth
from recon.losses.lidar import Lidar
from recon.losses.sky import Sky
from recon.occlusion import in_front
from recon.supervise import Sample


def one_return(depth: float, alpha: float, truth: float, sample: Sample) -> Sample:
    render = replace(
        sample.render,
        alpha=torch.full((24, 32), alpha),
        expected_depth=torch.full((24, 32), depth),
    )
    lidar = SparseDepth(torch.tensor([[4.2, 7.9]]), torch.tensor([truth]), torch.ones(1))
    return replace(sample, render=render, evidence=Evidence(lidar))


def test_the_penalty_in_closed_form(sample: Sample) -> None:
    term = Lidar(opaque=0.25)
    taken = one_return(4.0, 0.8, 5.0, sample)
    expected = 0.75 * sample.scene_scale * (1 / 4 - 1 / 5) + 0.25 * 0.2
    assert float(term.penalty(taken)) == pytest.approx(expected, rel=1e-5)


def test_a_right_and_opaque_scene_pays_nothing(sample: Sample) -> None:
    assert float(Lidar().penalty(one_return(5.0, 1.0, 5.0, sample))) == 0.0


def test_without_evidence_there_is_no_penalty(sample: Sample) -> None:
    bare = replace(sample, evidence=Evidence())
    for term in (Lidar(), Sky()):
        assert float(term.penalty(bare).detach()) == 0.0


def test_sky_costs_the_logarithm_of_transparency(sample: Sample) -> None:
    sky = torch.zeros(24, 32, dtype=torch.bool)
    sky[:6] = True
    render = replace(sample.render, alpha=torch.full((24, 32), 0.5))
    penalty = Sky().penalty(replace(sample, render=render, evidence=Evidence(sky=sky)))
    assert float(penalty) == pytest.approx(0.25 * 0.693147, rel=1e-4)


def test_evidence_follows_the_photo_to_another_size(sample: Sample) -> None:
    sky = torch.zeros(24, 32, dtype=torch.bool)
    sky[:9] = True
    lidar = SparseDepth(torch.tensor([[8.0, 6.0]]), torch.tensor([3.0]), torch.ones(1))
    small = Evidence(lidar, sky).resized(sample.view, 16, 12)
    assert small.lidar is not None
    assert small.sky is not None
    assert small.lidar.pixels.tolist() == [[4.0, 3.0]]
    assert small.lidar.depth.tolist() == [3.0]
    # Row 4 covers the rows 8 and 9, of which only one is sky.
    assert small.sky.all(dim=1).tolist() == [True] * 4 + [False] * 8


@given(st.lists(st.tuples(st.floats(0, 99), st.floats(0, 99), st.floats(1, 60)), max_size=40))
def test_the_nearest_is_never_hidden_and_far_ones_behind_it_are(
    points: list[tuple[float, float, float]],
) -> None:
    found = torch.tensor(points).reshape(-1, 3)
    seen = in_front(found[:, :2], found[:, 2], 800)
    if len(found):
        assert bool(seen[found[:, 2].argmin()])
    both = torch.cat([found, torch.tensor([[50.0, 50.0, 0.5], [50.5, 50.5, 0.9]])])
    seen = in_front(both[:, :2], both[:, 2], 800)
    assert seen[-2:].tolist() == [True, False]
