"""The term of matches: closed form, slopes, and depth that it brings to where a wall is."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from planes import wall_capture, wall_depth, wall_scene
from torch import Tensor

from recon.evidence.interface import Evidence, SparseDepth
from recon.losses.multiview import Multiview
from recon.match_provider import MatchProvider
from recon.matching.cameras import Cameras
from recon.matching.sift import Sift
from recon.supervise import Sample

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(sample: Sample, depth: Tensor, matches: SparseDepth | None) -> Sample:
    render = replace(
        sample.render,
        color=torch.zeros(*depth.shape, 3),
        alpha=torch.ones_like(depth),
        expected_depth=depth,
    )
    return replace(sample, render=render, evidence=Evidence(matches=matches))


def places(*known: tuple[float, float, float, float]) -> SparseDepth:
    table = torch.tensor(known)
    return SparseDepth(table[:, :2], table[:, 2], table[:, 3])


def test_the_penalty_in_closed_form(sample: Sample) -> None:
    matches = places((4.2, 7.9, 5.0, 0.9), (20.1, 3.0, 4.0, 0.3))
    off = sample.scene_scale * (1 / 4 - 1 / 5)
    expected = 0.75 * off / (1 + off / 0.5)
    found = Multiview(cap=0.5).penalty(drawn(sample, torch.full((24, 32), 4.0), matches))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_slopes_are_those_of_differences(sample: Sample) -> None:
    generator = torch.Generator().manual_seed(3)
    depth = (2 + 2 * torch.rand(24, 32, generator=generator)).double().requires_grad_()
    matches = sample.evidence.matches
    assert matches is not None
    penalty = Multiview().penalty(drawn(sample, depth, matches))
    (slope,) = torch.autograd.grad(penalty, depth)
    row, column = matches.index(32, 24)
    assert int((slope != 0).sum()) == len(set(zip(row.tolist(), column.tolist(), strict=True)))
    for r, c in zip(row.tolist(), column.tolist(), strict=True):
        step = torch.zeros(24, 32, dtype=torch.float64)
        step[r, c] = 1e-6
        ahead, behind = (
            float(Multiview().penalty(drawn(sample, depth.detach() + s * step, matches)))
            for s in (1, -1)
        )
        assert float(slope[r, c]) == pytest.approx((ahead - behind) / 2e-6, rel=1e-4, abs=1e-9)


def test_a_gross_disagreement_is_bounded_and_pulls_little(sample: Sample) -> None:
    def slope(of: float) -> float:
        # By inverse depth, at a disagreement of `of` in units of the scene's scale.
        inverse = torch.tensor(0.25 + of / sample.scene_scale, requires_grad=True)
        depth = inverse.reciprocal().expand(24, 32)
        penalty = Multiview(cap=0.5).penalty(drawn(sample, depth, places((9.0, 9.0, 4.0, 1.0))))
        assert float(penalty.detach()) < 0.5
        return float(torch.autograd.grad(penalty, inverse)[0])

    assert slope(0.5) == pytest.approx(slope(1e-4) / 4, rel=1e-2)
    assert 0 < slope(50.0) < slope(1e-4) / 5000


@pytest.mark.parametrize("empty", [0.0, float("inf")])
def test_where_nothing_is_drawn_nothing_is_asked(sample: Sample, empty: float) -> None:
    depth = torch.full((24, 32), empty, requires_grad=True)
    taken = drawn(sample, depth, places((4.0, 4.0, 5.0, 1.0)))
    taken = replace(taken, render=replace(taken.render, alpha=torch.zeros(24, 32)))
    penalty = Multiview().penalty(taken)
    assert float(penalty.detach()) == 0.0
    assert not bool(torch.autograd.grad(penalty, depth)[0].any())


@pytest.mark.parametrize("matches", [None, SparseDepth(torch.zeros(0, 2), *torch.zeros(2, 0))])
def test_without_matches_there_is_no_penalty(sample: Sample, matches: SparseDepth | None) -> None:
    depth = torch.full((24, 32), 3.0)
    assert float(Multiview().penalty(drawn(sample, depth, matches)).detach()) == 0.0


def test_depth_goes_to_where_the_wall_is(sample: Sample) -> None:
    scene = wall_scene()
    capture = wall_capture(scene)
    provider = MatchProvider(capture.train, Sift(most=1000))
    cameras = Cameras.of([view.camera for view in capture.views])
    size = (scene.height, scene.width)
    for index, view in enumerate(capture.views):
        matches = provider.add(Evidence(), view).matches
        assert matches is not None
        inverse = torch.full(size, 1 / 6.0, requires_grad=True)
        descend(
            inverse,
            lambda guess, known=matches: Multiview().penalty(
                drawn(sample, guess.reciprocal(), known)
            ),
        )
        row, column = matches.index(scene.width, scene.height)
        centres = torch.stack([column, row], dim=1) + 0.5
        rays = cameras.rays(torch.full((len(row),), index), centres)
        truth = wall_depth(torch.from_numpy(scene.world_to_camera[index]), rays)
        error = (inverse.detach()[row, column].reciprocal() / truth - 1).abs()
        assert len(error) > 200
        assert float(error.median()) < 0.005


def descend(inverse: Tensor, penalty: Callable[[Tensor], Tensor]) -> None:
    """Follow the slope's sign, in ever smaller steps."""
    step = 0.01
    for _ in range(120):
        (slope,) = torch.autograd.grad(penalty(inverse), inverse)
        with torch.no_grad():
            inverse -= step * slope.sign()
        step *= 0.95
