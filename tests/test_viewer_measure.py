"""The ruler and the box: their geometry, then both in a browser."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plyfile
import pytest
import torch
from splat_scenes import oblique
from viewer_scenes import camera, photo_view, stage, walls
from visitor import Visitor, visiting

from recon.camera import project
from recon.core import HAS_CORE
from recon.errors import DataError
from recon.pictures import DepthRange
from recon.raster.choose import choose_rasterizer
from recon.render import Stage
from recon.types import Capture, Similarity, Split
from recon.viewer.address import Address
from recon.viewer.crop import Box, Cropper, inside
from recon.viewer.frames import picture_of
from recon.viewer.layer import Vantage
from recon.viewer.layers import LAYERS
from recon.viewer.look import Look
from recon.viewer.measure_panel import MARK, lifted
from recon.viewer.part_file import part_file
from recon.viewer.server import ViewerServer
from recon.viewer.subject import Source, Subject

pytestmark = pytest.mark.usefixtures("one_thread")

OFFSET = torch.tensor([100.0, 0.0, -7.0])
RED, GREEN = (229, 26, 26), (26, 229, 26)
BLACK = (0, 0, 0)


def world() -> Stage:
    return stage(walls(), choose_rasterizer())


def subject(seen: Stage) -> Subject:
    views = (photo_view("a.png", seen, camera(96, 64)),)
    taken = Capture(
        Path("walls"), "test", views, Split((0,), (), "all"), None, True, Similarity.shift(OFFSET)
    )
    return Subject(seen, Source("walls", taken))


def test_a_point_is_where_it_is_seen():
    at = oblique()
    place = torch.from_numpy(lifted(at, 0.3, 0.8, 4.0))
    pixel, depth = project(at, place[None])
    assert depth.item() == pytest.approx(4.0)
    assert pixel[0].tolist() == pytest.approx([0.3 * at.width, 0.8 * at.height])


def test_a_box_holds_what_lies_in_it():
    box = Box((1.0, 2.0, 3.0), (2.0, 4.0, 0.0))
    asked = torch.tensor([[1.0, 2, 3], [2, 4, 3], [2.1, 4, 3], [1, 2, 3.1], [0, 0, 3]])
    assert box.holds(asked).tolist() == [True, True, False, False, True]
    edges = box.outline()
    lengths = np.sort(np.linalg.norm(edges[:, 0] - edges[:, 1], axis=1))
    np.testing.assert_allclose(lengths, [0] * 4 + [2] * 4 + [4] * 4)
    assert box.holds(torch.from_numpy(edges.reshape(-1, 3))).all()
    points = torch.randn(4000, 3, generator=torch.Generator().manual_seed(1))
    share = Box.around(points).holds(points).float().mean()
    assert share == pytest.approx(0.9**3, abs=0.03)


def test_a_crop_is_made_once_and_anew_for_another_box_or_scene():
    seen, cropper = world(), Cropper()
    near = Box((0.0, 0.0, 2.0), (9.0, 9.0, 1.0))
    assert cropper.of(seen, None) is seen
    once = cropper.of(seen, near)
    assert cropper.of(seen, near) is once
    assert (once.scene.gaussians.means[:, 2] == 2).all()
    assert 0 < len(once.scene.gaussians) < len(seen.scene.gaussians)
    other = cropper.of(world(), near)
    assert other is not once
    assert len(cropper.of(seen, Box((0.0, 0, 6), (1.0, 1, 1))).scene.gaussians) > 0


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_an_empty_box_shows_nothing(backend):
    if backend == "native" and not HAS_CORE:
        pytest.skip("no native core")
    seen = stage(walls(), choose_rasterizer(backend))
    nowhere = Cropper().of(seen, Box((50.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    vantage = Vantage(nowhere, camera(), Look("Colour", DepthRange(1.0, 9.0)))
    for layer in LAYERS.values():
        assert layer.picture(vantage).shape == (48, 64, 3)
    assert not picture_of(vantage).any()


def test_a_part_is_saved_in_the_frame_of_the_input():
    given = subject(world())
    part = inside(given.stage.scene.gaussians, Box((0.0, 0.0, 2.0), (9.0, 9.0, 1.0)))
    rows = plyfile.PlyData.read(io.BytesIO(part_file(part, given)))["vertex"]
    assert len(rows.data) == len(part)
    np.testing.assert_allclose(rows["x"], part.means[:, 0] + 100, atol=1e-5)
    np.testing.assert_allclose(rows["z"], 2.0 - 7.0, atol=1e-5)
    with pytest.raises(DataError, match="nothing is visible"):
        part_file(inside(part, Box((50.0, 0, 0), (1.0, 1, 1))), given)


def test_a_file_that_was_moved_goes_back():
    source = Source("a.ply", moved_by=-OFFSET.double())
    assert source.to_source.apply(torch.zeros(1, 3)).tolist() == [OFFSET.tolist()]
    assert Source("a.ply").to_source.apply(torch.ones(1, 3)).tolist() == [[1.0, 1.0, 1.0]]


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    if not HAS_CORE:
        pytest.skip("the reference is too slow for a page")
    running = ViewerServer(subject(world()), Address(port=18_520))
    yield running
    running.close()


@pytest.fixture
def visitor(chromium: object, server: ViewerServer) -> Iterator[Visitor]:
    with visiting(chromium, server.url, LEFT) as page:
        page.page.get_by_text("Measure and crop", exact=True).click()
        yield page


LEFT, RIGHT = (0.2, 0.8), (0.6, 0.8)
"""Places left of the panel, on the red wall and on the green one."""


def test_a_person_measures_from_wall_to_wall(visitor):
    visitor.check("Click to measure", True)
    visitor.click(*LEFT)
    visitor.wait(lambda: visitor.reads("Click on the second point."))
    visitor.wait_for_color(*LEFT, MARK, 90)
    visitor.click(*RIGHT)
    # The page shows 90 degrees across 96 x 64, in 900 x 600: x / z = 2 (share - 1/2).
    a, b = (
        z * np.array([2 * (x - 0.5), 2 * (y - 0.5) * 2 / 3, 1])
        for (x, y), z in ((LEFT, 2.0), (RIGHT, 6.0))
    )
    wanted = np.linalg.norm(a - b)
    words = visitor.page.get_by_text("Distance")
    words.wait_for()
    assert float(words.inner_text().split()[1]) == pytest.approx(wanted, rel=0.01)
    visitor.press("Clear the points")
    visitor.wait_for_color(*LEFT, RED, 30)


def test_a_person_crops_and_takes_the_part_home(visitor, tmp_path):
    visitor.check("Crop to a box", True)
    _type_vector(visitor, "Centre (m)", (0.0, 0.0, 2.0))
    _type_vector(visitor, "Size (m)", (20.0, 20.0, 1.0))
    visitor.wait_for_color(*RIGHT, BLACK, 30)
    visitor.wait_for_color(*LEFT, RED, 30)
    with visitor.page.expect_download() as waiting:
        visitor.press("Save what is visible as PLY")
    waiting.value.save_as(tmp_path / "part.ply")
    rows = plyfile.PlyData.read(tmp_path / "part.ply")["vertex"]
    assert len(rows.data) > 50
    np.testing.assert_allclose(rows["z"], 2.0 - 7.0, atol=1e-5)
    visitor.check("Crop to a box", False)
    visitor.wait_for_color(*RIGHT, GREEN, 30)


def _type_vector(visitor: Visitor, label: str, values: tuple[float, float, float]) -> None:
    row = visitor.page.locator("div", has=visitor.page.get_by_text(label, exact=True))
    fields = row.filter(has=visitor.page.locator("input")).last.locator("input")
    for i, value in enumerate(values):
        fields.nth(i).fill(f"{value:g}")
        fields.nth(i).press("Enter")
    fields.nth(2).blur()
