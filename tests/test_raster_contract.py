"""What every rasterizer owes: the images and gradients of the float64 reference."""

import pytest
import torch
from splat_scenes import (
    Case,
    camera,
    cloud,
    draw,
    oblique,
    smooth_pixels,
    thin_lens,
)

from recon.errors import ResourceError
from recon.raster.choose import FACTORIES
from recon.raster.interface import Rasterizer
from recon.raster.reference import ReferenceRasterizer

NAMES = ["reference", "native", pytest.param("gsplat", marks=pytest.mark.gpu)]

CASES = {
    "plain": Case(cloud(200), oblique()),
    "lens": Case(cloud(200, seed=1), oblique(), lens=thin_lens()),
    "small and many": Case(cloud(2000, sigma=0.02, seed=2), oblique(97, 61)),
    "opaque": Case(cloud(150, sigma=0.15, opacity_logit=5.0, seed=3), oblique()),
    "large": Case(cloud(60, sigma=0.8, opacity_logit=-1.0, seed=4), oblique()),
    "degree 0": Case(cloud(50, seed=5), camera(16, 16), sh_degree=0),
    "degree 1": Case(cloud(50, seed=6), camera(17, 31), sh_degree=1),
    "degree 2": Case(cloud(50, seed=7), camera(1, 40), sh_degree=2),
}


@pytest.fixture(params=NAMES)
def rasterizer(request: pytest.FixtureRequest) -> Rasterizer:
    try:
        return FACTORIES[request.param]()
    except ResourceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", CASES)
def test_images_and_gradients_are_those_of_the_reference(rasterizer: Rasterizer, name: str) -> None:
    case = CASES[name]
    smooth = smooth_pixels(case)
    assert smooth.float().mean() > 0.97
    truth = draw(ReferenceRasterizer(), case, torch.float64, smooth)
    drawn = draw(rasterizer, case, torch.float32, smooth)
    for key, image in truth.images.items():
        # Depths are of the order of 5: the limit is relative to that.
        unit = 5 if key.endswith("depth") else 1
        error = (drawn.images[key] - image)[smooth].abs().max() / unit
        assert error < 1e-5, (key, float(error))
    for key, gradient in truth.gradients.items():
        if gradient.norm() == 0:
            assert drawn.gradients[key].norm() == 0, key
            continue
        error = (drawn.gradients[key] - gradient).norm() / gradient.norm()
        assert error < 1e-4, (key, float(error))
    # Rounding up may tip over at an integer.
    assert (drawn.radii - truth.radii).abs().max() <= 1
