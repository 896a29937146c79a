"""Hold defocus to lenses that are sampled ray by ray, and time it.

    python benchmarks/defocus.py --what image
    python benchmarks/defocus.py --what splats --run RUN
    python benchmarks/defocus.py --what time

The operator is held to Mitsuba's thin lens, which needs the extra `synthetic`; widened Gaussians
are held to the mean over many pinholes; and the operator is timed beside a plain step of a fit.

Photos are of another street than the one that the operator
was made with. Away from edges means farther than seven pixels from a jump of more than one pixel
in circles of confusion.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

from recon.core import HAS_CORE, MISSING  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import cv2
import iteration
import numpy as np
import tyro
from torch import Tensor

from recon.commands.capture import newest, rasterizer_for, reopen, scene_at
from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import drive, focal_length, near_detail
from recon.defocus import blur, defocus
from recon.gaussians import Gaussians
from recon.optics import signed_coc, thin_lens
from recon.raster.interface import Rasterizer
from recon.run import Run
from recon.srgb import to_srgb
from recon.types import Camera

LARGEST = 15.0
"""px of circle of confusion, in images 480 wide."""
PHOTOS = ("002_front", "009_left", "020_right")
LENS_POSITIONS = 256
"""Of the sampled lens; the operator's truth has as many rays per pixel."""


@dataclass(frozen=True)
class Settings:
    """Hold defocus to lenses that are sampled ray by ray, and time it."""

    what: Literal["image", "splats", "time"] = "image"
    run: Path | None = None
    """For splats: a finished fit."""
    seed: int = 1
    """For image: of the street."""
    rounds: int = 15
    """For time."""


def image_rows(seed: int) -> Iterator[dict[str, Any]]:
    """Blur sharp renders by exact depth, and compare with renders through the lens."""
    pinhole = Pinhole(focal_length(480), 480, 320)
    renderer = Renderer(street(seed, near_detail(480)), 16)
    poses = {pose.name: pose.camera_to_world for pose in drive(24)}
    for name in PHOTOS:
        depth = renderer.depth(poses[name], pinhole)
        sharp = torch.from_numpy(renderer.color(poses[name], pinhole, 1, finer=4))
        near = float(np.percentile(depth[np.isfinite(depth)], 0.5))
        for focus in (1.3 * near, 7.0, 1e4):
            strength = LARGEST / max(abs(1 / focus - 1 / near), 1 / focus)
            aperture = Aperture(focus, strength / pinhole.focal_length)
            truth = renderer.color(poses[name], pinhole, 2, aperture, finer=4)
            lens = thin_lens(strength, focus)
            ours = defocus(sharp, torch.from_numpy(depth).float(), lens, encoded=False)
            error = (shown(ours) - shown(torch.from_numpy(truth))).square().mean(-1)
            coc = signed_coc(torch.from_numpy(depth).float(), lens).numpy()
            jump = cv2.dilate(coc, np.ones((3, 3))) - cv2.erode(coc, np.ones((3, 3))) > 1
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
            away = torch.from_numpy(cv2.dilate(jump.astype(np.uint8), disc) == 0)
            yield {
                "photo": name,
                "focus": round(focus, 1),
                "coc": [round(float(coc.min()), 1), round(float(coc.max()), 1)],
                "psnr": decibels(error),
                "psnr_away_from_edges": decibels(error[away]),
                "psnr_at_edges": decibels(error[~away]),
                "psnr_without_blur": decibels(
                    (shown(sharp) - shown(torch.from_numpy(truth))).square()
                ),
            }


def splat_rows(run: Path) -> Iterator[dict[str, Any]]:
    """Draw a scene through the lens at once, and as the mean over pinholes across the lens."""
    settings, capture = reopen(Run(run), None)
    rasterizer = rasterizer_for(settings.backend)
    gaussians = scene_at(Run(run), settings, capture, newest(Run(run)), rasterizer).gaussians
    for view in capture.test[:6:2]:
        render = rasterizer.render(gaussians, view.camera)
        depth = render.expected_depth[render.alpha > 0.5]
        near, far = (float(depth.quantile(q)) for q in (0.02, 0.98))
        for focus in (1.5 * near, 1e6):
            strength = 12 / max(abs(1 / focus - 1 / near), abs(1 / focus - 1 / far))
            lens = thin_lens(strength, focus)
            ours = rasterizer.render(gaussians, view.camera, lens=lens).color.clamp(0, 1)
            row: dict[str, Any] = {"view": view.name, "focus": round(focus, 1)}
            for shape in ("gaussian", "disc"):
                mean = sampled(rasterizer, gaussians, view.camera, strength, focus, shape)
                row[f"psnr_{shape}"] = decibels((ours - mean).square())
            yield row


@torch.no_grad()
def sampled(
    rasterizer: Rasterizer,
    gaussians: Gaussians,
    camera: Camera,
    strength: float,
    focus: float,
    shape: str,
) -> Tensor:
    """Return the mean over pinholes spread over the lens, all of which see the focus in place."""
    u = torch.quasirandom.SobolEngine(2, scramble=True, seed=0).draw(LENS_POSITIONS)
    if shape == "gaussian":
        normal = math.sqrt(2) * torch.erfinv((2 * u - 1).clamp(-1 + 1e-6, 1 - 1e-6))
        places = normal * strength / (4 * camera.fx)
    else:
        radius = u[:, :1].sqrt() * strength / (2 * camera.fx)
        angle = 2 * math.pi * u[:, 1:]
        places = radius * torch.cat([angle.cos(), angle.sin()], 1)
    total = torch.zeros(camera.height, camera.width, 3)
    for x, y in places.tolist():
        pose = camera.world_to_camera.clone()
        pose[:2, 3] -= torch.tensor([x, y], dtype=pose.dtype)
        cx, cy = camera.cx + camera.fx * x / focus, camera.cy + camera.fy * y / focus
        moved = replace(camera, world_to_camera=pose, cx=cx, cy=cy)
        total += rasterizer.render(gaussians, moved).color.clamp(0, 1)
    return total / LENS_POSITIONS


def times(rounds: int) -> dict[str, float]:
    """Time the operator with its gradients beside a plain step with 100k Gaussians, in turn."""
    step = iteration.prepare(iteration.Settings(gaussians=100_000, width=480, height=320))["step"]
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(320, 480, 3, generator=generator).requires_grad_()
    # A road to the horizon, with things standing on it; and the worst case, noise.
    surfaces = torch.linspace(-LARGEST, LARGEST, 480).expand(320, 480).clone()
    surfaces[80:240, 60:110] = -LARGEST
    surfaces[100:200, 300:420] = 3.0
    noise = surfaces + torch.randn(320, 480, generator=generator)

    def through(coc: Tensor) -> Callable[[], object]:
        coc.requires_grad_()
        return lambda: torch.autograd.grad(blur(image, coc).square().mean(), [image, coc])

    calls = {"surfaces": through(surfaces), "noise": through(noise), "step": step}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for round_ in range(-2, rounds):
        for name, call in calls.items():
            seconds = timed(call)
            if round_ >= 0:
                taken[name].append(seconds)
    found = {f"{name}_ms": 1e3 * median(values) for name, values in taken.items()}
    for name in ("surfaces", "noise"):
        ratios = [a / b for a, b in zip(taken[name], taken["step"], strict=True)]
        found[f"{name}_to_step"] = median(ratios)
    return found


def timed(call: Callable[[], Any]) -> float:
    """Return the seconds of one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def shown(light: Tensor) -> Tensor:
    """Return linear light as a screen shows it."""
    return to_srgb(light).clamp(0, 1)


def decibels(squares: Tensor) -> float:
    """Return the PSNR of squared errors."""
    return round(-10 * math.log10(float(squares.detach().mean())), 2)


def main(settings: Settings) -> None:
    """Measure, and print a JSON object a line."""
    if not HAS_CORE:
        raise SystemExit(MISSING)
    if settings.what == "time":
        print(json.dumps(times(settings.rounds)))
        return
    if settings.what == "splats" and settings.run is None:
        raise SystemExit("--what splats needs --run, the folder of a finished fit.")
    rows = image_rows(settings.seed)
    if settings.what == "splats" and settings.run is not None:
        rows = splat_rows(settings.run)
    for row in rows:
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=Settings.__doc__))
