"""Time the photometric loss with its gradient: the core, plain torch, and the prototype.

    python benchmarks/photometric.py --against FOLDER/WITH/PROTOTYPE

Every round runs each of them once, so that what else the machine does hits all alike.
"""

import ctypes
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from recon.core import HAS_CORE, MISSING  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor

from recon.losses.functional import photometric, photometric_in_torch

SIZES = ((320, 240), (480, 320), (960, 640))
SSIM_WEIGHT = 0.2


@dataclass(frozen=True)
class Settings:
    """Time the photometric loss with its gradient."""

    against: Path | None = None
    """Folder of prototype_ssim.cpp, which is compiled and joins in."""
    rounds: int = 21
    threads: int = 2
    json: bool = False
    """Print one JSON object instead of a table."""


def make_pair(width: int, height: int) -> tuple[Tensor, Tensor]:
    """Draw a photo with texture and a render that resembles it."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, height // 8, width // 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    noise = torch.randn(2, height, width, 3, generator=generator)
    smooth = smooth[0].permute(1, 2, 0).contiguous()
    photo = ((smooth + 0.1 * noise[0]).clamp(0, 1) * 255).to(torch.uint8)
    return smooth + 0.05 * noise[1], photo


def ours(rendered: Tensor, photo: Tensor) -> Callable[[], Tensor]:
    """Prepare the loss as a fit calls it."""
    rendered = rendered.clone().requires_grad_()
    return lambda: gradient(photometric(rendered, photo, None, SSIM_WEIGHT).loss, rendered)


def in_torch(rendered: Tensor, photo: Tensor) -> Callable[[], Tensor]:
    """Prepare the same in plain torch."""
    rendered = rendered.clone().requires_grad_()
    return lambda: gradient(photometric_in_torch(rendered, photo, None, SSIM_WEIGHT).loss, rendered)


def gradient(loss: Tensor, rendered: Tensor) -> Tensor:
    """Return d loss / d rendered."""
    return torch.autograd.grad(loss, rendered)[0]


def build_prototype(folder: Path) -> ctypes.CDLL:
    """Compile prototype_ssim.cpp as prototype.py compiles its neighbour."""
    wide = "avx512f" in Path("/proc/cpuinfo").read_text()
    flags = ["-O3", "-fno-math-errno", "-fno-trapping-math", "-ffinite-math-only", "-std=c++17"]
    flags += ["-fopenmp", "-fPIC", "-shared", f"-march=x86-64-v{4 if wide else 3}"]
    library = Path(tempfile.mkdtemp()) / "prototype_ssim.so"
    compiler = os.environ.get("CXX", "g++")
    subprocess.check_call([compiler, *flags, str(folder / "prototype_ssim.cpp"), "-o", library])
    loaded = ctypes.CDLL(str(library))
    loaded.l1_ssim.restype = ctypes.c_double
    return loaded


def prototype(library: ctypes.CDLL, rendered: Tensor, photo: Tensor) -> Callable[[], Tensor]:
    """Prepare the prototype, which wants the photo as float planes."""
    height, width, _ = rendered.shape
    planes = (photo.float() / 255).permute(2, 0, 1).contiguous()
    result, l1, weight = torch.empty_like(rendered), ctypes.c_double(), ctypes.c_float(SSIM_WEIGHT)

    def call() -> Tensor:
        x, y, out = (ctypes.c_void_p(t.data_ptr()) for t in (rendered, planes, result))
        library.l1_ssim(x, 3, y, height, width, weight, out, 3, ctypes.byref(l1))
        return result

    return call


def measure(contestants: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each, after checking that all give one gradient."""
    first, *others = (call() for call in contestants.values())
    for other in others:
        assert (other - first).norm() < 1e-3 * first.norm(), "the gradients differ"
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: median(values) for name, values in times.items()}


def main(settings: Settings) -> None:
    """Measure every size and print what came out."""
    if not HAS_CORE:
        raise SystemExit(MISSING)
    from recon import _core as core

    torch.set_num_threads(settings.threads)
    core.use_threads(settings.threads)
    library = build_prototype(settings.against) if settings.against else None
    results = {}
    for width, height in SIZES:
        pair = make_pair(width, height)
        contestants = {"core": ours(*pair), "torch": in_torch(*pair)}
        if library:
            contestants["prototype"] = prototype(library, *pair)
        milliseconds = measure(contestants, settings.rounds)
        figures = {f"{name}_ms": value for name, value in milliseconds.items()}
        for name in list(milliseconds)[1:]:
            figures[f"core_over_{name}"] = milliseconds["core"] / milliseconds[name]
        results[f"{width}x{height}"] = figures
    if settings.json:
        print(json.dumps(results, indent=2))
        return
    columns = [name.replace("_", " ") for name in figures]
    table = Table("size", *columns, title=f"Medians with {settings.threads} threads")
    for size, figures in results.items():
        table.add_row(size, *(f"{value:.3g}" for value in figures.values()))
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
