import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from photos import MemoryPhoto
from viewer_scenes import camera, one_ray, photo_view, stage, walls

from recon.camera import project
from recon.pictures import DARK, DepthRange, as_8_bit, depth_picture, error_picture
from recon.types import Camera
from recon.viewer.cameras import letterboxed
from recon.viewer.depth_layers import LARGEST_COC, depth_spread, normals_of, two_sided
from recon.viewer.error_layer import LARGEST_ERROR
from recon.viewer.frames import picture_of
from recon.viewer.layer import Vantage
from recon.viewer.layers import LAYERS
from recon.viewer.look import LensDial, Look, sharp_bound

SPAN = DepthRange(1.0, 10.0, "m")
LEFT, RIGHT = (24, 10), (24, 54)
"""Pixels of the near and of the far wall, as row and column."""

pytestmark = pytest.mark.usefixtures("one_thread")


def vantage(layer: str, lens: LensDial | None = None, *, tint: bool = False) -> Vantage:
    look = Look(layer, SPAN, lens or LensDial(), tint=tint)
    return Vantage(stage(walls()), camera(), look)


@pytest.mark.parametrize("layer", ["Depth, expected", "Depth, median"])
def test_depth_has_the_colour_of_the_walls_distance(layer: str) -> None:
    picture = picture_of(vantage(layer))
    for place, z in ((LEFT, 2.0), (RIGHT, 6.0)):
        exact = depth_picture(torch.tensor([[z]]), torch.ones(1, 1, dtype=torch.bool), SPAN)[0, 0]
        assert np.abs(picture[place].astype(int) - exact).max() <= 2


def test_the_colours_of_depth_follow_the_range() -> None:
    seen = vantage("Depth, median")
    moved = replace(seen, look=replace(seen.look, depths=DepthRange(2.0, 6.0, "m")))
    ends = [picture_of(moved)[place] for place in (LEFT, RIGHT)]
    exact = [
        depth_picture(torch.tensor([[z]]), torch.ones(1, 1, dtype=torch.bool), moved.look.depths)
        for z in (2.0, 6.0)
    ]
    for end, color in zip(ends, exact, strict=True):
        assert np.abs(end.astype(int) - color[0, 0]).max() <= 2


def test_colour_and_alpha_are_those_of_the_rasterizer() -> None:
    seen = vantage("Colour")
    render = seen.stage.draw(seen.camera)
    assert np.array_equal(picture_of(seen), as_8_bit(render.color))
    alpha = picture_of(vantage("Alpha"))
    assert np.array_equal(alpha[..., 1], as_8_bit(render.alpha))


def test_a_lens_blurs_what_is_out_of_focus_alone() -> None:
    dial = LensDial(open=True, strength=30.0, focus=6.0, focal=32.0)
    sharp = picture_of(vantage("Colour")).astype(int)
    blurred = picture_of(vantage("Colour", dial)).astype(int)
    # Texture inside the far wall stays, the near one's is smeared.
    near, far = np.s_[4:44, 2:26], np.s_[4:44, 46:62]
    assert sharp[far].std(axis=(0, 1)).max() == pytest.approx(
        blurred[far].std(axis=(0, 1)).max(), abs=2.0
    )
    assert np.abs(sharp[near] - blurred[near]).max() > 0
    exact = stage(walls()).draw(camera(), dial.lens(camera())).color
    assert np.array_equal(picture_of(vantage("Colour", dial)), as_8_bit(exact))


def test_the_blur_layer_says_which_side_of_the_focus() -> None:
    dial = LensDial(open=True, strength=2.0, focus=3.0, focal=32.0)
    picture = picture_of(vantage("Circle of confusion", dial))
    for place, z in ((LEFT, 2.0), (RIGHT, 6.0)):
        coc = 2.0 * (1 / 3 - 1 / z)
        exact = two_sided(torch.tensor([[coc / 64 / LARGEST_COC]]))[0, 0]
        assert np.abs(picture[place].astype(int) - exact).max() <= 2
    assert picture[LEFT][2] > picture[LEFT][0]
    assert picture[RIGHT][0] > picture[RIGHT][2]


@pytest.mark.parametrize(("focus", "tinted", "other"), [(2.0, LEFT, RIGHT), (6.0, RIGHT, LEFT)])
def test_the_tint_lies_on_what_is_in_focus(
    focus: float, tinted: tuple[int, int], other: tuple[int, int]
) -> None:
    dial = LensDial(open=True, strength=10.0, focus=focus, focal=32.0)
    assert 10.0 * abs(1 / 2 - 1 / 6) > sharp_bound(camera())
    plain = picture_of(vantage("Depth, median", dial))
    picture = picture_of(vantage("Depth, median", dial, tint=True))
    assert not np.array_equal(picture[tinted], plain[tinted])
    assert np.array_equal(picture[other], plain[other])
    unopened = picture_of(vantage("Depth, median", tint=True))
    assert np.array_equal(unopened, plain)


def test_uncertainty_is_the_spread_along_the_ray() -> None:
    opacities, depths = [0.6, 0.9], [2.0, 3.0]
    seen = Vantage(
        stage(one_ray(opacities, depths)),
        Camera(torch.eye(4), 32.0, 32.0, 16.5, 12.5, 33, 25),
        Look("Uncertainty", SPAN),
    )
    weights = np.array([0.6, 0.4 * 0.9])
    weights /= weights.sum()
    mean = (weights * depths).sum()
    spread = math.sqrt((weights * (np.array(depths) - mean) ** 2).sum())
    assert float(depth_spread(seen)[12, 16]) == pytest.approx(spread / mean, rel=1e-3)


def test_one_surface_has_no_uncertainty() -> None:
    spread = depth_spread(vantage("Uncertainty"))
    assert float(spread[LEFT]) == 0
    assert float(spread[RIGHT]) == 0


def test_normals_are_those_of_a_tilted_plane() -> None:
    at = camera(96, 64)
    normal = torch.tensor([0.36, -0.48, -0.8], dtype=torch.float64)
    x = (torch.arange(96) + 0.5 - at.cx) / at.fx
    y = (torch.arange(64) + 0.5 - at.cy) / at.fy
    rays = torch.stack([x.expand(64, 96), y[:, None].expand(64, 96), torch.ones(64, 96)], -1)
    depth = -4.0 / (rays.double() @ normal)
    assert bool((depth > 0).all())
    found = normals_of(depth, at)
    assert torch.allclose(found[1:-1, 1:-1], normal.expand(62, 94, 3), atol=1e-9)
    assert bool(found[0].isnan().all())
    hole = depth.clone()
    hole[30, 40] = 0
    assert bool(normals_of(hole, at)[30, 39:42].isnan().all())


def test_a_photo_that_the_scene_explains_has_no_error() -> None:
    seen = stage(walls())
    view = photo_view("a", seen, camera())
    look = Look("Error against the photo", SPAN, at=view)
    # As large as the photo, with margins at both sides.
    wide, frame = letterboxed(view.camera, 96, 48)
    picture = picture_of(Vantage(seen, wide, look, frame))
    assert (frame.left, frame.top, frame.width, frame.height) == (16, 0, 64, 48)
    assert np.array_equal(picture[:, :16], np.broadcast_to(DARK, (48, 16, 3)))
    # The photo is rounded to 8 bits, which is two steps of the colours.
    assert picture[:, 16:80].max() <= 8
    white = MemoryPhoto(torch.full((48, 64, 3), 255, dtype=torch.uint8))
    brighter = replace(view, photo=white)
    bright = picture_of(Vantage(seen, wide, replace(look, at=brighter), frame))
    wall = view.photo.pixels()[24, 10].float() / 255
    share = min(1.0, float((1 - wall).abs().mean()) / LARGEST_ERROR)
    exact = error_picture(torch.tensor([[share]]), torch.ones(1, 1, dtype=torch.bool), 1.0)[0, 0]
    assert np.abs(bright[24, 26].astype(int) - exact).max() <= 8


def test_away_from_the_photos_there_is_no_error_to_show() -> None:
    picture = picture_of(vantage("Error against the photo"))
    assert np.array_equal(picture, np.broadcast_to(DARK, (48, 64, 3)))


@pytest.mark.parametrize(("width", "height"), [(96, 48), (64, 96), (31, 17)])
def test_a_letterboxed_camera_sees_the_photo_in_its_frame(width: int, height: int) -> None:
    view = Camera(torch.eye(4), 50.0, 48.0, 30.0, 25.0, 64, 48)
    wide, frame = letterboxed(view, width, height)
    points = torch.tensor([[0.3, -0.2, 2.0], [-0.5, 0.1, 3.0]])
    before, _ = project(view, points)
    after, _ = project(wide, points)
    scale = torch.tensor([frame.width / 64, frame.height / 48])
    assert torch.allclose(after, before * scale + torch.tensor([frame.left, frame.top]), atol=1e-4)
    assert max(frame.width / width, frame.height / height) == 1.0


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_every_layer_draws_an_empty_place(layer: object) -> None:
    """A camera that looks away from the scene sees nothing, which is no failure."""
    pose = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    seen = Vantage(stage(walls()), camera(20, 16).moved(pose), Look("Colour", SPAN))
    picture = layer.picture(seen)  # type: ignore[attr-defined]
    assert picture.shape == (16, 20, 3)
    assert picture.dtype == np.uint8


def test_legends_are_as_wide_as_the_panel() -> None:
    look = Look("Colour", SPAN)
    legends = [layer.legend(look, "m") for layer in LAYERS.values()]
    assert sum(legend is not None for legend in legends) == 5
    assert {legend.shape for legend in legends if legend is not None} == {(150, 240, 3)}
