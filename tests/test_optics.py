"""The strength of real lenses, against the circle of confusion of the thin-lens equations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recon.errors import UsageError
from recon.optics import (
    camera_lens,
    f_number_of,
    hyperfocal_distance,
    photographic_lens,
    sharp_range,
    signed_coc,
    thin_lens,
)
from recon.types import Camera, ThinLens


def camera(fx: float, width: int) -> Camera:
    return Camera(torch.eye(4), fx, fx, width / 2, 200.0, width, 400)


def circle(lens: ThinLens, z: float) -> float:
    return float(lens.strength * (lens.inverse_focus - 1 / z).abs())


@pytest.mark.parametrize("z", [0.8, 2.0, 5.0, 100.0])
def test_a_50_mm_lens_at_f_1_8_focused_at_2_m(z):
    focal, aperture, focus = 0.05, 0.05 / 1.8, 2.0
    to_sensor = 1 / (1 / focal - 1 / focus)
    image_of_point = 1 / (1 / focal - 1 / z)
    # Similar triangles behind the lens give the disc on the sensor.
    on_sensor = aperture * abs(to_sensor - image_of_point) / image_of_point
    pixels_per_metre = 6000 / 0.036
    lens = camera_lens(camera(to_sensor * pixels_per_metre, 6000), 1.8, focus)
    assert circle(lens, z) == pytest.approx(on_sensor * pixels_per_metre, rel=1e-5, abs=1e-3)


def test_focus_at_infinity_is_the_simple_formula():
    lens = camera_lens(camera(1000.0, 1000), 2.0, math.inf, sensor_width_mm=20.0)
    assert float(lens.inverse_focus) == 0
    assert circle(lens, 4.0) == pytest.approx(0.020 / 2 * 1000 / 4)


def test_a_smaller_sensor_of_the_same_view_blurs_less():
    full, phone = (camera_lens(camera(1000.0, 1000), 2.0, 3.0, width) for width in (36.0, 6.0))
    assert float(full.strength) == pytest.approx(6 * float(phone.strength), rel=0.02)


def test_strength_and_focus_are_taken_as_they_are():
    lens = thin_lens(20.0, 4.0)
    assert (float(lens.strength), float(lens.inverse_focus)) == (20.0, 0.25)
    assert circle(thin_lens(0.0, 1.0), 5.0) == 0


@pytest.mark.parametrize(
    ("strength", "focus"), [(-1.0, 1.0), (1.0, 0.0), (1.0, -2.0), (math.nan, 1.0), (1.0, math.nan)]
)
def test_impossible_lenses_are_refused(strength, focus):
    with pytest.raises(UsageError, match="expected"):
        thin_lens(strength, focus)


@pytest.mark.parametrize(("f_number", "focus"), [(0.0, 1.0), (-2.0, 1.0), (2.0, 0.0), (2.0, -1.0)])
def test_impossible_settings_are_refused(f_number, focus):
    with pytest.raises(UsageError, match="expected"):
        camera_lens(camera(1000.0, 1000), f_number, focus)


@pytest.mark.parametrize(("strength", "sensor"), [(20.0, 0.0), (20.0, math.nan), (0.0, 36.0)])
def test_lenses_without_an_f_number_are_refused(strength, sensor):
    with pytest.raises(UsageError, match="expected"):
        f_number_of(thin_lens(strength, 2.0), camera(1000.0, 1000), sensor)


@pytest.mark.parametrize("focus", [0.7, 5.0, math.inf])
def test_the_f_number_is_that_of_the_camera_lens(focus):
    lens = camera_lens(camera(900.0, 1200), 2.8, focus, sensor_width_mm=23.5)
    assert f_number_of(lens, camera(900.0, 1200), 23.5) == pytest.approx(2.8, rel=1e-6)


@pytest.mark.parametrize("z", [0.4, 2.0, 9.0, math.inf])
def test_exif_gives_the_textbook_circle_of_confusion(z):
    """c = f²/N |z - s| / (z (s - f)): the paper's equation (1), and every textbook's."""
    f, n, s, pixels_per_mm = 85.0, 1.4, 1500.0, 4000 / 36
    share = 1.0 if math.isinf(z) else abs(1000 * z - s) / (1000 * z)
    on_sensor = f**2 / n * share / (s - f)
    lens = photographic_lens(n, f, s / 1000, 36.0, 4000)
    coc = signed_coc(torch.tensor(z), lens)
    assert abs(float(coc)) == pytest.approx(on_sensor * pixels_per_mm, rel=1e-5)


def test_exif_and_calibration_agree():
    """A camera whose sensor stands where the focused lens of EXIF puts it."""
    to_sensor = 1 / (1 / 50 - 1 / 3000)
    calibrated = camera_lens(camera(to_sensor / 36 * 1000, 1000), 2.0, 3.0)
    exif = photographic_lens(2.0, 50.0, 3.0, 36.0, 1000)
    assert float(exif.strength) == pytest.approx(float(calibrated.strength), rel=1e-5)


@pytest.mark.parametrize(
    "numbers",
    [
        (0.0, 50.0, 2.0, 36.0, 1000),
        (math.inf, 50.0, 2.0, 36.0, 1000),
        (2.0, 50.0, 0.05, 36.0, 1000),
        (2.0, 50.0, 0.01, 36.0, 1000),
        (2.0, 50.0, -1.0, 36.0, 1000),
        (2.0, 50.0, math.nan, 36.0, 1000),
        (2.0, 0.0, 2.0, 36.0, 1000),
        (2.0, 50.0, 2.0, -36.0, 1000),
        (2.0, 50.0, 2.0, 36.0, 0),
    ],
)
def test_impossible_photographs_are_refused(numbers):
    with pytest.raises(UsageError, match="expected"):
        photographic_lens(*numbers)


def test_circles_of_confusion_are_negative_before_the_focus_and_positive_behind():
    lens, depth = thin_lens(12.0, 3.0), torch.tensor([1.0, 3.0, 12.0])
    torch.testing.assert_close(signed_coc(depth, lens), torch.tensor([-8.0, 0.0, 3.0]))


def test_unknown_depth_has_no_blur_and_no_gradient():
    bad = [0.0, -1.0, math.nan, -math.inf, 1e-30, math.inf]
    depth = torch.tensor([*bad, 2.0], requires_grad=True)
    strength, focus = (torch.tensor(v, requires_grad=True) for v in (10.0, 0.25))
    coc = signed_coc(depth, ThinLens(strength, focus))
    torch.testing.assert_close(coc.detach(), torch.tensor([0.0] * 5 + [2.5, -2.5]))
    coc.sum().backward()
    torch.testing.assert_close(depth.grad, torch.tensor([0.0] * 6 + [2.5]))
    # Sky and the last depth: K (1/s - 0) and K (1/s - 1/2).
    torch.testing.assert_close(strength.grad, torch.tensor(0.0))
    torch.testing.assert_close(focus.grad, torch.tensor(20.0))


@given(
    strength=st.floats(0.1, 300),
    focus=st.floats(0.2, 1e4) | st.just(math.inf),
    bound=st.floats(0.05, 20),
)
def test_the_sharp_range_ends_where_blur_reaches_its_bound(strength, focus, bound):
    lens = thin_lens(strength, focus)
    near, far = sharp_range(lens, bound)
    assert near < focus < far or math.isinf(focus)
    strength, inverse_focus = float(lens.strength), float(lens.inverse_focus)
    for z in (near, far):
        blur = strength * abs(inverse_focus - 1 / z)
        if math.isfinite(z):
            assert blur == pytest.approx(bound, rel=1e-6, abs=1e-9 * strength)
        else:
            assert blur <= bound * (1 + 1e-6)


def test_focused_at_the_hyperfocal_distance_all_is_sharp_from_half_of_it():
    f, n, bound, pixels_per_mm = 35.0, 8.0, 3.0, 6000 / 36
    textbook = (f**2 / (n * bound / pixels_per_mm) + f) / 1000
    lens = photographic_lens(n, f, textbook, 36.0, 6000)
    assert hyperfocal_distance(lens, bound) == pytest.approx(textbook, rel=1e-6)
    near, far = sharp_range(lens, bound * (1 + 1e-6))
    assert near == pytest.approx(textbook / 2, rel=1e-5)
    assert math.isinf(far)


def test_a_pinhole_is_sharp_everywhere():
    assert sharp_range(thin_lens(0.0, 2.0), 0.1) == (0.0, math.inf)
    assert hyperfocal_distance(thin_lens(0.0, 2.0), 0.1) == 0


@pytest.mark.parametrize("bound", [0.0, -1.0, math.nan])
def test_sharpness_needs_a_bound(bound):
    for function in (sharp_range, hyperfocal_distance):
        with pytest.raises(UsageError, match="expected"):
            function(thin_lens(10.0, 2.0), bound)
