"""Time the core's rasterizer on the standard scenes, from parameters to image to their gradients.

    python benchmarks/raster.py --against FOLDER/prototype.cpp

Forward draws colour, alpha and expected depth; backward takes the gradients of all three to every
parameter of the Gaussians. With `--against` the prototype of that path joins in: every round runs
ours and then the other, so that what else the machine does hits both.
"""

import importlib.util
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recon.core import HAS_CORE, MISSING  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.types import Camera

SCENES = {"20k": (20_000, 320, 240), "100k": (100_000, 480, 320), "300k": (300_000, 960, 640)}

Timed = Callable[[], tuple[float, float]]
"""Runs once; returns the seconds of forward and of backward."""


@dataclass(frozen=True)
class Settings:
    """Time the core's rasterizer on the standard scenes."""

    against: Path | None = None
    """The prototype's source, or its folder; its own prototype.py compiles it."""
    scenes: tuple[Literal["20k", "100k", "300k"], ...] = ("20k", "100k", "300k")
    isa: str = "best"
    """Instruction set of the core: best, x86-64-v4, x86-64-v3 or baseline."""
    sh_degree: int = 0
    """Harmonics to evaluate. The prototype has none: compare with it at 0."""
    rounds: int = 15
    """Timed rounds, after two that are not."""
    threads: int = 2
    json: bool = False
    """Print one JSON object instead of a table."""


def standard_scene(count: int, width: int, height: int) -> tuple[Gaussians, Camera]:
    """Scatter Gaussians over an image: radii of three sigma around 3 px, log-normal, seed 0."""
    generator = torch.Generator().manual_seed(0)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    focal = 0.9 * width
    z = 2 + 8 * uniform(count)
    x = (uniform(count) * 1.1 - 0.05) * width
    y = (uniform(count) * 1.1 - 0.05) * height
    means = torch.stack([(x - width / 2) * z / focal, (y - height / 2) * z / focal, z], -1)
    radii = torch.exp(math.log(3.0) + 0.8 * normal(count)).clamp(max=150)
    scales = (radii / 3 * z / focal)[:, None] * torch.exp(0.5 * normal(count, 3))
    logits, quaternions = 1.5 * normal(count), normal(count, 4)
    gaussians = Gaussians(
        means=means,
        quaternions=quaternions,
        log_scales=scales.log(),
        opacity_logits=logits,
        sh_base=((uniform(count, 1, 3) - 0.5) / HARMONIC_BAND_0),
        sh_rest=0.05 * normal(count, 15, 3),
    )
    camera = Camera(torch.eye(4), focal, focal, width / 2, height / 2, width, height)
    return gaussians, camera


def image_gradients(camera: Camera) -> Tensor:
    """Make up a gradient of the images: colour, depth, alpha in the last axis."""
    generator = torch.Generator().manual_seed(1)
    size = camera.height, camera.width
    return torch.randn(*size, 5, generator=generator) / (camera.height * camera.width)


def ours(gaussians: Gaussians, camera: Camera, sh_degree: int) -> Timed:
    """Prepare our rasterizer as a fit calls it."""
    from recon.raster.native import NativeRasterizer

    rasterizer, parameters = NativeRasterizer(), gaussians.trainable()
    gradients = [g.contiguous() for g in image_gradients(camera).tensor_split([3, 4], -1)]
    of_images = [gradients[0], gradients[1][..., 0], gradients[2][..., 0]]

    def run() -> tuple[float, float]:
        for parameter in parameters.named().values():
            parameter.grad = None
        start = time.perf_counter()
        render = rasterizer.render(parameters, camera, sh_degree=sh_degree)
        drawn = time.perf_counter()
        images = [render.color, render.expected_depth, render.alpha]
        torch.autograd.backward(images, of_images)
        return drawn - start, time.perf_counter() - drawn

    return run


def prototype(source: Path, gaussians: Gaussians, camera: Camera) -> Timed:
    """Prepare the prototype: the same Gaussians, with the colours that their harmonics give."""
    folder = source if source.is_dir() else source.parent
    spec = importlib.util.spec_from_file_location("prototype", folder / "prototype.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parameters = {
        "means": gaussians.means,
        "quats": gaussians.quaternions,
        "ls": gaussians.log_scales,
        "lo": gaussians.opacity_logits,
        "rgb": (0.5 + HARMONIC_BAND_0 * gaussians.sh_base[:, 0]).contiguous(),
    }
    view = {
        "V": camera.world_to_camera,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "W": camera.width,
        "H": camera.height,
    }
    rasterizer, gradients = module.Rast(module.build()), module.newgrads(parameters)
    background, of_image = torch.zeros(3), image_gradients(camera)

    def run() -> tuple[float, float]:
        start = time.perf_counter()
        image = rasterizer.fwd(parameters, view, background)
        drawn = time.perf_counter()
        rasterizer.bwd(parameters, background, image, of_image, gradients)
        return drawn - start, time.perf_counter() - drawn

    return run


def measure(contestants: dict[str, Timed], rounds: int) -> dict[str, float]:
    """Return medians in milliseconds, the spread of ours, and the ratio to the other."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for round_ in range(-2, rounds):
        for name, run in contestants.items():
            taken = run()
            if round_ >= 0:
                times[name].append(taken)
    figures = {}
    totals = {}
    for name, taken in times.items():
        prefix = "" if name == "ours" else f"{name}_"
        forward, backward = zip(*taken, strict=True)
        figures[f"{prefix}forward_ms"] = 1e3 * statistics.median(forward)
        figures[f"{prefix}backward_ms"] = 1e3 * statistics.median(backward)
        totals[name] = statistics.median(map(sum, taken))
    both = [1e3 * sum(t) for t in times["ours"]]
    figures["fastest_ms"], figures["slowest_ms"] = min(both), max(both)
    if "prototype" in totals:
        figures["ratio"] = totals["ours"] / totals["prototype"]
    return figures


def main(settings: Settings) -> None:
    """Time every scene and print what came out."""
    if not HAS_CORE:
        raise SystemExit(MISSING)
    from recon import _core as core

    core.use_isa(settings.isa)
    core.use_threads(settings.threads)
    torch.set_num_threads(settings.threads)
    results: dict[str, Any] = {}
    for name in settings.scenes:
        scene = standard_scene(*SCENES[name])
        contestants = {"ours": ours(*scene, settings.sh_degree)}
        if settings.against:
            contestants["prototype"] = prototype(settings.against, *scene)
        results[name] = measure(contestants, settings.rounds)
    if settings.json:
        facts = {"isa": core.isa(), "threads": core.threads(), "sh_degree": settings.sh_degree}
        print(json.dumps({**results, **facts}, indent=2))
        return
    figures = next(iter(results.values()))
    columns = [name.replace("_", " ") for name in figures]
    title = f"Medians of {settings.rounds} with {core.isa()} and {core.threads()} threads"
    table = Table("scene", *columns, title=title)
    for name, row in results.items():
        table.add_row(name, *(f"{value:.3g}" for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
