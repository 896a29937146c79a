"""A photo on a canvas: what is read back lies where it was put, in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from priors_made import camera

from recon.types import Camera
from recon.window import Window, inside

SIZES = st.integers(5, 60)


def ramp(window: Window, rows: int, columns: int, phase: float) -> np.ndarray:
    """Return a grid over the canvas of 3x + 2y, at the place that the phase gives each cell."""
    x = (np.arange(columns) + phase) * window.canvas_width / columns
    y = (np.arange(rows) + phase) * window.canvas_height / rows
    return (3 * x + 2 * y[:, None]).astype(np.float32)


@given(SIZES, SIZES, SIZES, SIZES, st.sampled_from([0.0, 0.5]))
def test_what_is_read_lies_where_the_photo_is(
    width: int, height: int, across: int, down: int, phase: float
) -> None:
    window = Window.fitted(width, height, across, down)
    read = window.read(ramp(window, 4 * down, 4 * across, phase), phase)
    # The photo covers [left, left + inner] of the canvas, and so the centres of its pixels lie:
    x = window.left + (np.arange(width) + 0.5) * window.inner_width / width
    y = window.top + (np.arange(height) + 0.5) * window.inner_height / height
    # The grid says nothing beyond the places of its first and last values.
    first, last = phase / 4, (phase - 1) / 4
    exact = 3 * x.clip(first, across + last) + 2 * y.clip(first, down + last)[:, None]
    np.testing.assert_allclose(read, exact, atol=1e-3)
    assert window.seen().all()


@given(SIZES, SIZES, SIZES, SIZES)
def test_a_fitted_photo_touches_the_canvas_and_keeps_its_aspect(
    width: int, height: int, across: int, down: int
) -> None:
    window = Window.fitted(width, height, across, down)
    assert 0 <= window.left <= across - window.inner_width
    assert 0 <= window.top <= down - window.inner_height
    assert window.inner_width == across or window.inner_height == down
    ideal = min(across / width, down / height)
    assert abs(window.inner_width - max(1, ideal * width)) <= 0.5 + 1e-9
    assert abs(window.inner_height - max(1, ideal * height)) <= 0.5 + 1e-9


@given(st.floats(20, 300), st.floats(-5, 5), st.floats(-5, 5), SIZES, SIZES)
def test_a_canonical_photo_shows_rays_where_the_trained_camera_saw_them(
    focal: float, shift_x: float, shift_y: float, width: int, height: int
) -> None:
    trained = camera(40, 30, 50.0)
    taken = Camera(
        torch.eye(4), focal, 1.1 * focal, width / 2 + shift_x, height / 2 + shift_y, width, height
    )
    window = Window.canonical(taken, trained)
    across, _ = window.scales
    # The resized photo has a whole number of pixels; the focal lengths agree but for that.
    ideal = max(1, width * trained.fx / focal)
    assert abs(window.inner_width - ideal) <= 0.5 + 1e-9
    covers = window.left <= 0 and window.left + window.inner_width >= trained.width
    contained = window.left >= 0 and window.left + window.inner_width <= trained.width
    assert covers or contained
    aligned = abs(window.left + taken.cx * across - trained.cx) <= 0.5 + 1e-9
    at_an_end = window.left == 0 or window.left + window.inner_width == trained.width
    assert aligned or at_an_end


def test_mirroring_goes_on_and_on() -> None:
    pixels = np.arange(3, dtype=np.uint8)[None, :, None].repeat(2, 0).repeat(3, 2)
    window = Window(3, 2, 3, 2, left=5, top=1, canvas_width=14, canvas_height=5)
    # Column 5 shows the photo's column 0; the mirror image is the one that numpy's padding makes.
    expected = np.pad(np.arange(3), (5, 6), mode="symmetric")
    canvas = window.mirrored(pixels)
    np.testing.assert_array_equal(canvas[..., 0], np.tile(expected, (5, 1)))


def test_filling_surrounds_the_photo_with_one_colour() -> None:
    pixels = np.full((2, 3, 3), 9, np.uint8)
    canvas = Window(3, 2, 3, 2, left=1, top=2, canvas_width=5, canvas_height=6).filled(
        pixels, (1.0, 2.0, 3.0)
    )
    expected = np.tile(np.array([1.0, 2.0, 3.0]), (6, 5, 1))
    expected[2:4, 1:4] = 9
    np.testing.assert_array_equal(canvas, expected)


@pytest.mark.parametrize("left", [-7, 2])
def test_what_is_off_the_canvas_is_not_seen(left: int) -> None:
    window = Window(10, 4, 20, 8, left=left, top=0, canvas_width=18, canvas_height=8)
    x = left + 2 * (np.arange(10) + 0.5)
    seen = window.seen((3, 1, 2, 0))
    np.testing.assert_array_equal(seen.any(0), (x >= 3) & (x <= 16))
    np.testing.assert_array_equal(seen.any(1), np.array([1, 3, 5, 7]) >= 1)


def test_inside_leaves_out_the_margins() -> None:
    mask = inside((1, 2, 3, 0), 6, 4)
    expected = np.zeros((4, 6), bool)
    expected[2:, 1:3] = True
    np.testing.assert_array_equal(mask, expected)
