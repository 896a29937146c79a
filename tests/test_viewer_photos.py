"""The panel of the photos: the order of the list and its figures, then all of it in a browser."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import MemoryPhoto
from viewer_scenes import camera, stage, walls
from visitor import Visitor, visiting

from recon.core import HAS_CORE
from recon.evaluate import Judge
from recon.image_metrics import score_image
from recon.pictures import DARK, DepthRange, as_8_bit
from recon.raster.choose import choose_rasterizer
from recon.render import Stage
from recon.run import Run
from recon.types import Camera, Capture, DepthMap, Similarity, Split, View
from recon.viewer.address import Address
from recon.viewer.cameras import letterboxed
from recon.viewer.frames import picture_of
from recon.viewer.frusta import SIZE, size_of, small
from recon.viewer.layer import Vantage
from recon.viewer.look import Look, Wipe
from recon.viewer.ranking import psnr_of, ranked, scored, words_of, written_scores
from recon.viewer.server import ViewerServer
from recon.viewer.subject import Source, Subject

pytestmark = pytest.mark.usefixtures("one_thread")

RED, GREEN, BLUE = (229, 26, 26), (26, 229, 26), (30, 30, 230)


def flat(at: Camera, color: tuple[int, int, int], z: float | None) -> MemoryPhoto:
    """A photo of one colour, with a depth of its own."""
    photo = torch.tensor(color, dtype=torch.uint8).repeat(at.height, at.width, 1)
    known = torch.ones(at.height, at.width, dtype=torch.bool)
    depth = None if z is None else DepthMap(torch.full((at.height, at.width), z), known)
    return MemoryPhoto(photo, depth=depth)


def moved(x: float, z: float) -> Camera:
    at = camera(96, 64)
    pose = torch.eye(4)
    pose[0, 3], pose[2, 3] = -x, -z
    return at.moved(pose)


def capture() -> Capture:
    """A black photo, a blue one farther ahead with a depth of 6, and a grey one."""
    views = tuple(
        View(name, moved(x, z), flat(moved(x, z), color, depth))
        for name, x, z, color, depth in (
            ("a.png", 0.0, 0.0, (0, 0, 0), None),
            ("b.png", 0.05, 0.5, BLUE, 6.0),
            ("c.png", 1.0, 0.0, (128, 128, 128), None),
        )
    )
    split = Split((0, 2), (1,), "lists")
    shift = Similarity.shift(torch.zeros(3))
    return Capture(Path("walls"), "test", views, split, None, True, shift)


def world() -> Stage:
    return stage(walls(), choose_rasterizer())


def test_psnr_is_that_of_the_scores():
    seen, view = world(), capture().views[1]
    drawn = torch.from_numpy(as_8_bit(seen.draw(view.camera).color))
    wanted = score_image(drawn, view.photo.pixels()).psnr
    assert psnr_of(seen, view) == pytest.approx(wanted, abs=1e-9)


def test_the_worst_come_first_and_the_unknown_last():
    rows = ranked(capture(), {"c.png": 20.0, "b.png": 12.5})
    assert [row.view.name for row in rows] == ["b.png", "c.png", "a.png"]
    assert [row.label for row in rows] == ["12.50 dB, b.png, held out", "20.00 dB, c.png", "a.png"]


def test_scores_come_from_the_newest_evaluation_and_damage_is_no_score(tmp_path):
    run = Run(tmp_path)
    assert written_scores(run) == written_scores(None) == {}
    table = tmp_path / "eval" / "full@1" / "views.csv"
    table.parent.mkdir(parents=True)
    table.write_text("view,psnr,ssim\nb.png,17.25,0.5\na.png,nan,0.5\n")
    assert written_scores(run) == {"b.png": 17.25}
    for damage in ("view,psnr\nb.png,many\n", "view\nb.png\n", "view,psnr\nb.png\n"):
        table.write_text(damage)
        assert written_scores(run) == {}


def test_the_words_hold_the_depth_error():
    seen, taken = world(), capture()
    judge = Judge.of(taken)
    score = scored(seen, taken.views[1], judge)
    # The photo says 6 everywhere; the red wall is 1.5 away, and the green one 5.5.
    drawn = as_8_bit(seen.draw(taken.views[1].camera).color)
    red = (drawn[..., 0] > drawn[..., 1]).mean()
    assert score.depth is not None
    assert score.depth.expected.overall.mae == pytest.approx(0.5 + 4 * red, abs=0.1)
    words = words_of(score, " m")
    assert f"PSNR **{psnr_of(seen, taken.views[1]):.2f} dB**" in words
    assert "m** (mean)" in words
    assert "against the depth that came with the photo" in words
    assert "not known" in words_of(scored(seen, taken.views[0], judge), " m")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_wipe_shows_the_photo_left_of_the_line(share):
    seen, view = world(), capture().views[1]
    look = Look("Colour", DepthRange(1.0, 9.0), at=view)
    plain = picture_of(Vantage(seen, view.camera, look, None))
    wide, frame = letterboxed(view.camera, 120, 64)
    whole = picture_of(Vantage(seen, wide, look, frame))
    cut = picture_of(Vantage(seen, wide, replace(look, wipe=Wipe("photo", share)), frame))
    line = frame.left + round(share * frame.width)
    assert frame.left == 12
    assert plain.shape == (64, 96, 3)
    np.testing.assert_array_equal(cut[:, line + 1 :], whole[:, line + 1 :])
    if share > 0:
        assert (cut[:, : frame.left] == DARK).all()
        assert (cut[:, frame.left : line - 1] == BLUE).all()
    away = Vantage(seen, wide, replace(look, at=None, wipe=Wipe("photo", share)), None)
    np.testing.assert_array_equal(picture_of(away), whole)


def test_frusta_are_as_large_as_the_cameras_are_apart():
    assert size_of(capture().views) == pytest.approx(SIZE * np.hypot(0.05, 0.5))
    assert size_of(capture().views[:1]) == SIZE
    assert small(np.zeros((200, 400, 3), np.uint8)).shape == (48, 96, 3)


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    if not HAS_CORE:
        pytest.skip("the reference is too slow for a page")
    running = ViewerServer(Subject(world(), Source("walls", capture())), Address(port=18_500))
    yield running
    running.close()


@pytest.fixture
def visitor(chromium: object, server: ViewerServer) -> Iterator[Visitor]:
    with visiting(chromium, server.url, (0.2, 0.8)) as page:
        yield page


LEFT, RIGHT = (0.1, 0.8), (0.6, 0.8)
"""Places left of the panel, on the red wall and on the green one."""


def test_a_person_walks_through_the_photos_and_wipes(visitor):
    visitor.choose("Photo", "b.png, held out")
    visitor.wait(lambda: visitor.reads("dB"))
    visitor.wait(lambda: visitor.reads("(mean)"))
    visitor.wait_for_color(*RIGHT, GREEN, 30)
    visitor.choose("Left of the line", "Photo")
    visitor.wait_for_color(*LEFT, BLUE, 12)
    visitor.wait_for_color(*RIGHT, GREEN, 30)
    visitor.slider("Line").press("End")
    visitor.wait_for_color(*RIGHT, BLUE, 12)
    visitor.choose("Layer", "Depth, median")
    visitor.choose("Left of the line", "Render")
    visitor.wait_for_color(*LEFT, RED, 30)
    visitor.choose("Left of the line", "Nothing")
    visitor.wait_for_other_color(*LEFT, RED)
    visitor.choose("Layer", "Colour")
    visitor.press("Next")
    visitor.wait(lambda: visitor.value("Photo") == "c.png")


def test_photos_are_listed_worst_first(visitor):
    seen, taken = world(), capture()
    visitor.press("Worst first, of all photos")
    rows = ranked(taken, {view.name: psnr_of(seen, view) for view in taken.views})
    visitor.page.get_by_label("Photo", exact=True).click()
    options = visitor.page.get_by_role("option")
    visitor.wait(lambda: options.count() == 4 and "dB" in options.nth(1).inner_text())
    assert options.all_inner_texts()[1:] == [row.label for row in rows]


def test_cameras_stand_in_the_scene_and_take_who_clicks_there(visitor):
    ahead = (0.5 + 0.05 / 0.7 / 2, 0.5)  # Where the first camera sees the second one.
    before = visitor.color(*ahead)
    visitor.check("Show cameras", True)
    visitor.wait_for_color(*ahead, BLUE, 40)
    visitor.check("Click to focus", True)
    visitor.click(*ahead)
    visitor.wait(lambda: not visitor.reads("Everything is sharp."))
    assert visitor.value("Photo") == "None: moving freely"
    visitor.check("Click to focus", False)
    visitor.check("All sharp", True)
    visitor.click_until(*ahead, lambda: visitor.value("Photo") == "b.png, held out")
    # Nobody wants to look at the photo from within its camera.
    visitor.wait_for_other_color(*ahead, BLUE)
    visitor.press("Back to the start")
    visitor.wait_for_color(*ahead, BLUE, 80)  # Perhaps still lit up.
    visitor.check("Show cameras", False)
    visitor.wait_for_color(*ahead, before, 12)
