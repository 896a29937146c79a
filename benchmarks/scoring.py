"""How long scoring takes, whether its memory stays flat, and how large and slow a report is.

Photos and depths of smooth noise, and predictions of them with both kinds of depth, lie on disk, as
in an evaluation. Memory is read after a tenth of the views, when all that stays is there, and at
its highest from then on.
"""

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from recon.brought import Brought, brought
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.evaluate import Judge, score
from recon.memory import memory_bytes
from recon.report.of_predictions import write_predictions_report
from recon.types import Capture, View

DISTINCT = 8
"""Photos that differ; the others are copies of their files."""
BROWSER = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@dataclass(frozen=True)
class Scoring:
    """What to measure."""

    views: int = 200
    """Scored."""
    page_views: int = 50
    """On the report."""
    size: tuple[int, int] = (960, 640)
    """Width and height."""
    json: bool = False
    """Print JSON instead of a table."""

    def __call__(self) -> None:
        """Measure, and print."""
        found: dict[str, Any] = {"threads": torch.get_num_threads()}
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make(folder / "scored", self.views, *self.size)
            found |= time_scoring(folder / "scored")
            make(folder / "shown", self.page_views, *self.size)
            found |= time_page(folder / "shown")
        if self.json:
            print(json.dumps(found))
            return
        table = Table("what", "value")
        for what, value in found.items():
            table.add_row(what, f"{value:,.1f}" if isinstance(value, float) else str(value))
        Console().print(table)


def make(folder: Path, views: int, width: int, height: int) -> None:
    """Write a capture of which all views but one are held out, and predictions of them."""
    random = np.random.default_rng(0)
    for part in ("images", "truth", "theirs/predictions", "theirs/depth"):
        (folder / part).mkdir(parents=True)
    frames = []
    for i in range(views + 1):
        stem, pose = f"{i:04d}", np.eye(4)
        pose[0, 3] = 0.1 * i
        frames.append(
            {
                "file_path": f"images/{stem}.jpg",
                "depth_file_path": f"truth/{stem}.png",
                "transform_matrix": pose.tolist(),
            }
        )
        if i < DISTINCT:
            write_view(folder, f"{i:04d}", random, width, height)
        else:
            copy_view(folder, f"{i % DISTINCT:04d}", stem)
    content = {"fl_x": width, "fl_y": width, "cx": width / 2, "cy": height / 2, "w": width}
    (folder / "transforms.json").write_text(json.dumps(content | {"h": height, "frames": frames}))
    (folder / "test.txt").write_text("".join(f"images/{i:04d}.jpg\n" for i in range(views)))


def write_view(
    folder: Path, stem: str, random: np.random.Generator, width: int, height: int
) -> None:
    """Write one photo with its depth, and a prediction that is noisy."""
    photo = smooth(random, width, height, 3)
    cv2.imwrite(str(folder / "images" / f"{stem}.jpg"), photo)
    off = np.clip(photo + random.normal(0, 8, photo.shape), 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / "theirs" / "predictions" / f"images_{stem}.png"), off)
    depth = 2 + smooth(random, width, height, 1)[..., 0].astype(np.float32) / 4
    cv2.imwrite(str(folder / "truth" / f"{stem}.png"), (1000 * depth).astype(np.uint16))
    expected = (depth * random.normal(1, 0.03, depth.shape)).astype(np.float32)
    np.savez_compressed(
        folder / "theirs" / "depth" / f"images_{stem}.npz",
        expected=expected,
        median=1.01 * expected,
        alpha=np.ones_like(expected),
    )


def copy_view(folder: Path, from_stem: str, stem: str) -> None:
    """Copy the files of a view."""
    for place in ("images/{}.jpg", "truth/{}.png", "theirs/predictions/images_{}.png",
                  "theirs/depth/images_{}.npz"):  # fmt: skip
        shutil.copy(folder / place.format(from_stem), folder / place.format(stem))


def smooth(random: np.random.Generator, width: int, height: int, channels: int) -> np.ndarray:
    """Make noise of several scales, 8 bit."""
    total = np.zeros((height, width, channels))
    for cells in (4, 16, 64):
        coarse = random.normal(0, 40 / np.sqrt(cells), (cells, cells, channels))
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).reshape(
            height, width, channels
        )
    return np.clip(128 + 3 * total, 0, 255).astype(np.uint8)


def found_in(folder: Path) -> tuple[Capture, Brought]:
    """Read what `make` has written."""
    options = ReadOptions(test_list=folder / "test.txt", metric=True)
    capture = read_capture(folder, options, start_points=False)
    return capture, brought(folder / "theirs", capture.test)


def evaluate(folder: Path, capture: Capture, found: Brought, memory: list[int]) -> Judge:
    """Score, and note the memory after each view."""
    judge = Judge.of(capture)

    def note(view: View) -> None:
        memory.append(memory_bytes())

    score(
        folder / "scores", capture.test, protocol="full@1, all", metric=True, judge=judge,
        files=found.files, on_view=note,
    )  # fmt: skip
    return judge


def time_scoring(folder: Path) -> dict[str, Any]:
    """Time the scorer alone."""
    capture, found = found_in(folder)
    memory: list[int] = []
    began, used = time.perf_counter(), time.process_time()
    evaluate(folder, capture, found, memory)
    seconds, processors = time.perf_counter() - began, time.process_time() - used
    settled = memory[len(memory) // 10]
    return {
        "views scored": len(memory),
        "seconds": seconds,
        "seconds of processors": processors,
        "MiB after a tenth": settled / 2**20,
        "MiB at most after that": max(memory[len(memory) // 10 :]) / 2**20,
    }


def time_page(folder: Path) -> dict[str, Any]:
    """Weigh a report, and open it in Chromium where that is here."""
    capture, found = found_in(folder)
    judge = evaluate(folder, capture, found, [])
    began = time.perf_counter()
    page = write_predictions_report(
        folder / "scores", folder / "theirs", found, capture, judge.truths
    )
    facts: dict[str, Any] = {
        "views on the page": len(capture.test),
        "seconds to write the page": time.perf_counter() - began,
        "MB of the page": page.stat().st_size / 1e6,
    }
    chromium = shutil.which("chromium")
    if chromium is None:
        return facts
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        tab = browser.new_page()
        began = time.perf_counter()
        tab.goto(page.as_uri())
        facts["seconds to open the page"] = time.perf_counter() - began
        browser.close()
    return facts


if __name__ == "__main__":
    tyro.cli(Scoring)()
