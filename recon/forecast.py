"""How long a fit will take, and how much memory, before it begins."""

import statistics
import time
from dataclasses import dataclass

import torch

from recon.config import FitSettings
from recon.errors import ResourceError
from recon.gaussians import Gaussians
from recon.inspect import Forecast
from recon.memory import available_memory_bytes, memory_bytes
from recon.raster.interface import Rasterizer
from recon.types import Camera
from recon.workload import Workload

BYTES_PER_GAUSSIAN = 3_400
"""Measured on whole fits: 59 values with gradient and two moments, and the copies made of them
while Gaussians are added."""
BYTES_PER_PIXEL = 200
"""Image, gradients and the loss's planes, and what scoring takes."""
BASE_BYTES = 400 * 2**20
"""Python, torch and the other libraries."""
MASK_BYTES, PRIOR_BYTES = 1, 8
"""Beside three bytes of colour, of each pixel that is kept: what moves or is sky, and a prior."""
BYTES_PER_SWEPT_VIEW = 200 * 2**10
"""Depths of LiDAR returns in a photo, for supervision."""
DRIVE_BYTES = 300 * 2**20
"""A row group of photos and one of range images, and the points of a sweep."""
AVERAGE_COUNT = 0.75
"""Mean number of Gaussians over a fit, as a share of its cap."""
SLOWER_THAN_TRIAL = 1.5
"""A step of a real fit against the same counts in the trial's scene."""

# gsplat's published evaluation on Mip-NeRF 360 (its documentation, tests/eval: seven scenes, 30,000
# steps, on an NVIDIA TITAN RTX): 1,422 to 3,013 s, 2.2 to 10.6 GB, 1.2 to 6.3 million Gaussians,
# photos of 1.0 to 1.6 megapixels. These fit its times within 15 % and its memory within 3 %.
GPU = "TITAN RTX, after gsplat's published evaluation"
GPU_SECONDS_PER_PIXEL = 24e-9
GPU_SECONDS_PER_GAUSSIAN = 16e-9
"""Of a step, per Gaussian on average over the fit."""
GPU_BASE_BYTES = 220 * 10**6
GPU_BYTES_PER_GAUSSIAN = 1_660


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Says what a fit takes here, and on a GPU; right to a factor of two."""

    settings: FitSettings
    """Resolved."""
    seconds_per_pixel: float
    """Of a step here."""
    seconds_per_gaussian: float

    @staticmethod
    def here(settings: FitSettings, rasterizer: Rasterizer) -> "Forecaster":
        """Time two small scenes on this machine."""
        small = 320 * 240
        per_pixel = _step_seconds(rasterizer, 2_000, 320, 240) / small
        both = _step_seconds(rasterizer, 20_000, 320, 240)
        per_gaussian = max(both - per_pixel * small, 0.0) / 18_000
        return Forecaster(settings, SLOWER_THAN_TRIAL * per_pixel, SLOWER_THAN_TRIAL * per_gaussian)

    def __call__(self, work: Workload) -> Forecast:
        """Forecast a fit; a step costs a * pixels + b * Gaussians."""
        cap, budget = self.settings.cap, self.settings.budget
        count = max(AVERAGE_COUNT * cap, min(work.points, cap))
        here = self.seconds_per_pixel * work.pixels + self.seconds_per_gaussian * count
        gpu = GPU_SECONDS_PER_PIXEL * work.pixels + GPU_SECONDS_PER_GAUSSIAN * count
        most = float("inf") if budget.minutes is None else 60 * budget.minutes
        return Forecast(
            size=f"{work.width}x{work.height}",
            memory_bytes=needed_bytes(self.settings, work),
            seconds=min(budget.steps * here, most),
            gpu_memory_bytes=gpu_needed_bytes(self.settings),
            gpu_seconds=min(budget.steps * gpu, most),
            gpu=GPU,
        )


def needed_bytes(settings: FitSettings, work: Workload) -> int:
    """Return how much memory a fit on the CPU takes, photos as far as they are kept."""
    per_pixel = 3 + MASK_BYTES * work.drive + PRIOR_BYTES * (settings.prior.model != "none")
    photos = min(per_pixel * work.all_pixels, settings.memory.photo_bytes())
    gaussians = BYTES_PER_GAUSSIAN * settings.cap
    swept = BYTES_PER_SWEPT_VIEW * work.swept if settings.supervision.lidar.weight > 0 else 0
    drive = DRIVE_BYTES if work.drive else 0
    return BASE_BYTES + photos + BYTES_PER_PIXEL * work.pixels + gaussians + swept + drive


def gpu_needed_bytes(settings: FitSettings) -> int:
    """Return how much of its own memory a GPU needs for a fit, roughly."""
    return GPU_BASE_BYTES + GPU_BYTES_PER_GAUSSIAN * settings.cap


def check_memory(settings: FitSettings, work: Workload, device: torch.device) -> None:
    """Refuse a fit that is forecast not to fit into memory, unless the user wants it regardless.

    Args:
        settings: resolved.
        work: of its capture.
        device: that renders.

    Raises:
        ResourceError: names what is needed, what is there, and what to lower.
    """
    if settings.memory.regardless:
        return
    needed, free, where = needed_bytes(settings, work), available_memory_bytes(), "memory"
    free += memory_bytes()
    if device.type == "cuda":
        needed -= BYTES_PER_GAUSSIAN * settings.cap
        on_gpu, left = gpu_needed_bytes(settings), torch.cuda.mem_get_info(device)[0]
        if on_gpu > left:
            needed, free, where = on_gpu, left, "memory on the GPU"
    if needed <= free:
        return
    drive = ", or fewer --drive.cameras or --drive.frames" if work.drive else ""
    raise ResourceError(
        f"this fit needs about {needed / 2**30:.1f} GiB of {where}, and {free / 2**30:.1f} GiB are "
        f"free. Lower --max-gaussians ({settings.cap:,}), raise --downscale, lower "
        f"--memory.photos{drive}; or begin regardless with --memory.regardless."
    )


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
