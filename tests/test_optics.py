"""The strength of real lenses, against the circle of confusion of the thin-lens equations."""

import math

import pytest
import torch

from recon.errors import UsageError
from recon.optics import camera_lens, thin_lens
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
