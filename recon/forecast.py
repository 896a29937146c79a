"""How long a fit will take on this machine, and how much memory, before it begins."""

import statistics
import time
from dataclasses import dataclass

import torch

from recon.config import FitSettings
from recon.gaussians import Gaussians
from recon.inspect import Forecast
from recon.raster.interface import Rasterizer
from recon.types import Camera

BYTES_PER_GAUSSIAN = 3_200
"""Measured on whole fits: 59 values with gradient and two moments, and the copies made of them
while Gaussians are added."""
BYTES_PER_PIXEL = 200
"""Image, gradients and the loss's planes."""
BASE_BYTES = 400 * 2**20
"""Python, torch and the other libraries."""
AVERAGE_COUNT = 0.75
"""Mean number of Gaussians over a fit, as a share of its cap."""
SLOWER_THAN_TRIAL = 1.5
"""A step of a real fit against the same counts in the trial's scene."""


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Times two small scenes here, and scales to a capture's pixels and a fit's Gaussians."""

    settings: FitSettings
    """Resolved."""
    rasterizer: Rasterizer
    train_views: int

    def __call__(self, pixels: int, begin: int) -> Forecast:
        """Guess what a fit takes; right to a factor of two.

        A step costs a + b * pixels + c * Gaussians.

        Args:
            pixels: of a view.
            begin: Gaussians at the beginning; 0 where the capture brings no points.
        """
        cap, budget = self.settings.cap, self.settings.budget
        small = 320 * 240
        per_pixel = _step_seconds(self.rasterizer, 2_000, 320, 240) / small
        both = _step_seconds(self.rasterizer, 20_000, 320, 240)
        per_gaussian = max(both - per_pixel * small, 0.0) / 18_000
        count = max(AVERAGE_COUNT * cap, min(begin, cap))
        step = SLOWER_THAN_TRIAL * (per_pixel * pixels + per_gaussian * count)
        seconds = step * budget.steps
        if budget.minutes is not None:
            seconds = min(seconds, 60 * budget.minutes)
        photos = 3 * pixels * self.train_views
        memory = BASE_BYTES + photos + BYTES_PER_PIXEL * pixels + BYTES_PER_GAUSSIAN * cap
        return Forecast(memory_bytes=int(memory), seconds=seconds)


def _step_seconds(rasterizer: Rasterizer, count: int, width: int, height: int) -> float:
    """Take the median time of a forward and a backward pass over a random scene."""
    generator = torch.Generator().manual_seed(0)
    z = 2 + 8 * torch.rand(count, generator=generator)
    spread = torch.rand(count, 2, generator=generator) - 0.5
    scene = Gaussians(
        means=torch.cat([spread * z[:, None], z[:, None]], -1),
        quaternions=torch.randn(count, 4, generator=generator),
        log_scales=(z * 3 / width).log()[:, None].repeat(1, 3),
        opacity_logits=torch.randn(count, generator=generator),
        sh_base=torch.randn(count, 1, 3, generator=generator),
        sh_rest=torch.zeros(count, 15, 3),
    )
    scene = scene.to(rasterizer.device).trainable()
    camera = Camera(torch.eye(4), 0.9 * width, 0.9 * width, width / 2, height / 2, width, height)
    times = []
    for _ in range(4):
        began = time.perf_counter()
        torch.autograd.backward(rasterizer.render(scene, camera).color.mean())
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])
