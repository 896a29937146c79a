"""The sky against directions known in closed form, and against finite differences."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.camera import look_at
from recon.gaussians import Gaussians
from recon.parts_optimizer import PartsOptimizer
from recon.raster.interface import Render, ScreenFootprint
from recon.raster.reference import ReferenceRasterizer
from recon.scene import Scene
from recon.sky import Sky, octahedral, upwards
from recon.types import Camera

CPU = torch.device("cpu")
UP = torch.tensor([0.0, 0.0, 1.0])
WIDTH, HEIGHT = 24, 16


def camera(target: torch.Tensor) -> Camera:
    up = torch.tensor([0.0, 0.0, 1.0])
    pose = look_at(torch.tensor([3.0, -2.0, 1.0]), torch.tensor([3.0, -2.0, 1.0]) + target, up)
    return Camera(pose, 20.0, 20.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def empty(alpha: torch.Tensor) -> Render:
    footprint = ScreenFootprint(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    return Render(torch.zeros(HEIGHT, WIDTH, 3), alpha, torch.zeros_like(alpha), None, footprint)


def none_at_all() -> Gaussians:
    return Gaussians(
        torch.zeros(0, 3), torch.zeros(0, 4), torch.zeros(0, 3), torch.zeros(0),
        torch.zeros(0, 1, 3), torch.zeros(0, 15, 3),
    )  # fmt: skip


@given(st.floats(-math.pi, math.pi), st.floats(-1.5, 1.5))
def test_octahedral_map_stays_in_the_square_and_can_be_undone(around: float, high: float) -> None:
    x, y = math.cos(high) * math.cos(around), math.cos(high) * math.sin(around)
    direction = torch.tensor([[x, y, math.sin(high)]], dtype=torch.float64)
    ((u, v),) = octahedral(direction).tolist()
    assert max(abs(u), abs(v)) <= 1 + 1e-12
    # The unfolding by the book: z = 1 - |u| - |v|, and below the horizon the corners fold back.
    z = 1 - abs(u) - abs(v)
    if z < 0:
        u, v = (1 - abs(v)) * math.copysign(1, u), (1 - abs(u)) * math.copysign(1, v)
    back = torch.tensor([u, v, z], dtype=torch.float64)
    assert torch.allclose(back / back.norm(), direction[0], atol=1e-9)


def test_up_is_the_middle_and_ahead_is_on_the_horizon() -> None:
    sky = Sky(torch.tensor([0.3, -1.0, 0.2]), CPU)
    zenith = torch.tensor([[0.3, -1.0, 0.2]])
    assert torch.allclose(octahedral(zenith @ sky._to_dome.T), torch.zeros(1, 2), atol=1e-6)
    assert torch.allclose(sky._to_dome @ sky._to_dome.T, torch.eye(3), atol=1e-6)
    assert float(torch.linalg.det(sky._to_dome)) == pytest.approx(1)


def test_upwards_is_against_the_photos_down() -> None:
    cameras = [camera(torch.tensor([math.cos(a), math.sin(a), 0.1])) for a in (0.0, 2.0, 4.0)]
    assert torch.allclose(upwards(cameras), UP, atol=0.05)


def test_what_gaussians_hide_is_not_painted() -> None:
    sky = Sky(UP, CPU)
    alpha = torch.zeros(HEIGHT, WIDTH)
    alpha[:, :10] = 1.0
    alpha[:, 10:15] = 0.75
    color = sky.complete(empty(alpha), camera(torch.tensor([1.0, 0, 0.6]))).color.detach()
    assert torch.equal(color[:, :10], torch.zeros(HEIGHT, 10, 3))
    assert torch.allclose(color[:, 10:15], torch.full((HEIGHT, 5, 3), 0.125))
    assert torch.allclose(color[:, 15:], torch.full((HEIGHT, WIDTH - 15, 3), 0.5))


def test_there_is_no_sky_below_the_horizon() -> None:
    level = camera(torch.tensor([1.0, 0, 0]))
    color = Sky(UP, CPU).complete(empty(torch.zeros(HEIGHT, WIDTH)), level).color.detach()
    assert torch.equal(color[: HEIGHT // 2 + 1], torch.full((HEIGHT // 2 + 1, WIDTH, 3), 0.5))
    assert torch.equal(color[HEIGHT // 2 + 2 :], torch.zeros(HEIGHT // 2 - 2, WIDTH, 3))


def test_a_direction_has_one_colour_from_everywhere(one_thread: None) -> None:
    """Learned through one camera, seen by another that stands elsewhere and is turned."""
    torch.manual_seed(0)
    sky = Sky(UP, CPU)
    with torch.no_grad():
        for tensor in sky.tensors().values():
            tensor.copy_(0.2 * torch.randn_like(tensor))
    ahead, tilted = camera(torch.tensor([1.0, 0, 0.4])), camera(torch.tensor([1.0, 0.3, 0.4]))
    clear = torch.zeros(HEIGHT, WIDTH)
    first = sky.complete(empty(clear), ahead).color.detach()
    ray = torch.tensor([(9.5 - 12) / 20, (6.5 - 8) / 20, 1.0]) @ ahead.world_to_camera[:3, :3]
    seen = tilted.world_to_camera[:3, :3] @ ray
    assert float(seen[2]) > 0
    assert torch.allclose(sky.colors(ray[None]).detach()[0], first[6, 9], atol=1e-6)


def test_gradients_agree_with_finite_differences(one_thread: None) -> None:
    sky = Sky(UP, CPU)
    alpha = torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) * 0.9
    alpha.requires_grad_()
    weights = torch.rand(HEIGHT, WIDTH, 3, generator=torch.Generator().manual_seed(2))
    view = camera(torch.tensor([1.0, 0, 0.5]))

    def loss() -> torch.Tensor:
        return (sky.complete(empty(alpha), view).color * weights).sum()

    torch.autograd.backward(loss())
    fine = sky.tensors()["map_512"]
    assert fine.grad is not None
    assert alpha.grad is not None
    assert torch.allclose(alpha.grad, -0.5 * weights.sum(-1), atol=1e-5)
    where = fine.grad.abs().flatten().argmax()
    slope = float(fine.grad.flatten()[where])
    with torch.no_grad():
        fine.flatten()[where] += 0.5
        above = float(loss())
        fine.flatten()[where] -= 1.0
        below = float(loss())
    # Linear in the texels, so that differences are exact but for rounding.
    assert above - below == pytest.approx(slope, rel=1e-3)


def test_a_sky_is_learned_from_photos_of_it(one_thread: None) -> None:
    """Three photos of a sky that brightens upwards teach its colours between them."""
    sky = Sky(UP, CPU)
    scene = Scene(none_at_all(), sky)
    cameras = [camera(torch.tensor([math.cos(a), math.sin(a), 0.5])) for a in (-0.3, 0.0, 0.3)]

    def truth(view: Camera) -> torch.Tensor:
        row, column = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
        local = torch.stack(
            [(column + 0.5 - view.cx) / view.fx, (row + 0.5 - view.cy) / view.fy,
             torch.ones(HEIGHT, WIDTH)], -1
        )  # fmt: skip
        world = local @ view.world_to_camera[:3, :3]
        high = world[..., 2] / world.norm(dim=-1)
        return torch.stack([0.3 + 0.4 * high, 0.4 + 0.4 * high, 0.9 + 0 * high], -1)

    optimizer = PartsOptimizer({"sky": sky})
    for step in range(300):
        optimizer.schedule(step / 300)
        view = cameras[step % 3]
        color = scene.draw(ReferenceRasterizer(), view).color
        torch.autograd.backward((color - truth(view)).square().mean())
        optimizer.step()
    between = camera(torch.tensor([math.cos(0.15), math.sin(0.15), 0.5]))
    error = scene.draw(ReferenceRasterizer(), between).color.detach() - truth(between)
    assert float(error.abs().mean()) < 0.02


def test_panorama_has_the_zenith_on_top() -> None:
    sky = Sky(UP, CPU)
    coarse = sky.tensors()["map_32"]
    with torch.no_grad():
        coarse[0, 2, 12:20, 12:20] = 0.5
    drawn = sky.panorama(64)
    assert drawn.shape == (32, 64, 3)
    assert float(drawn[0, :, 2].min()) > 0.95
    assert float(drawn[-1, :, 2].max()) == pytest.approx(0.5)
