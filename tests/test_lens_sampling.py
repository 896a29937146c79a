"""Widened Gaussians against a lens that is sampled: the mean of pinholes spread over it."""

import math
from dataclasses import replace

import pytest
import torch
from splat_scenes import camera, cloud
from torch import Tensor

from recon.optics import thin_lens

pytestmark = pytest.mark.usefixtures("one_thread")


def decibels(ours: Tensor, truth: Tensor) -> float:
    return -10 * math.log10(float((ours.clamp(0, 1) - truth).square().mean()))


@pytest.mark.parametrize(("shape", "least"), [("gaussian", 35.0), ("disc", 30.0)])
def test_a_lens_is_the_mean_over_pinholes_across_it(shape, least):
    """Moved pinholes are sheared so that the plane of focus stays in place."""
    native = pytest.importorskip("recon.raster.native", reason="no native core")
    rasterizer, scene = native.NativeRasterizer(), cloud(600, sigma=0.03).to(torch.float32)
    view, strength, inverse_focus = camera(120, 90, 140.0), 24.0, 0.3
    u = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(256)
    if shape == "gaussian":
        places = math.sqrt(2) * torch.erfinv((2 * u - 1).clamp(-1 + 1e-6, 1 - 1e-6))
        places = places * strength / (4 * view.fx)
    else:
        angle = 2 * math.pi * u[:, 1:]
        places = u[:, :1].sqrt() * torch.cat([angle.cos(), angle.sin()], 1)
        places = places * strength / (2 * view.fx)
    mean = torch.zeros(90, 120, 3)
    for x, y in places.tolist():
        pose = view.world_to_camera.clone()
        pose[:2, 3] -= torch.tensor([x, y], dtype=pose.dtype)
        cx, cy = view.cx + view.fx * x * inverse_focus, view.cy + view.fy * y * inverse_focus
        moved = replace(view, world_to_camera=pose, cx=cx, cy=cy)
        mean += rasterizer.render(scene, moved).color.detach().clamp(0, 1) / len(places)
    lens = thin_lens(strength, 1 / inverse_focus)
    ours = rasterizer.render(scene, view, lens=lens).color.detach()
    sharp = rasterizer.render(scene, view).color.detach()
    assert decibels(ours, mean) > least
    assert decibels(sharp, mean) < 28
