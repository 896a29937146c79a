"""Time a whole optimisation step against the sum of its two kernels.

The step is that of a fit: degree 3 harmonics, colour, L1 + SSIM against a photo, and Adam on every
tensor. Its kernels are the rasterizer, forward and backward, and the loss with its gradient, each
called as the step calls it. They are timed in turn, round by round, and medians are compared.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from recon.core import HAS_CORE, MISSING  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import tyro
from raster import standard_scene

from recon.losses.functional import photometric
from recon.losses.photometric import Photometric
from recon.model import LearningRates, Model
from recon.raster.native import NativeRasterizer
from recon.supervise import Objective, Sample
from recon.types import DepthMap, Photo, View


@dataclass(frozen=True)
class Settings:
    """Time a whole optimisation step against the sum of its two kernels."""

    gaussians: int = 300_000
    width: int = 960
    height: int = 640
    rounds: int = 15
    json: bool = False
    """Print one JSON object."""


class NoFile(Photo):
    """A photo that is handed over decoded."""

    def pixels(self) -> torch.Tensor:
        """Do not decode."""
        raise AssertionError("The step is given the decoded photo.")

    def valid(self) -> torch.Tensor | None:
        """Use all."""
        return None

    def depth(self) -> DepthMap | None:
        """Know none."""
        return None

    def sky(self) -> torch.Tensor | None:
        """Know none."""
        return None


def prepare(settings: Settings) -> dict[str, Callable[[], None]]:
    """Build what is timed: the step, and its two kernels on the same input."""
    torch.set_num_threads(1)
    gaussians, camera = standard_scene(settings.gaussians, settings.width, settings.height)
    model = Model(gaussians, LearningRates(means=1e-9, means_final=1e-9), scene_scale=1.0)
    rasterizer, objective = NativeRasterizer(), Objective([Photometric()])
    generator = torch.Generator().manual_seed(2)
    shape = (settings.height, settings.width, 3)
    photo = torch.randint(256, shape, generator=generator, dtype=torch.uint8)
    view = View("made", camera, NoFile())
    gradient = torch.randn(shape, generator=generator) / (settings.width * settings.height)
    leaf = rasterizer.render(gaussians, camera).color.clone().requires_grad_()

    def step() -> None:
        render = rasterizer.render(model.gaussians, camera)
        sample = Sample(0, view, photo, None, render, model.gaussians, 1.0)
        total = objective(sample).total
        torch.autograd.backward(total)
        model.step()

    def raster() -> None:
        torch.autograd.backward(rasterizer.render(model.gaussians, camera).color, gradient)
        for optimizer in model.optimizers.values():
            optimizer.zero_grad(set_to_none=True)

    def loss() -> None:
        leaf.grad = None
        torch.autograd.backward(photometric(leaf, photo).loss)

    return {"step": step, "raster": raster, "loss": loss}


def main(settings: Settings) -> None:
    """Measure, and print what came out."""
    if not HAS_CORE:
        raise SystemExit(MISSING)
    contestants = prepare(settings)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(-2, settings.rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            if round_ >= 0:
                times[name].append(1e3 * (time.perf_counter() - start))
    figures = {f"{name}_ms": median(values) for name, values in times.items()}
    parts = [r + p for r, p in zip(times["raster"], times["loss"], strict=True)]
    ratios = sorted(s / p for s, p in zip(times["step"], parts, strict=True))
    figures["ratio"] = median(ratios)
    figures["ratio_low"], figures["ratio_high"] = ratios[0], ratios[-1]
    if settings.json:
        print(json.dumps(figures))
        return
    print(f"{settings.gaussians} Gaussians, {settings.width}x{settings.height}, degree 3")
    for name, value in figures.items():
        print(f"{name:>12} {value:8.2f}")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=Path(__file__).name + ": " + (__doc__ or "")))
