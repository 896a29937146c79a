"""Neighbours' depths: exact on a wall seen from two places, and what is hidden is left alone."""

from dataclasses import replace

import pytest
import torch
from planes import wall_depth
from torch import Tensor

from recon.camera import look_at
from recon.glance import Glance, Glances, Neighbour, neighbours
from recon.losses.consistency import Consistency
from recon.supervise import Sample
from recon.types import Camera

TERM = Consistency(begin=0.0)
SIZE = (96, 128)


def standing(x: float, z: float = -4.0) -> Camera:
    """A camera that looks at the wall z = 0, from one side."""
    pose = look_at(
        torch.tensor([x, 0.1, z]), torch.tensor([0.1, 0.0, 0.0]), torch.tensor([0.0, -1.0, 0.0])
    )
    return Camera(pose, 100.0, 104.0, 63.0, 49.0, SIZE[1], SIZE[0])


def depth_in(camera: Camera) -> Tensor:
    """The wall's depth at the centres of pixels, in float64."""
    v, u = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    x, y = (u + 0.5 - camera.cx) / camera.fx, (v + 0.5 - camera.cy) / camera.fy
    rays = torch.stack([x, y, torch.ones_like(x)], dim=-1).double().reshape(-1, 3)
    return wall_depth(camera.world_to_camera.double(), rays).reshape(SIZE)


def drawn(sample: Sample, depth: Tensor, alpha: float = 1.0) -> Sample:
    render = replace(
        sample.render,
        color=torch.zeros(*depth.shape, 3),
        alpha=torch.full(depth.shape, alpha, dtype=depth.dtype),
        expected_depth=depth,
    )
    return replace(sample, render=render)


def glance(sample: Sample, camera: Camera, depth: Tensor) -> Glance:
    return Glance.of(camera, drawn(sample, depth).render)


def before_the_wall(
    sample: Sample, mine: float = 1.0, theirs: float = 1.0, stride: int = 1
) -> Sample:
    """Two views of the wall, each at a multiple of its depth."""
    here, there = standing(-0.6), standing(0.7)
    seen = glance(sample, there, theirs * depth_in(there))
    some = slice(stride // 2, None, stride)
    seen = Glance(there, seen.inverse[some, some].contiguous(), stride)
    return replace(drawn(sample, mine * depth_in(here)), neighbour=Neighbour(here, seen))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_plane_agrees_with_itself_at_any_grain(sample: Sample, stride: int) -> None:
    assert float(TERM.penalty(before_the_wall(sample, stride=stride))) < 1e-6


def test_the_neighbours_error_is_what_is_paid_for(sample: Sample) -> None:
    taken = before_the_wall(sample, theirs=1.1)
    found = float(TERM.penalty(taken)) / sample.scene_scale
    # Their inverse depth is a share of 0.1 / 1.1 too small, wherever the wall is 1/z.
    z = depth_in(standing(0.7))
    expected = (1 - 1 / 1.1) / z
    assert float(expected.min()) < found < float(expected.max())
    assert found == pytest.approx(float(expected.mean()), rel=0.03)


def test_what_is_hidden_is_left_alone(sample: Sample) -> None:
    depth = depth_in(standing(-0.6)).requires_grad_()
    for theirs in (0.5, 2.0):
        taken = before_the_wall(sample, theirs=theirs)
        penalty = TERM.penalty(drawn(taken, depth))
        assert float(penalty.detach()) == 0.0
        assert not bool(torch.autograd.grad(penalty, depth)[0].any())


def test_slopes_are_those_of_differences(sample: Sample) -> None:
    taken = before_the_wall(sample, theirs=1.05)
    depth = depth_in(standing(-0.6)).requires_grad_()
    (slope,) = torch.autograd.grad(TERM.penalty(drawn(taken, depth)), depth)
    down, across = sample.step % 2, sample.step // 2 % 2
    assert int((slope != 0).sum()) > 1000
    for row, column in ((20 + down, 30 + across), (60 + down, 70 + across)):
        step = torch.zeros_like(depth)
        step[row, column] = 1e-5
        # The place in the neighbour moves with the depth too; the term takes it as it is, so the
        # neighbour here is a wall whose inverse depth is the same everywhere.
        flat = Glance(standing(0.7), torch.full(SIZE, 1 / 4.2).double(), 1)
        both = replace(taken, neighbour=Neighbour(standing(-0.6), flat))
        ahead, behind = (
            float(TERM.penalty(drawn(both, depth.detach() + s * step))) for s in (1, -1)
        )
        (expected,) = torch.autograd.grad(TERM.penalty(drawn(both, depth)), depth)
        assert float(expected[row, column]) == pytest.approx((ahead - behind) / 2e-5, rel=1e-3)


@pytest.mark.parametrize(
    "why", ["no neighbour", "too early", "faint", "nothing known", "looks elsewhere"]
)
def test_where_nothing_can_be_said_nothing_is_asked(sample: Sample, why: str) -> None:
    taken, term = before_the_wall(sample, theirs=1.05), TERM
    assert float(term.penalty(taken)) > 0
    here, there = standing(-0.6), standing(0.7)
    match why:
        case "no neighbour":
            taken = replace(taken, neighbour=None)
        case "too early":
            term = Consistency(begin=0.5)
        case "faint":
            taken = drawn(taken, depth_in(here), alpha=0.3)
        case "nothing known":
            taken = replace(taken, neighbour=Neighbour(here, Glance(there, torch.zeros(SIZE), 1)))
        case "looks elsewhere":
            away = standing(0.7, z=4.0)
            seen = Glance(away, torch.full(SIZE, 1 / 4.2).double(), 1)
            taken = replace(taken, neighbour=Neighbour(standing(-0.6, z=-40.0), seen))
            taken = drawn(taken, torch.full(SIZE, 1.0).double())
    assert float(term.penalty(taken)) == 0.0


def test_depth_follows_a_right_neighbour_to_the_wall(sample: Sample) -> None:
    taken = before_the_wall(sample)
    here = depth_in(standing(-0.6))
    inverse = (1 / (1.08 * here)).requires_grad_()
    rate = 0.004
    for step in range(400):
        now = replace(drawn(taken, inverse.reciprocal()), step=step)
        (slope,) = torch.autograd.grad(TERM.penalty(now), inverse)
        with torch.no_grad():
            inverse -= rate * slope.sign()
        rate *= 0.985
    middle = (slice(24, 72), slice(40, 88))
    error = (inverse.detach().reciprocal()[middle] / here[middle] - 1).abs()
    assert float(error.quantile(0.9)) < 0.005


def test_neighbours_stand_near_and_look_the_same_way() -> None:
    turned = standing(0.2)
    back = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0])) @ turned.world_to_camera
    cameras = [standing(0.0), standing(0.3), standing(3.9), standing(0.1), turned.moved(back)]
    cameras += [standing(0.0)]
    found = neighbours(cameras)
    assert found[0] == (3, 1, 2)  # Not 5, which stands at the same place, nor 4, which looks away.
    assert found[4] == ()
    assert neighbours([standing(0.0)]) == ((),)


def test_glances_are_restored_as_they_were(sample: Sample) -> None:
    cameras = [standing(x) for x in (-0.5, 0.0, 0.5)]
    glances = Glances(cameras)
    assert glances.beside(0, cameras[0], 7) is None
    for index in (1, 2):
        glances.put(index, cameras[index], drawn(sample, depth_in(cameras[index]).float()).render)
    again = Glances(cameras)
    again.restore(glances.state(), torch.device("cpu"))
    for step in (0, 3, 6):
        one, two = (g.beside(0, cameras[0], step) for g in (glances, again))
        assert one is not None
        assert two is not None
        assert torch.equal(one.there.inverse, two.there.inverse)
        assert torch.equal(one.there.camera.world_to_camera, two.there.camera.world_to_camera)
        assert one.there.stride == two.there.stride
    first, second = (glances.beside(0, cameras[0], step) for step in (0, 3))
    assert first is not None
    assert second is not None
    assert not torch.equal(first.there.inverse, second.there.inverse)
