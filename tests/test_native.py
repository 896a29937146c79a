"""What the native rasterizer owes beyond the contract: the same bytes always, and no crash."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from splat_scenes import Case, camera, cloud, draw, grey, images_of, jumps, oblique, thin_lens
from torch import Tensor

from recon.core import HAS_CORE

if not HAS_CORE:
    pytest.skip("no native core", allow_module_level=True)

from recon import _core
from recon.gaussians import Gaussians
from recon.raster.interface import Render
from recon.raster.native import NativeRasterizer
from recon.raster.reference import ReferenceRasterizer
from recon.types import ThinLens

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(params=["baseline", "x86-64-v3", "x86-64-v4"])
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    try:
        _core.use_isa(request.param)
    except ValueError as error:
        pytest.skip(str(error))
    yield
    _core.use_isa("best")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = _core.threads()
    yield _core.use_threads
    _core.use_threads(before)


def scene(n: int, **options: float) -> Gaussians:
    return cloud(n, **options).to(torch.float32).trainable()


def loss(render: Render) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    total = torch.zeros((), dtype=torch.float64)
    for image in images_of(render).values():
        weights = torch.randn(image.shape, generator=generator, dtype=torch.float64)
        total = total + (weights * image.double()).sum()
    return total


def gradients(value: Tensor, gaussians: Gaussians, **options: bool) -> list[Tensor]:
    return list(torch.autograd.grad(value, list(gaussians.named().values()), **options))


@pytest.mark.usefixtures("level")
def test_threads_do_not_change_a_byte(threads: Callable[[int], None]) -> None:
    # Enough to sort in parallel, and chunks and tiles that no number of threads shares out evenly.
    gaussians = scene(40_000, sigma=0.02)
    pose = oblique().world_to_camera.float().requires_grad_()
    lens = ThinLens(torch.tensor(3.0, requires_grad=True), torch.tensor(0.3, requires_grad=True))
    view = oblique(203, 117).moved(pose)
    results = []
    for count in (1, 2, 3, 7):
        threads(count)
        render = NativeRasterizer().render(gaussians, view, lens=lens, median=True)
        leaves = [*gaussians.named().values(), pose, lens.strength, lens.inverse_focus]
        leaves.append(render.footprint.offsets)
        results.append(
            [
                *images_of(render).values(),
                render.footprint.radii,
                *torch.autograd.grad(loss(render), leaves),
            ]
        )
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert one.abs().sum() > 0
            assert torch.equal(one, two)


def test_renders_may_wait_for_their_backward() -> None:
    rasterizer = NativeRasterizer()
    scenes = [scene(80, seed=i) for i in range(3)]
    alone = []
    for gaussians in scenes:
        alone.append(
            gradients(loss(rasterizer.render(gaussians, oblique(), median=True)), gaussians)
        )
    losses = [loss(rasterizer.render(gaussians, oblique(), median=True)) for gaussians in scenes]
    for i in (1, 2, 0):
        for one, two in zip(gradients(losses[i], scenes[i]), alone[i], strict=True):
            assert torch.equal(one, two)


def test_workspaces_are_given_back() -> None:
    rasterizer, gaussians = NativeRasterizer(), scene(80)
    with torch.no_grad():
        for _ in range(3):
            rasterizer.render(gaussians, oblique())
    assert len(rasterizer._pool) == 1
    waiting = [rasterizer.render(gaussians, oblique()) for _ in range(3)]
    assert len(rasterizer._pool) == 0
    waiting[0].color.sum().backward()  # Though the render lives on.
    assert len(rasterizer._pool) == 1
    del waiting
    gc.collect()
    assert len(rasterizer._pool) == 3


def test_a_kept_graph_goes_backward_twice() -> None:
    gaussians = scene(80)
    value = loss(NativeRasterizer().render(gaussians, oblique(), median=True))
    once = gradients(value, gaussians, retain_graph=True)
    for one, two in zip(once, gradients(value, gaussians), strict=True):
        assert torch.equal(one, two)


def test_parameters_changed_before_backward_are_refused() -> None:
    gaussians = scene(10)
    render = NativeRasterizer().render(gaussians, oblique())
    with torch.no_grad():
        gaussians.means.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        render.color.sum().backward()


@pytest.mark.parametrize("wanted", ["color", "alpha", "expected_depth", "median_depth"])
def test_a_gradient_that_is_absent_is_zero(wanted: str) -> None:
    gaussians = scene(100)
    images = images_of(NativeRasterizer().render(gaussians, oblique(), median=True))
    only = gradients(images[wanted].sum(), gaussians, retain_graph=True, allow_unused=True)
    zeros = sum(0 * image.sum() for image in images.values())
    total = gradients(images[wanted].sum() + zeros, gaussians)
    for one, two in zip(only, total, strict=True):
        torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-5)


def test_only_what_needs_gradients_gets_them() -> None:
    gaussians = cloud(50).to(torch.float32)
    pose = oblique().world_to_camera.float().requires_grad_()
    render = NativeRasterizer().render(gaussians, oblique().moved(pose))
    render.color.sum().backward()
    assert pose.grad is not None
    assert pose.grad.abs().sum() > 0
    assert not NativeRasterizer().render(gaussians, oblique()).footprint.offsets.requires_grad


def test_degree_0_leaves_the_other_harmonics_without_gradient() -> None:
    gaussians = scene(50)
    NativeRasterizer().render(gaussians, oblique(), sh_degree=0).color.sum().backward()
    assert gaussians.sh_rest.grad is None
    assert gaussians.sh_base.grad is not None


@pytest.mark.usefixtures("level")
def test_equal_depths_are_drawn_in_their_order() -> None:
    gaussians = cloud(3000, sigma=0.05)
    gaussians.means[:, 2] = 3.0
    case = Case(gaussians, camera(60, 40))
    smooth = jumps(case).smooth
    truth = draw(ReferenceRasterizer(), case, torch.float64, smooth)
    drawn = draw(NativeRasterizer(), case, torch.float32, smooth)
    assert (drawn.images["color"] - truth.images["color"])[smooth].abs().max() < 1e-5


@pytest.mark.usefixtures("level")
def test_depths_may_lie_as_far_apart_as_floats_can() -> None:
    """A spread of 2^128 takes one bit more of a sorting key than ordinary scenes ever do."""
    gaussians = grey([(0, 0, 3e38), (0, 0, 0.02), (0, 0, 3)])
    gaussians.sh_base[:, 0] = torch.eye(3)
    case = Case(gaussians, camera(20, 20))
    pixels = torch.ones(20, 20, dtype=torch.bool)
    truth = draw(ReferenceRasterizer(), case, torch.float64, pixels)
    drawn = draw(NativeRasterizer(), case, torch.float32, pixels)
    torch.testing.assert_close(
        drawn.images["color"].double(), truth.images["color"], atol=1e-5, rtol=0
    )


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (15, 17), (16, 16), (33, 31)])
def test_every_size_is_covered_by_one_huge_gaussian(size: tuple[int, int]) -> None:
    gaussians = cloud(1, seed=1).to(torch.float32)
    gaussians.means[:] = torch.tensor([0.0, 0.0, 5.0])
    gaussians.log_scales[:] = 9.0
    gaussians.opacity_logits[:] = 1.0
    drawn = NativeRasterizer().render(gaussians, camera(*size), median=True)
    torch.testing.assert_close(drawn.alpha, torch.full(size[::-1], 0.7310586))
    torch.testing.assert_close(drawn.expected_depth, torch.full(size[::-1], 5.0))
    torch.testing.assert_close(drawn.median_depth, torch.full(size[::-1], 5.0))


@pytest.mark.usefixtures("level")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["means", "quaternions", "log_scales", "opacity_logits", "sh_base",
                             "sh_rest", "pose", "strength", "inverse_focus"]),
            st.integers(0, 2**30),
            st.floats(width=32) | st.sampled_from([0.0, 1e-40, 1e9, 1e19, 3e38, -3e38]),
        ),
        max_size=30,
    )
)  # fmt: skip
def test_no_number_kills(changes: list[tuple[str, int, float]]) -> None:
    gaussians = cloud(40, sigma=0.3).to(torch.float32)
    pose = oblique().world_to_camera.float()
    strength, inverse_focus = torch.tensor(5.0), torch.tensor(0.3)
    tensors = {**gaussians.named(), "pose": pose, "strength": strength}
    tensors["inverse_focus"] = inverse_focus
    for name, index, value in changes:
        flat = tensors[name].view(-1)
        flat[index % len(flat)] = value
    trainable = gaussians.trainable()
    lens = ThinLens(strength.requires_grad_(), inverse_focus.requires_grad_())
    view = replace(oblique(), world_to_camera=pose.requires_grad_())
    render = NativeRasterizer().render(trainable, view, lens=lens, median=True)
    for image in (render.color, render.alpha, render.expected_depth):
        image.sum().backward(retain_graph=True)
    assert render.alpha.isfinite().all()
    assert render.alpha.min() >= 0
    assert render.alpha.max() <= 1
    assert (render.footprint.radii >= 0).all()


def test_what_makes_no_sense_is_refused() -> None:
    rasterizer, gaussians = NativeRasterizer(), cloud(3).to(torch.float32)
    with pytest.raises(TypeError, match=r"means is torch\.float64"):
        rasterizer.render(cloud(3), camera())
    with pytest.raises(ValueError, match="sh_degree is 4"):
        rasterizer.render(gaussians, camera(), sh_degree=4)
    with pytest.raises(ValueError, match="0 x 5 pixels"):
        rasterizer.render(gaussians, camera(0, 5))
    with pytest.raises(ValueError, match="focal lengths must be positive"):
        rasterizer.render(gaussians, replace(camera(), fx=float("nan")))


def test_a_transposed_parameter_is_drawn_as_it_reads() -> None:
    gaussians = cloud(20).to(torch.float32)
    turned = replace(gaussians, means=gaussians.means.T.contiguous().T)
    assert not turned.means.is_contiguous()
    one, two = (
        NativeRasterizer().render(g, oblique(), lens=thin_lens()) for g in (gaussians, turned)
    )
    assert torch.equal(one.color, two.color)
