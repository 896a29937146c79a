"""What a fit compares with photos out of focus, against the same scene behind many pinholes."""

from dataclasses import replace

import numpy as np
import torch
from test_photo_lens import CAMERA, small_dots

from recon.optics import thin_lens
from recon.raster.reference import ReferenceRasterizer
from recon.srgb import to_linear, to_srgb
from recon.through_lens import through_lens
from recon.types import Camera


def shifted(camera: Camera, x: float, y: float, focus: float) -> Camera:
    """Return the pinhole at a point of the aperture, whose picture agrees at the plane of focus."""
    world_to_camera = camera.world_to_camera.clone()
    world_to_camera[0, 3] -= x
    world_to_camera[1, 3] -= y
    cx = camera.cx + camera.fx * x / focus
    cy = camera.cy + camera.fy * y / focus
    return replace(camera, world_to_camera=world_to_camera, cx=cx, cy=cy)


def aperture(diameter: float, rings: int) -> list[tuple[float, float]]:
    """Return points spread evenly over a disc."""
    golden, count = np.pi * (3 - np.sqrt(5)), rings
    radius = diameter / 2 * np.sqrt((np.arange(count) + 0.5) / count)
    angle = golden * np.arange(count)
    return list(zip(radius * np.cos(angle), radius * np.sin(angle), strict=True))


def test_it_is_the_mean_of_pinholes_across_the_aperture() -> None:
    rasterizer, dots = ReferenceRasterizer(), small_dots()
    diameter, focus = 0.06, 3.0
    with torch.no_grad():
        sharp = rasterizer.render(dots, CAMERA)
        views = [
            to_linear(rasterizer.render(dots, shifted(CAMERA, x, y, focus)).color.clamp(0, 1))
            for x, y in aperture(diameter, 64)
        ]
        truth = to_srgb(torch.stack(views).mean(0))
        seen = through_lens(sharp, thin_lens(diameter * CAMERA.fx, focus)).color
    error = float((seen - truth).square().mean())
    untouched = float((sharp.color - truth).square().mean())
    assert error < 0.25 * untouched
    assert -10 * np.log10(error) > 28


def test_depth_and_lens_learn_from_it() -> None:
    rasterizer, dots = ReferenceRasterizer(), small_dots()
    lens = thin_lens(0.06 * CAMERA.fx, 3.0)
    lens.strength.requires_grad_()
    lens.inverse_focus.requires_grad_()
    sharp = rasterizer.render(dots, CAMERA)
    depth = sharp.expected_depth.detach().requires_grad_()
    seen = through_lens(replace(sharp, expected_depth=depth), lens)
    seen.color.square().sum().backward()  # type: ignore[no-untyped-call]
    for tensor in (depth, lens.strength, lens.inverse_focus):
        assert tensor.grad is not None
        assert float(tensor.grad.abs().sum()) > 0
    assert seen.expected_depth is depth
