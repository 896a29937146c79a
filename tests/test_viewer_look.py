import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon.camera import project
from recon.optics import hyperfocal_distance, sharp_range
from recon.types import Camera
from recon.viewer.cameras import Standpoint, field_of_view, letterboxed, same_place
from recon.viewer.look import LensDial, sharp_bound
from recon.viewer.pace import Pace
from recon.viewer.readout import lens_words


def camera(width: int = 1200, height: int = 800, focal: float = 1666.6667) -> Camera:
    return Camera(torch.eye(4), focal, focal, width / 2, height / 2, width, height)


@given(st.floats(1.4, 22), st.floats(1.0, 30.0))
def test_near_and_far_are_those_of_the_textbook(number: float, focus: float) -> None:
    """Greenleaf, Photographic Optics (1950), with c = 0.03 mm on full frame."""
    seen = camera()
    dial = LensDial(open=True, aperture="f-number", f_number=number, focus=focus)
    lens = dial.lens(seen)
    assert lens is not None
    to_sensor = seen.fx / seen.width * 36.0
    f = 1 / (1 / to_sensor + 1 / (1000 * focus))
    c, s = 0.03, 1000 * focus
    hyperfocal = f * f / (number * c) + f
    near = s * (hyperfocal - f) / (hyperfocal + s - 2 * f) / 1000
    beyond = hyperfocal - s
    far = s * (hyperfocal - f) / beyond / 1000 if beyond > 0 else math.inf
    found = sharp_range(lens, sharp_bound(seen))
    assert found[0] == pytest.approx(near, rel=1e-4)
    # Just inside the hyperfocal distance the far limit is a difference of nearly equal numbers.
    if far < 50 * focus:
        assert found[1] == pytest.approx(far, rel=1e-2)
    if beyond < -0.01 * s:
        assert found[1] == math.inf


@pytest.mark.parametrize("number", [1.4, 5.6, 16.0])
def test_the_hyperfocal_distance_is_that_of_the_textbook(number: float) -> None:
    """H = f²/(N c) + f, of the lens that is focused there."""
    seen = camera()
    f = focus = 50.0
    for _ in range(20):
        focus = f * f / (number * 0.03) + f
        f = 1 / (1 / 50.0 + 1 / focus)
    dial = LensDial(open=True, aperture="f-number", f_number=number, focus=focus / 1000)
    lens = dial.lens(seen)
    assert lens is not None
    found = hyperfocal_distance(lens, sharp_bound(seen))
    assert found == pytest.approx(focus / 1000, rel=1e-4)


def test_an_all_sharp_lens_is_none() -> None:
    assert LensDial().lens(camera()) is None
    assert lens_words(LensDial(), camera(), True) == "Everything is sharp."


def test_a_camera_on_its_side_has_the_same_lens() -> None:
    dial = LensDial(open=True, aperture="f-number", f_number=2.0, focus=4.0)
    lying, upright = camera(1200, 800), camera(800, 1200)
    one, two = dial.lens(lying), dial.lens(upright)
    assert one is not None
    assert two is not None
    assert float(one.strength) == pytest.approx(float(two.strength))
    assert sharp_bound(lying) == sharp_bound(upright) == 1.0
    assert (
        lens_words(dial, lying, True).splitlines()[:3]
        == (lens_words(dial, upright, True).splitlines()[:3])
    )


def test_a_strength_belongs_to_an_aperture_not_to_a_resolution() -> None:
    dial = LensDial(open=True, aperture="strength", strength=12.0, focus=4.0, focal=400.0)
    small, large = (dial.lens(camera(focal=f)) for f in (400.0, 1600.0))
    assert small is not None
    assert large is not None
    assert float(small.strength) == pytest.approx(12.0)
    assert float(large.strength) == pytest.approx(48.0)


def test_the_words_hold_the_numbers() -> None:
    dial = LensDial(open=True, aperture="f-number", f_number=2.8, focus=3.0)
    words = lens_words(dial, camera(), True)
    # f = 49.18 mm (50 mm from lens to sensor), A = 17.6 mm.
    assert "f/2.8" in words
    assert "17.6 mm" in words
    assert "2.72 m" in words
    assert "3.34 m" in words
    assert "29.3 m" in words


def test_where_lengths_are_not_metres_no_unit_is_named() -> None:
    words = lens_words(LensDial(open=True, strength=5.0), camera(), metric=False)
    assert " m" not in words.replace("the far", "")
    assert "f/" not in words


@given(
    st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(0.3, 2.0), st.integers(40, 900)
)
def test_a_standpoint_looks_where_the_browser_does(
    x: float, y: float, z: float, angle: float, rows: int
) -> None:
    turn = Rotation.from_rotvec([x, y, z])
    place = np.array([z, x, y])
    stand = Standpoint(turn.as_quat(scalar_first=True), place, angle, 1600, 900)
    seen = stand.camera(rows)
    assert (seen.height, seen.width) == (rows, round(rows * 16 / 9))
    # A point ahead is in the middle, one at half the angle upwards is at the upper edge.
    ahead = place + 5 * turn.apply([0, 0, 1])
    edge = place + 5 * turn.apply([0, -math.tan(angle / 2), 1])
    pixels, depth = project(seen, torch.from_numpy(np.stack([ahead, edge])))
    middle, top = pixels
    assert torch.allclose(middle, torch.tensor([seen.cx, seen.cy], dtype=middle.dtype), atol=1e-2)
    assert float(top[1]) == pytest.approx(0, abs=1e-2)
    assert depth.tolist() == pytest.approx([5.0, 5.0], abs=1e-4)
    assert same_place(stand, seen)
    moved = seen.moved(seen.world_to_camera + 0.01 * torch.eye(4)[3] * torch.eye(4)[:, 3:])
    moved.world_to_camera[0, 3] += 0.01
    assert not same_place(stand, moved)


@pytest.mark.parametrize(("width", "height"), [(1600, 900), (390, 844)])
def test_the_browsers_angle_shows_all_of_a_photo(width: int, height: int) -> None:
    photo = Camera(torch.eye(4), 300.0, 300.0, 192.0, 128.0, 384, 256)
    wide, _ = letterboxed(photo, width, height)
    assert field_of_view(photo, width, height) == pytest.approx(
        2 * math.atan(height / 2 / wide.fy), rel=2e-3
    )


@pytest.mark.parametrize("per_pixel", [1e-7, 2e-6, 5e-5])
def test_the_pace_finds_the_rows_that_take_the_time(per_pixel: float) -> None:
    pace = Pace(0.08, rows=180)
    for _ in range(40):
        rows = pace.rows(10_000)
        pace.drawn(rows, per_pixel * rows * rows * 16 / 9)
    exact = math.sqrt(0.08 / (per_pixel * 16 / 9))
    assert pace.rows(10_000) == pytest.approx(min(max(exact, 90), 4320), rel=0.02)
    assert pace.rows(100) <= 100


def test_one_slow_picture_does_not_decide() -> None:
    pace = Pace(0.08, rows=400)
    pace.drawn(400, 0.08)
    pace.drawn(400, 5.0)
    assert pace.rows(1000) > 200
