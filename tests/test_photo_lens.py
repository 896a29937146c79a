"""Lenses that are learned with the scene, against those that the photographs were made with."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from recon.camera import project, unproject
from recon.defocus import blur
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.optics import signed_coc, thin_lens
from recon.parts_optimizer import PartsOptimizer
from recon.photo_lens import LearnedLens, Pinhole
from recon.sharpness import depth_in_focus
from recon.types import Camera, Capture, Photo, PointCloud, Similarity, Split, View

WIDTH, HEIGHT = 160, 120
CPU = torch.device("cpu")


class Given(Photo):
    def __init__(self, pixels: Tensor) -> None:
        self._pixels = pixels

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        return self._pixels

    def valid(self) -> None:
        return None

    def depth(self) -> None:
        return None

    def sky(self) -> None:
        return None


CAMERA = Camera(torch.eye(4), 150.0, 150.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def slope() -> Tensor:
    """Depth from 2 m at the left to 12 m at the right, even in inverse depth."""
    return (1 / torch.linspace(1 / 2, 1 / 12, WIDTH)).expand(HEIGHT, WIDTH).contiguous()


def photo_focused_at(distance: float, strength: float = 25.0) -> View:
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(HEIGHT, WIDTH, 3, generator=generator)
    seen = blur(texture, signed_coc(slope(), thin_lens(strength, distance)))
    return View(str(distance), CAMERA, Given((255 * seen.clamp(0, 1)).to(torch.uint8)))


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


@pytest.mark.parametrize("distance", [2.5, 4.0, 8.0])
def test_points_look_sharpest_at_the_distance_of_focus(distance):
    focus = depth_in_focus(photo_focused_at(distance), points())
    assert focus is not None
    # Within a bin and a half of the eight that the range is cut into.
    assert focus.in_focus == pytest.approx(1 / distance, abs=1.5 * (1 / 2 - 1 / 12) / 8)
    assert focus.nearest == pytest.approx(1 / 2, rel=0.1)
    assert focus.farthest == pytest.approx(1 / 12, rel=0.3)


def test_without_points_or_texture_nothing_is_told():
    view = photo_focused_at(4.0)
    assert depth_in_focus(view, None) is None
    assert depth_in_focus(view, PointCloud(points().positions[:5], points().colors[:5])) is None


def test_no_lens_is_no_lens():
    assert Pinhole().of(photo_focused_at(3.0)) is None
    assert not Pinhole().tensors()


def test_strength_follows_the_size_of_the_photo():
    views = (photo_focused_at(3.0), photo_focused_at(6.0))
    lens = LearnedLens(capture(views), 4.0, CPU)
    small = replace(views[0], camera=replace(CAMERA, fx=75.0, width=80))
    assert float(lens.of(views[0]).strength.detach()) == pytest.approx(
        2 * float(lens.of(small).strength.detach())
    )
    assert float(lens.of(views[1]).inverse_focus.detach()) == pytest.approx(1 / 6, abs=0.08)


def test_focus_stays_before_the_camera():
    lens = LearnedLens(capture((photo_focused_at(3.0),)), 4.0, CPU)
    with torch.no_grad():
        lens.tensors()["focus_0"].fill_(-0.3)
    lens.relax()
    assert float(lens.of(photo_focused_at(3.0)).inverse_focus.detach()) == 0


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
    half = Camera(torch.eye(4), 75.0, 75.0, WIDTH / 4, HEIGHT / 4, WIDTH // 2, HEIGHT // 2)
    aperture, distances = 0.08, (2.5, 4.0, 9.0)
    taken = [
        rasterizer.render(dots, half, lens=thin_lens(aperture * half.fx, d)).color.detach()
        for d in distances
    ]
    views = tuple(photo_focused_at(d) for d in distances)
    lens = LearnedLens(capture(views), 4.0, CPU)
    optimizer = PartsOptimizer({"lens": lens})
    for step in range(450):
        optimizer.schedule(step / 450)
        view = replace(views[step % 3], camera=half)
        drawn = rasterizer.render(dots, half, lens=lens.of(view)).color
        torch.autograd.backward((drawn - taken[step % 3]).abs().mean())
        optimizer.step()
    found = [lens.of(replace(view, camera=half)) for view in views]
    assert float(found[0].strength.detach()) == pytest.approx(aperture * half.fx, rel=0.1)
    for one, distance in zip(found, distances, strict=True):
        assert float(one.inverse_focus.detach()) == pytest.approx(1 / distance, rel=0.1)
    assert "aperture 0.0" in lens.found()


def test_the_slope_is_seen_where_it_is():
    pixels, depth = project(CAMERA, points().positions)
    assert math.isclose(float(depth.min()), 2, rel_tol=0.1)
    assert bool((pixels >= 0).all())
