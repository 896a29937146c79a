"""Other programs' formulas, written out here from their sources, against our sigma = c / 4."""

import math

import pytest
import torch

from recon.errors import UsageError
from recon.gaussians import Gaussians
from recon.lens_exchange import (
    lens_of_spark,
    lens_of_splat_transform,
    spark_aperture_angle,
    splat_transform_f_stop,
)
from recon.optics import signed_coc, thin_lens
from recon.raster.reference import ReferenceRasterizer
from recon.types import Camera, ThinLens

DEPTHS = [0.5, 1.7, 2.5, 8.0, 300.0]
CAMERA = Camera(torch.eye(4), 420.0, 430.0, 200.0, 150.0, 400, 300)


def sigma(lens: ThinLens, z: float) -> float:
    return abs(float(signed_coc(torch.tensor(z), lens))) / 4


def sigma_in_spark(angle: float, focus: float, z: float) -> float:
    return abs(z - focus) / z * CAMERA.fx * math.tan(angle / 2)


def sigma_in_splat_transform(f_stop: float, focus: float, z: float, sensor: float) -> float:
    focal = CAMERA.fy * sensor / CAMERA.height
    return focal * CAMERA.fy / (f_stop * focus) * abs(1 - focus / z)


@pytest.mark.parametrize("z", DEPTHS)
def test_spark_widens_as_we_do(z):
    lens = thin_lens(30.0, 2.5)
    angle = spark_aperture_angle(lens, CAMERA)
    assert sigma_in_spark(angle, 2.5, z) == pytest.approx(sigma(lens, z), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("z", DEPTHS)
@pytest.mark.parametrize("sensor", [0.024, 0.0066])
def test_splat_transform_widens_as_we_do(z, sensor):
    lens = thin_lens(30.0, 2.5)
    f_stop = splat_transform_f_stop(lens, CAMERA, sensor)
    widened = sigma_in_splat_transform(f_stop, 2.5, z, sensor)
    assert widened == pytest.approx(sigma(lens, z), rel=1e-5, abs=1e-5)


def test_lenses_come_back_and_draw_the_same_picture():
    lens = thin_lens(40.0, 2.0)
    spark = lens_of_spark(spark_aperture_angle(lens, CAMERA), 2.0, CAMERA)
    splat_transform = lens_of_splat_transform(splat_transform_f_stop(lens, CAMERA), 2.0, CAMERA)
    generator = torch.Generator().manual_seed(0)
    gaussians = Gaussians(
        means=torch.rand(30, 3, generator=generator) * 2 + torch.tensor([-1.0, -1.0, 1.0]),
        quaternions=torch.randn(30, 4, generator=generator),
        log_scales=torch.full((30, 3), -3.0),
        opacity_logits=torch.zeros(30),
        sh_base=torch.randn(30, 1, 3, generator=generator),
        sh_rest=torch.zeros(30, 15, 3),
    )
    small = Camera(torch.eye(4), 42.0, 42.0, 20.0, 15.0, 40, 30)
    first, *others = (
        ReferenceRasterizer().render(gaussians, small, lens=each).color
        for each in (lens, spark, splat_transform)
    )
    sharp = ReferenceRasterizer().render(gaussians, small).color
    assert (first - sharp).abs().max() > 0.1
    for other in others:
        torch.testing.assert_close(other, first, atol=1e-5, rtol=0)


def test_focus_at_infinity():
    lens = thin_lens(30.0, math.inf)
    with pytest.raises(UsageError, match="infinity"):
        spark_aperture_angle(lens, CAMERA)
    # splat-transform's formula at a far focus tends to ours at infinity.
    f_stop = splat_transform_f_stop(lens, CAMERA)
    assert sigma_in_splat_transform(f_stop, 1e6, 3.0, 0.024) == pytest.approx(2.5, rel=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda: spark_aperture_angle(thin_lens(0.0, 2.0), CAMERA),
        lambda: splat_transform_f_stop(thin_lens(0.0, 2.0), CAMERA),
        lambda: splat_transform_f_stop(thin_lens(1.0, 2.0), CAMERA, 0.0),
        lambda: lens_of_spark(math.pi, 2.0, CAMERA),
        lambda: lens_of_spark(0.1, 0.0, CAMERA),
        lambda: lens_of_splat_transform(0.0, 2.0, CAMERA),
        lambda: lens_of_splat_transform(2.0, 2.0, CAMERA, -1.0),
        lambda: lens_of_splat_transform(2.0, 0.0, CAMERA),
    ],
)
def test_impossible_lenses_are_refused(call):
    with pytest.raises(UsageError, match="expected"):
        call()
