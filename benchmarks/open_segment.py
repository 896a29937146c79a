"""Time from the start of `recon fit` to its first finished step, on a drive of real size.

    python benchmarks/open_segment.py

Writes a segment of 198 frames by five cameras and five lasers (about 2 GB, minutes) to a temporary
folder, then fits it in fresh processes that stop after their first step. Clock time is what a user
waits, and depends on what else the machine does; processor time hardly does. Files were just
written, so the disk is warm. `range image to points` times the top laser alone, in this process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from made_segment import lasers, write_segment
from rich.console import Console
from rich.table import Table

from recon.datasets.range_image import in_world, measured

CHILD = """
import os, resource, sys, time
import recon.cli
from recon.fit import Fitting
from recon.order import ViewOrder

draw = ViewOrder.next
calls = 0

def next_view(order):
    global calls
    calls += 1
    if calls == 2:  # The first step is over.
        used = resource.getrusage(resource.RUSAGE_SELF)
        peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(time.time(), used.ru_utime + used.ru_stime, peak, flush=True)
        os._exit(0)
    return draw(order)

ViewOrder.next = next_view
recon.cli.main()
"""


@dataclass(frozen=True)
class Settings:
    """Time from the start of `recon fit` to its first finished step, on a drive of real size."""

    segment: Path | None = None
    """A segment written before, or where to write one to keep."""
    frames: int = 198
    rows_per_group: int = 5
    """Of photos and range images in the Parquet files; the fewer, the less is read at once."""
    downscale: tuple[float, ...] = (2.0, 1.0)
    rounds: int = 5
    json: bool = False
    """Print one JSON object."""


def first_step(segment: Path, track: str, downscale: float, folder: Path) -> tuple[float, ...]:
    """Fit in a fresh process; return clock seconds, processor seconds and peak GiB."""
    arguments = ["recon", "fit", "--data", segment, "--drive.lidar", track]
    arguments += ["--downscale", downscale, "--output", folder / "run", "--quiet"]
    program = f"import sys; sys.argv = {list(map(str, arguments))!r}\n{CHILD}"
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    ended, processor, peak = map(float, done.stdout.split())
    return ended - began, processor, peak / 2**30


def range_image_to_points() -> list[float]:
    """Time the full top laser, with a pose for each pixel, in ms of this thread."""
    random = np.random.default_rng(0)
    image = np.zeros((64, 2650, 4), np.float32)
    image[..., 0] = random.uniform(2, 75, (64, 2650))
    poses = random.normal(0, 0.1, (64, 2650, 6)).astype(np.float32)
    times = []
    for _ in range(11):
        start = time.thread_time()
        in_world(image, *measured(image), lasers()["TOP"], np.eye(4), poses)
        times.append(1e3 * (time.thread_time() - start))
    return times[1:]


def main(settings: Settings) -> None:
    """Measure, and print what came out."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="recon-segment-") as scratch:
        segment = settings.segment or Path(scratch) / "segment"
        if not segment.exists():
            write_segment(segment, settings.frames, settings.rows_per_group)
        for downscale in settings.downscale:
            for track in ("A", "B"):
                rounds = []
                for _ in range(settings.rounds):
                    with tempfile.TemporaryDirectory(dir=scratch) as folder:
                        rounds.append(first_step(segment, track, downscale, Path(folder)))
                clock, processor, peak = (sorted(column) for column in zip(*rounds, strict=True))
                results.append(
                    {"track": track, "downscale": downscale, "clock_s": clock,
                     "processor_s": processor, "peak_gib": peak}
                )  # fmt: skip
    points = sorted(range_image_to_points())
    if settings.json:
        facts = {"first_step": results, "range_image_to_points_ms": points}
        print(json.dumps({**facts, "load": os.getloadavg()}))
        return
    table = Table("track", "downscale", "clock, s", "processor, s", "peak, GiB")
    for result in results:
        columns = [span(result[name]) for name in ("clock_s", "processor_s", "peak_gib")]
        table.add_row(result["track"], f"{result['downscale']:g}", *columns)
    console = Console()
    console.print(table)
    console.print(f"range image to points, 64x2650: {span(points)} ms")
    console.print(f"median (least to most) of {settings.rounds}; load {os.getloadavg()[0]:.1f}")


def span(values: list[float]) -> str:
    """Write the median and the range of sorted values."""
    return f"{statistics.median(values):.2f} ({values[0]:.2f} to {values[-1]:.2f})"


if __name__ == "__main__":
    main(tyro.cli(Settings, description=Path(__file__).name + ": " + (__doc__ or "")))
