"""How the time and memory of a fit's step grow with Gaussians and with pixels.

A step draws colour, alpha and expected depth, takes the photometric loss and a depth loss, goes
back through all of it, and moves every parameter with Adam. One sweep adds Gaussians to an image of
640x480; the other draws one scene of 100 000 Gaussians at rising resolutions. Each point runs in a
process of its own, so that its peak memory is its own. Growth is linear or better where the
exponent is at most 1.
"""

import json
import math
import multiprocessing
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.losses.functional import photometric
from recon.optimizer import Adam
from recon.raster.choose import Wish, choose_rasterizer
from recon.raster.interface import Rasterizer
from recon.types import Camera

COUNTS = (20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
SIZES = ((320, 240), (480, 320), (640, 480), (960, 640), (1280, 960), (1920, 1280))
MIDDLE_COUNT, MIDDLE_SIZE = 100_000, (640, 480)


@dataclass(frozen=True)
class Growth:
    """What to measure, and where to put it."""

    rasterizer: Wish = "auto"
    steps: int = 5
    """Timed steps per point and round, after two that are not; the median counts."""
    rounds: int = 3
    """Rounds over all points; the fastest counts, as other programs can only slow one down."""
    output: Path = Path("runs/growth")
    """Folder for growth.json and growth.png."""
    json: bool = False
    """Print the JSON instead of the table."""


@dataclass(frozen=True)
class Point:
    """One measurement."""

    gaussians: int
    width: int
    height: int
    milliseconds: float
    """A whole step."""
    peak_bytes: int
    """Of the process."""
    idle_bytes: int
    """Of the process, with everything loaded and nothing drawn."""

    @property
    def pixels(self) -> int:
        """The image's."""
        return self.width * self.height

    @property
    def working_bytes(self) -> int:
        """What the fit adds to an idle process."""
        return self.peak_bytes - self.idle_bytes


@dataclass(frozen=True)
class Exponents:
    """How a cost grows along a sweep: cost ~ size ** exponent."""

    fitted: float
    """The slope of a line through all points, in logarithms."""
    steepest: float
    """The largest slope between two neighbours."""


def scene(count: int) -> Gaussians:
    """Return seeded Gaussians that cover some 3 px (3 sigma, median) of a 640 px wide image."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    z = 2 + 8 * torch.rand(count, generator=generator)
    places = (1.1 * torch.rand(count, 2, generator=generator) - 0.55) * torch.tensor([1, 0.75])
    radii = torch.exp(math.log(3 / 640) + 0.8 * normal(count)).clamp(max=150 / 640)
    colors = torch.rand(count, 1, 3, generator=generator)
    return Gaussians(
        means=torch.cat([places, torch.ones(count, 1)], -1)
        * z[:, None]
        / torch.tensor([0.9, 0.9, 1]),
        quaternions=normal(count, 4),
        log_scales=(radii / 3 * z / 0.9).log()[:, None] + 0.5 * normal(count, 3),
        opacity_logits=1.5 * normal(count),
        sh_base=(colors - 0.5) / HARMONIC_BAND_0,
        sh_rest=0.05 * normal(count, 15, 3),
    )


def measure(wish: Wish, steps: int, count: int, width: int, height: int) -> Point:
    """Time steps in this process, and read its peak memory."""
    rasterizer = choose_rasterizer(wish)
    idle = peak_bytes(rasterizer)
    device = rasterizer.device
    gaussians = scene(count).to(device).trainable()
    camera = Camera(torch.eye(4), 0.9 * width, 0.9 * width, width / 2, height / 2, width, height)
    photo = torch.randint(256, (height, width, 3), dtype=torch.uint8, device=device)
    optimizer = Adam(list(gaussians.named().values()), lr=1e-5)
    times = []
    for _ in range(2 + steps):
        start = time.perf_counter()
        render = rasterizer.render(gaussians, camera)
        loss = photometric(render.color, photo).loss
        (
            loss + 0.1 * (render.expected_depth - 5).abs().mean() + 0.1 * render.alpha.mean()
        ).backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    milliseconds = 1000 * statistics.median(times[2:])
    return Point(count, width, height, milliseconds, peak_bytes(rasterizer), idle)


def peak_bytes(rasterizer: Rasterizer) -> int:
    """Return the most memory held so far where the rasterizer works."""
    if rasterizer.device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def exponents(sizes: list[int], costs: list[float]) -> Exponents:
    """Fit cost ~ size ** exponent."""
    x, y = np.log(sizes), np.log(costs)
    return Exponents(float(np.polyfit(x, y, 1)[0]), float((np.diff(y) / np.diff(x)).max()))


def table(points: list[Point], title: str, unit: str) -> Table:
    """Lay a sweep out for people."""
    made = Table(title=title)
    for name in (unit, "ms per step", "peak MB", "of which working MB"):
        made.add_column(name, justify="right")
    for point in points:
        size = f"{point.gaussians:,}" if unit == "Gaussians" else f"{point.width}x{point.height}"
        memory = (f"{b / 2**20:.0f}" for b in (point.peak_bytes, point.working_bytes))
        made.add_row(size, f"{point.milliseconds:.1f}", *memory)
    return made


def summary(growth: dict[str, Exponents]) -> str:
    """Return the exponents in one line."""
    parts = (f"{k}: {v.fitted:.2f} (steepest {v.steepest:.2f})" for k, v in growth.items())
    return "exponents, " + "; ".join(parts)


def plot(
    sweeps: dict[str, list[Point]], growth: dict[str, dict[str, Exponents]], path: Path
) -> None:
    """Draw both costs of both sweeps on logarithmic axes, beside linear growth."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
    for column, (unit, points) in zip(axes.T, sweeps.items(), strict=True):
        sizes = sizes_of(points, unit)
        for axis, (name, costs) in zip(column, costs_of(points).items(), strict=True):
            label = f"measured, exponent {growth[unit][name].fitted:.2f}"
            axis.loglog(sizes, costs, "o-", label=label)
            # Through the last point, so that what lies above the guide grew slower than it.
            guide = [costs[-1] * size / sizes[-1] for size in sizes]
            axis.loglog(sizes, guide, "--", color="grey", label="linear")
            axis.set(xlabel=unit, ylabel=name)
            axis.grid(alpha=0.3, which="both")
            axis.legend()
    axes[0, 0].set_title("at {}x{}".format(*MIDDLE_SIZE))
    axes[0, 1].set_title(f"with {MIDDLE_COUNT:,} Gaussians")
    figure.savefig(path, dpi=120)


def sizes_of(points: list[Point], unit: str) -> list[int]:
    """Return what a sweep varies."""
    return [point.gaussians if unit == "Gaussians" else point.pixels for point in points]


def costs_of(points: list[Point]) -> dict[str, list[float]]:
    """Return what a sweep measures, by name."""
    return {
        "ms per step": [point.milliseconds for point in points],
        "working MB": [point.working_bytes / 2**20 for point in points],
    }


def run(settings: Growth, log: Console) -> dict[str, list[Point]]:
    """Measure every point in every round, and keep the fastest of each."""
    sizes = [(count, *MIDDLE_SIZE) for count in COUNTS]
    sizes += [(MIDDLE_COUNT, *size) for size in SIZES]
    rounds: list[list[Point]] = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for _ in range(settings.rounds):
            rounds.append([])
            for size in sizes:
                work = (settings.rasterizer, settings.steps, *size)
                rounds[-1].append(pool.apply(measure, work))
                log.print(f"{size}: {rounds[-1][-1].milliseconds:.1f} ms")
    fastest = [min(found, key=lambda p: p.milliseconds) for found in zip(*rounds, strict=True)]
    return {"Gaussians": fastest[: len(COUNTS)], "pixels": fastest[len(COUNTS) :]}


def main(settings: Growth) -> None:
    """Measure, print, write and plot."""
    log, out = Console(stderr=True), Console()
    sweeps = run(settings, log)
    growth = {
        unit: {name: exponents(sizes_of(points, unit), c) for name, c in costs_of(points).items()}
        for unit, points in sweeps.items()
    }
    result = {
        unit: {
            "points": [asdict(point) for point in points],
            "exponents": {name: asdict(value) for name, value in growth[unit].items()},
        }
        for unit, points in sweeps.items()
    }
    settings.output.mkdir(parents=True, exist_ok=True)
    (settings.output / "growth.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(sweeps, growth, settings.output / "growth.png")
    log.print(f"wrote growth.json and growth.png to {settings.output}")
    if settings.json:
        print(json.dumps(result))
        return
    for unit, points in sweeps.items():
        out.print(table(points, f"One step, by {unit}", unit))
        out.print(summary(growth[unit]))


if __name__ == "__main__":
    main(tyro.cli(Growth, description=__doc__))
