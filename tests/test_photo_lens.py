"""Lenses that are learned with the scene, against those that the photographs were made with."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photos import MemoryPhoto
from torch import Tensor

from recon.camera import project, unproject
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.optics import thin_lens
from recon.parts_optimizer import PartsOptimizer
from recon.photo_lens import SEARCHES, LearnedLens, Pinhole
from recon.types import (
    Camera,
    Capture,
    PointCloud,
    Similarity,
    Split,
    ThinLens,
    View,
)

WIDTH, HEIGHT = 160, 120
CPU = torch.device("cpu")


CAMERA = Camera(torch.eye(4), 150.0, 150.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def slope() -> Tensor:
    """Depth from 2 m at the left to 12 m at the right, even in inverse depth."""
    return (1 / torch.linspace(1 / 2, 1 / 12, WIDTH)).expand(HEIGHT, WIDTH).contiguous()


def blank(name: str) -> View:
    return View(name, CAMERA, MemoryPhoto(torch.full((HEIGHT, WIDTH, 3), 90, dtype=torch.uint8)))


def points() -> PointCloud:
    rows, columns = torch.meshgrid(
        torch.arange(4, HEIGHT, 4), torch.arange(4, WIDTH, 4), indexing="ij"
    )
    pixels = torch.stack([columns.flatten(), rows.flatten()], -1) + 0.5
    depth = slope()[rows.flatten(), columns.flatten()]
    positions = unproject(CAMERA, pixels, depth)
    return PointCloud(positions, torch.zeros(len(positions), 3, dtype=torch.uint8))


def capture(views: tuple[View, ...]) -> Capture:
    split = Split(tuple(range(len(views))), (), "all")
    identity = Similarity.shift(torch.zeros(3))
    return Capture(Path("made"), "made", views, split, points(), True, identity)


def test_no_lens_is_no_lens():
    assert Pinhole().of(blank("0")) is None
    assert not Pinhole().tensors()


def settled(lens: LearnedLens, aperture: float, planes: dict[int, float]) -> None:
    """Let a lens find an aperture, and planes of focus by inverse depth."""

    def misfit(index: int, of: Callable[[View], ThinLens]) -> float:
        tried = of(lens_view())
        wrong = float((tried.strength / CAMERA.fx / aperture).log().abs())
        return wrong + abs(float(tried.inverse_focus) - planes[index])

    for share in (0.0, *SEARCHES):
        lens.settle(share, misfit)


def lens_view(width: int = WIDTH) -> View:
    return replace(blank("0"), camera=replace(CAMERA, fx=150.0 * width / WIDTH, width=width))


def test_there_is_no_lens_before_the_search_and_no_search_after_the_last():
    lens = LearnedLens(capture((blank("0"),)), 4.0, CPU)
    calls = []

    def misfit(index: int, of: Callable[[View], ThinLens]) -> float:
        calls.append(index)
        return 0.5

    lens.settle(0.1, misfit)
    assert lens.of(blank("0")) is None
    assert not calls
    for _ in SEARCHES:
        lens.settle(1.0, misfit)
    made = len(calls)
    lens.settle(1.0, misfit)
    assert len(calls) == made > 0


def test_what_a_search_found_survives_a_checkpoint():
    taken = capture((blank("0"), blank("1")))
    lens, again = LearnedLens(taken, 4.0, CPU), LearnedLens(taken, 4.0, CPU)
    settled(lens, 0.05, {0: 0.2, 1: 0.4})
    again.restore({name: tensor.detach().clone() for name, tensor in lens.tensors().items()})
    assert again.found() == lens.found()


def test_strength_follows_the_size_of_the_photo():
    lens = LearnedLens(capture((blank("0"),)), 4.0, CPU)
    settled(lens, 0.05, {0: 0.2})
    large, small = (lens.of(lens_view(width)) for width in (WIDTH, WIDTH // 2))
    assert large is not None
    assert small is not None
    assert float(large.strength.detach()) == pytest.approx(2 * float(small.strength.detach()))
    assert float(large.strength.detach()) == pytest.approx(0.05 * CAMERA.fx, rel=0.25)
    assert float(large.inverse_focus.detach()) == pytest.approx(0.2, abs=0.03)


def test_focus_stays_before_the_camera():
    lens = LearnedLens(capture((blank("0"),)), 4.0, CPU)
    settled(lens, 0.05, {0: 0.2})
    with torch.no_grad():
        lens.tensors()["focus_0"].fill_(-0.3)
    lens.relax()
    found = lens.of(blank("0"))
    assert found is not None
    assert float(found.inverse_focus.detach()) == 0


def small_dots(seed: int = 0) -> Gaussians:
    """Sharp dots on the slope."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(150, 2, generator=generator) * torch.tensor([WIDTH, HEIGHT])
    depth = slope()[0, pixels[:, 0].long()]
    colors = torch.rand(150, 1, 3, generator=generator)
    return Gaussians(
        means=unproject(CAMERA, pixels, depth).float(),
        quaternions=torch.tensor([1.0, 0, 0, 0]).repeat(150, 1),
        log_scales=(1.2 * depth / CAMERA.fx).log()[:, None].repeat(1, 3),
        opacity_logits=torch.full((150,), 2.0),
        sh_base=(colors - 0.5) / HARMONIC_BAND_0,
        sh_rest=torch.zeros(150, 15, 3),
    )


def test_aperture_and_focus_are_recovered_from_photographs(one_thread):
    """The scene is known and sharp; three photos of it were taken through an unknown lens."""
    native = pytest.importorskip("recon.raster.native", reason="no native core")
    rasterizer, dots = native.NativeRasterizer(), small_dots()
    aperture, distances = 0.08, (2.5, 4.0, 9.0)
    taken = [
        rasterizer.render(dots, CAMERA, lens=thin_lens(aperture * CAMERA.fx, d)).color.detach()
        for d in distances
    ]
    views = tuple(blank(str(i)) for i in range(3))
    lens = LearnedLens(capture(views), 4.0, CPU)

    def misfit(index: int, of: Callable[[View], ThinLens]) -> float:
        drawn = rasterizer.render(dots, CAMERA, lens=of(views[index])).color
        return float((drawn - taken[index]).detach().abs().mean())

    lens.settle(1.0, misfit)
    optimizer = PartsOptimizer({"lens": lens})
    for step in range(150):
        optimizer.schedule(step / 150)
        drawn = rasterizer.render(dots, CAMERA, lens=lens.of(views[step % 3])).color
        torch.autograd.backward((drawn - taken[step % 3]).abs().mean())
        optimizer.step()
    found = [lens.of(view) for view in views]
    for one, distance in zip(found, distances, strict=True):
        assert one is not None
        assert float(one.strength.detach()) == pytest.approx(aperture * CAMERA.fx, rel=0.05)
        assert float(one.inverse_focus.detach()) == pytest.approx(1 / distance, rel=0.05)
    told = float(lens.found().split()[1])
    assert told == pytest.approx(aperture, rel=0.05)


def test_the_slope_is_seen_where_it_is():
    pixels, depth = project(CAMERA, points().positions)
    assert math.isclose(float(depth.min()), 2, rel_tol=0.1)
    assert bool((pixels >= 0).all())
