"""Every control of the page is used in a real browser, and its effect looked for in the picture."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from viewer_scenes import camera, photo_view, stage, walls
from visitor import Visitor

from recon.core import HAS_CORE
from recon.errors import DataError
from recon.pictures import DARK, DepthRange, depth_picture
from recon.raster.choose import choose_rasterizer
from recon.raster.interface import Render
from recon.raster.reference import ReferenceRasterizer
from recon.render import Stage
from recon.types import Capture, Similarity, Split
from recon.viewer.address import Address
from recon.viewer.depth_layers import LARGEST_COC, two_sided
from recon.viewer.look import LensDial
from recon.viewer.server import ViewerServer
from recon.viewer.session import Session
from recon.viewer.subject import Source, Subject

pytestmark = pytest.mark.skipif(not HAS_CORE, reason="the reference is too slow for a page")

NEAR, FAR = (0.3, 0.7), (0.6, 0.7)
"""Places on the near red wall, and on the far green one, left of the panel."""
RED, GREEN = (229, 26, 26), (26, 229, 26)
WHITE = (247, 247, 247)


class Broken(ReferenceRasterizer):
    """Draws nothing."""

    def render(self, *_: Any, **__: Any) -> Render:
        raise DataError("the paint is dry")


def world() -> Stage:
    return stage(walls(), choose_rasterizer("native"))


def capture(seen: Stage) -> Capture:
    views = tuple(photo_view(name, seen, camera(96, 64)) for name in ("a.png", "b.png"))
    return Capture(
        path=Path("walls"),
        format="test",
        views=views,
        split=Split((0,), (1,), "lists"),
        points=None,
        metric=True,
        to_source=Similarity.shift(torch.zeros(3)),
    )


@pytest.fixture(scope="module")
def subject() -> Subject:
    seen = world()
    return Subject(seen, Source("walls", capture(seen)))


@pytest.fixture(scope="module")
def server(subject: Subject) -> Iterator[ViewerServer]:
    running = ViewerServer(subject, Address(port=18_400))
    yield running
    running.close()


@pytest.fixture(scope="module")
def page(chromium: object, server: ViewerServer) -> Iterator[Visitor]:
    visitor = Visitor(chromium, server.url)
    yield visitor
    visitor.close()


@pytest.fixture
def visitor(page: Visitor) -> Iterator[Visitor]:
    """The page with its first picture drawn."""
    page.choose("Layer", "Colour")
    page.check("All sharp", True)
    page.wait_for_color(*NEAR, RED, 30)
    page.wait_for_color(*FAR, GREEN, 30)
    yield page
    assert not page.problems


def depth_color(z: float, span: DepthRange) -> np.ndarray:
    picture = depth_picture(torch.tensor([[z]]), torch.ones(1, 1, dtype=torch.bool), span)
    return picture[0, 0].astype(int)


def blur_color(z: float, dial: LensDial) -> np.ndarray:
    """The colour of the blur layer in closed form: c = K |1/s - 1/z|, with K = A v."""
    assert dial.open
    # The page shows 90 degrees across, so that the sensor stands half its width behind the lens.
    to_sensor = dial.sensor_width_mm / 2 / 1000
    focal_length = 1 / (1 / to_sensor + 1 / dial.focus)
    per_width = focal_length / dial.f_number / 2
    if dial.aperture == "strength":
        per_width = dial.strength / dial.focal / 2
    coc = per_width * (1 / dial.focus - 1 / z)
    return two_sided(torch.tensor([[coc / LARGEST_COC]]))[0, 0].astype(int)


@pytest.mark.parametrize("layer", ["Depth, expected", "Depth, median"])
def test_depth_is_coloured_by_the_range(visitor: Visitor, subject: Subject, layer: str) -> None:
    visitor.choose("Layer", layer)
    for place, z in ((NEAR, 2.0), (FAR, 6.0)):
        visitor.wait_for_color(*place, depth_color(z, subject.depths))
    # The fields beside the sliders take numbers; sliders answer to keys as well.
    for label, key in (("From (m)", "End"), ("To (m)", "Home")):
        visitor.slider(label).press(key)
    # From the farthest to the nearest: one step is left between them.
    visitor.wait_for_color(*NEAR, depth_color(2.0, DepthRange(15.0, 15.03)))
    visitor.press("Fit range to view")
    visitor.wait_for_color(*NEAR, depth_color(2.0, subject.depths))
    visitor.slider("From (m)").press("Home")
    visitor.slider("From (m)").press("ArrowRight")
    visitor.wait_for_color(*NEAR, depth_color(2.0, DepthRange(0.06, subject.depths.far)))
    visitor.press("Fit range to view")
    visitor.wait_for_color(*FAR, depth_color(6.0, subject.depths))


@pytest.mark.parametrize(
    ("layer", "near", "far"),
    [
        ("Alpha", (255, 255, 255), (255, 255, 255)),
        ("Normals", (128, 128, 255), (128, 128, 255)),
        ("Uncertainty", (0, 0, 4), (0, 0, 4)),
        ("Circle of confusion", WHITE, WHITE),
        ("Error against the photo", DARK, DARK),
    ],
)
def test_layers_show_what_is_known_of_the_walls(
    visitor: Visitor, layer: str, near: tuple[int, ...], far: tuple[int, ...]
) -> None:
    visitor.choose("Layer", layer)
    visitor.wait_for_color(*NEAR, near)
    visitor.wait_for_color(*FAR, far)


def test_the_error_is_shown_at_a_photos_camera_alone(
    visitor: Visitor, server: ViewerServer, subject: Subject
) -> None:
    visitor.choose("Layer", "Error against the photo")
    visitor.wait_for_color(*NEAR, DARK, 4)
    assert subject.source.capture is not None
    session(server).stand_at(subject.source.capture.views[0])
    visitor.wait_for_color(*NEAR, (1, 0, 6), 8)
    visitor.drag(0.3, 0.5, 60, 0)
    visitor.wait_for_color(*NEAR, DARK, 4)
    visitor.choose("Layer", "Colour")
    visitor.wait_for_other_color(0.47, 0.7, RED)
    visitor.press("Back to the start")
    visitor.wait_for_color(0.47, 0.7, RED, 30)


def test_each_number_of_the_lens_blurs_as_it_should(visitor: Visitor) -> None:
    visitor.choose("Layer", "Circle of confusion")
    visitor.check("All sharp", False)
    visitor.fill("Focus (m)", 3.0)
    visitor.fill("f/", 0.3)
    dial = LensDial(open=True, aperture="f-number", f_number=0.3, focus=3.0)
    visitor.wait_for_color(*NEAR, blur_color(2.0, dial))
    visitor.wait_for_color(*FAR, blur_color(6.0, dial))
    assert visitor.reads("Hyperfocal distance")
    visitor.choose("Sensor", "Phone, 9.8 mm")
    phone = LensDial(open=True, aperture="f-number", f_number=0.3, focus=3.0, sensor_width_mm=9.8)
    visitor.wait_for_color(*NEAR, blur_color(2.0, phone), 6)
    visitor.choose("Sensor", "Full frame, 36 mm")
    visitor.press("1")
    first = LensDial(open=True, aperture="f-number", f_number=1.0, focus=3.0)
    visitor.wait_for_color(*NEAR, blur_color(2.0, first), 6)
    assert visitor.value("f/") == "1"
    visitor.choose("Aperture as", "strength K")
    visitor.fill("K (px m)", 6.0)
    # The home camera is 96 px wide: its focal length is 48 px.
    strong = LensDial(open=True, aperture="strength", strength=6.0, focal=48.0, focus=3.0)
    visitor.wait_for_color(*NEAR, blur_color(2.0, strong))
    visitor.choose("Aperture as", "f-number")
    visitor.check("All sharp", True)
    visitor.wait_for_color(*NEAR, WHITE)


@pytest.mark.parametrize(("place", "z"), [(FAR, 6.0), (NEAR, 2.0)])
def test_a_click_focuses_on_what_is_there(
    visitor: Visitor, place: tuple[float, float], z: float
) -> None:
    visitor.fill("f/", 0.3)
    visitor.check("Tint what is in focus", True)
    visitor.check("Click to focus", True)
    visitor.click(*place)
    visitor.wait(lambda: float(visitor.value("Focus (m)")) == pytest.approx(z, rel=0.03))
    for other, color in ((NEAR, RED), (FAR, GREEN)):
        tinted = 0.55 * np.array(color) + 0.45 * np.array([60, 255, 90])
        visitor.wait_for_color(*other, tinted if other == place else color, 25)
    visitor.check("Click to focus", False)
    visitor.click(*(NEAR if place == FAR else FAR))
    visitor.page.wait_for_timeout(300)
    assert float(visitor.value("Focus (m)")) == pytest.approx(z, rel=0.03)
    visitor.check("Tint what is in focus", False)


def test_the_browser_draws_splats_itself(visitor: Visitor) -> None:
    visitor.choose("Layer", "Normals")
    visitor.wait_for_color(*NEAR, (128, 128, 255))
    visitor.choose("Drawn by", "Browser: fast")
    visitor.wait_for_color(*NEAR, RED, 45)
    visitor.choose("Drawn by", "Server: exact")
    visitor.wait_for_color(*NEAR, (128, 128, 255))


def test_a_still_has_the_rows_asked_for(visitor: Visitor, server: ViewerServer) -> None:
    rows: list[int] = []
    session(server).on_picture(lambda picture, _: rows.append(picture.shape[0]))
    slider = visitor.slider("Rows of a still")
    slider.press("Home")
    visitor.wait(lambda: rows[-1:] == [120])
    slider.press("End")
    # More than the canvas has would be lost; browsers that are slow make theirs smaller.
    visitor.wait(lambda: rows[-1:] == [session(server).client.camera.image_height])
    assert rows[-1] > 120


def test_two_people_look_each_in_their_own_way(
    visitor: Visitor, chromium: Any, server: ViewerServer
) -> None:
    other = Visitor(chromium, server.url)
    try:
        other.choose("Layer", "Normals")
        other.wait_for_color(*NEAR, (128, 128, 255))
        visitor.wait_for_color(*NEAR, RED, 30)
        assert visitor.value("Layer") == "Colour"
        assert len(server._sessions) == 2
    finally:
        other.close()
    visitor.wait(lambda: len(server._sessions) == 1)


def test_browsers_that_go_at_once_leave_nothing(
    visitor: Visitor, chromium: Any, server: ViewerServer
) -> None:
    def painters() -> set[int | None]:
        return {thread.ident for thread in threading.enumerate() if thread.name == "painter"}

    before = painters()
    for _ in range(3):
        context = chromium.new_context()
        context.new_page().goto(server.url)
        context.close()
    visitor.wait(lambda: len(server._server.get_clients()) == 1)
    visitor.wait(lambda: len(server._sessions) == 1)
    visitor.wait(lambda: painters() == before)


def test_a_phone_shows_the_picture_and_the_panel(chromium: Any, server: ViewerServer) -> None:
    phone = Visitor(chromium, server.url, width=390, height=844)
    try:
        phone.choose("Layer", "Normals")
        phone.wait_for_color(0.3, 0.2, (128, 128, 255))
        sideways = phone.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert sideways <= 0
        assert not phone.problems
    finally:
        phone.close()


def test_a_picture_that_cannot_be_drawn_is_told(
    visitor: Visitor, server: ViewerServer, subject: Subject
) -> None:
    good = subject.stage
    try:
        subject.show(Stage(good.scene, Broken(), good.metric))
        visitor.wait(lambda: visitor.reads("the paint is dry"))
    finally:
        subject.show(good)
    visitor.choose("Layer", "Alpha")
    visitor.wait_for_color(*NEAR, (255, 255, 255))


def session(server: ViewerServer) -> Session:
    (only,) = server._sessions.values()
    return only
