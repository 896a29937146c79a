"""What every rasterizer owes: the images and gradients of the float64 reference."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from splat_scenes import (
    Case,
    Drawing,
    camera,
    capped,
    cloud,
    draw,
    grey,
    images_of,
    jumps,
    needles,
    oblique,
    thin_lens,
)

from recon.errors import ResourceError
from recon.gaussians import Gaussians
from recon.raster.choose import FACTORIES
from recon.raster.interface import NEAR, Rasterizer
from recon.raster.reference import ReferenceRasterizer

pytestmark = pytest.mark.usefixtures("one_thread")

LEVELS = ("baseline", "x86-64-v3", "x86-64-v4")
NAMES = [
    "reference",
    *(f"native {level}" for level in LEVELS),
    pytest.param("gsplat", marks=pytest.mark.gpu),
]

CASES = {
    "plain": Case(cloud(200), oblique()),
    "lens": Case(cloud(200, seed=1), oblique(), lens=thin_lens()),
    "small and many": Case(cloud(2000, sigma=0.02, seed=2), oblique(97, 61)),
    "opaque": Case(cloud(150, sigma=0.15, opacity_logit=5.0, seed=3), oblique()),
    "capped": Case(capped(), oblique()),
    "large": Case(cloud(60, sigma=0.8, opacity_logit=-1.0, seed=4), oblique()),
    "needles": Case(needles(100), oblique()),
    "degree 0": Case(cloud(50, seed=5), camera(16, 16), sh_degree=0),
    "degree 1": Case(cloud(50, seed=6), camera(17, 31), sh_degree=1),
    "degree 2": Case(cloud(50, seed=7), camera(1, 40), sh_degree=2),
    "one pixel": Case(cloud(50, seed=8), camera(1, 1)),
}


@pytest.fixture(params=NAMES)
def rasterizer(request: pytest.FixtureRequest) -> Iterator[Rasterizer]:
    name, _, level = request.param.partition(" ")
    try:
        made = FACTORIES[name]()
    except ResourceError as error:
        pytest.skip(str(error))
    if not level:
        yield made
        return
    from recon import _core

    try:
        _core.use_isa(level)
    except ValueError:
        pytest.skip(f"this machine cannot run {level}")
    yield made
    _core.use_isa("best")


def float32(rasterizer: Rasterizer, case: Case) -> Drawing:
    return draw(rasterizer, case, torch.float32, jumps(case).smooth)


def picked(scene: Gaussians, index: torch.Tensor) -> Gaussians:
    return Gaussians(**{name: values[index] for name, values in scene.named().items()})


@pytest.mark.parametrize("name", CASES)
def test_images_and_gradients_are_those_of_the_reference(rasterizer: Rasterizer, name: str) -> None:
    case = CASES[name]
    limits = jumps(case)
    smooth = limits.smooth
    assert smooth.float().mean() > 0.97
    truth = draw(ReferenceRasterizer(), case, torch.float64, smooth)
    drawn = draw(rasterizer, case, torch.float32, smooth)
    for key, image in truth.images.items():
        # Depths are of the order of 5: the limit is relative to that.
        unit = 5 if key.endswith("depth") else 1
        error = (drawn.images[key] - image)[smooth].abs().max() / unit
        assert error < 1e-5, (key, float(error))
    for key, gradient in truth.gradients.items():
        # Where the truth is zero, so is the drawing.
        error = (drawn.gradients[key] - gradient).norm()
        assert error <= 1e-4 * gradient.norm(), (key, float(error / gradient.norm()))
    # Whoever reaches a pixel was drawn; who touches the image only between pixels may be left out.
    assert drawn.radii[limits.reaching].all()
    assert not drawn.radii[truth.radii == 0].any()
    both = (drawn.radii > 0) & (truth.radii > 0)
    # Rounding up may tip over at an integer.
    assert (drawn.radii - truth.radii)[both].abs().max() <= 1


@pytest.mark.parametrize(
    "scene", [grey([]), grey([(0, 0, -2), (0, 0, -0.001), (0, 0, 0), (0, 0, 0.99 * NEAR)])]
)
def test_nothing_to_draw_leaves_the_background(rasterizer: Rasterizer, scene: Gaussians) -> None:
    drawn = float32(rasterizer, Case(scene, camera(20, 15)))
    background = torch.tensor(Case(scene, camera()).background, dtype=torch.float32).double()
    assert torch.equal(drawn.images["color"], background.expand(15, 20, 3))
    for name in ("alpha", "expected_depth", "median_depth"):
        assert not drawn.images[name].any()
    assert not drawn.radii.any()
    for gradient in drawn.gradients.values():
        assert not gradient.any()


def test_the_background_is_black_and_the_median_left_out_unless_asked_for(
    rasterizer: Rasterizer,
) -> None:
    scene = cloud(50).to(torch.float32).to(rasterizer.device)
    view = oblique()
    black = torch.zeros(3, device=rasterizer.device)
    plain = rasterizer.render(scene, view)
    asked = rasterizer.render(scene, view, background=black, median=True)
    assert plain.median_depth is None
    assert torch.equal(plain.color, asked.color)
    assert torch.equal(plain.expected_depth, asked.expected_depth)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["means", "quaternions", "log_scales", "sh_base", "sh_rest"])
def test_a_gaussian_that_is_not_finite_is_not_drawn(
    rasterizer: Rasterizer, field: str, value: float
) -> None:
    case = Case(cloud(60, sigma=0.2), oblique())
    visible = float32(rasterizer, case).radii.nonzero()[0]
    broken = case.gaussians.to(torch.float64)
    getattr(broken, field)[visible] = value
    others = torch.arange(60) != visible
    whole = float32(rasterizer, replace(case, gaussians=picked(case.gaussians, others)))
    drawn = float32(rasterizer, replace(case, gaussians=broken))
    assert drawn.radii[visible] == 0
    for name, image in whole.images.items():
        torch.testing.assert_close(drawn.images[name], image, msg=name)
    for name, gradient in whole.gradients.items():
        theirs = drawn.gradients[name]
        per_gaussian = name != "pose"
        torch.testing.assert_close(theirs[others] if per_gaussian else theirs, gradient, msg=name)


def test_faint_gaussians_are_not_drawn(rasterizer: Rasterizer) -> None:
    scene = grey([(0, 0, 2), (0, 0, 3)], opacity=[0.99 / 255, 1.01 / 255], sigma=5.0)
    assert (float32(rasterizer, Case(scene, camera())).radii > 0).tolist() == [False, True]


def test_the_order_of_the_gaussians_does_not_matter(rasterizer: Rasterizer) -> None:
    case = CASES["lens"]
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    drawn = float32(rasterizer, case)
    shuffled = float32(rasterizer, replace(case, gaussians=picked(case.gaussians, order)))
    for name, image in drawn.images.items():
        torch.testing.assert_close(shuffled.images[name], image)
    assert torch.equal(shuffled.radii, drawn.radii[order])


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_harmonics_above_the_degree_are_ignored(rasterizer: Rasterizer, degree: int) -> None:
    case = Case(cloud(60), oblique(), sh_degree=degree)
    without = case.gaussians.to(torch.float64)
    without.sh_rest[:, (degree + 1) ** 2 - 1 :] = 0
    drawn = float32(rasterizer, case)
    expected = float32(rasterizer, Case(without, oblique(), sh_degree=3))
    torch.testing.assert_close(drawn.images["color"], expected.images["color"])
    assert not drawn.gradients["sh_rest"][:, (degree + 1) ** 2 - 1 :].any()


def test_no_gradient_is_computed_where_none_is_wanted(rasterizer: Rasterizer) -> None:
    scene = cloud(50).to(torch.float32).to(rasterizer.device)
    with torch.no_grad():
        render = rasterizer.render(scene, oblique(), lens=thin_lens(), median=True)
    assert not any(image.requires_grad for image in images_of(render).values())
