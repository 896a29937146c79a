"""Measure the viewer as a person feels it, in a real Chromium.

page: from opening the page of a made scene to its first picture on the screen; how long the server
takes for a picture, drawn and encoded; and from a change of layer to the screen that shows it.
focus: clicks at random LiDAR returns of a run's held-out photos, and the focus that follows.
idle: a fit alone, and the same fit with a page that is open and that nobody moves.
walk: random use for some minutes, and what is left of memory.

    python benchmarks/viewer.py page --width 640 --height 360
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Literal

from recon.core import HAS_CORE, MISSING  # Before torch: recon chooses how OpenMP waits.

import numpy as np  # isort: skip
import torch
import tyro
from playwright.sync_api import sync_playwright
from raster import standard_scene

from recon.backdrop import Plain
from recon.commands.view import run_subject
from recon.raster.choose import choose_rasterizer
from recon.render import Stage
from recon.run import Run
from recon.scene import Scene
from recon.truth import Truths
from recon.viewer.address import Address
from recon.viewer.layers import LAYERS
from recon.viewer.painter import Size
from recon.viewer.server import ViewerServer
from recon.viewer.session import Session
from recon.viewer.subject import Source, Subject

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from conftest import CHROMIUM_FLAGS
from visitor import Visitor

PANEL, TOAST = 350, 320
"""px at the right and at the left that the panel and the browser's notes may cover."""
RECON = str(Path(sys.executable).with_name("recon"))


@dataclass(frozen=True)
class Settings:
    """Measure the viewer in a real browser."""

    what: tyro.conf.Positional[Literal["page", "focus", "idle", "walk"]]
    run: Path | None = None
    """Of focus and walk: a run, of a drive with LiDAR for focus."""
    gaussians: int = 300_000
    """Of the scene that page makes."""
    minutes: float = 5.0
    """Of the walk."""
    steps: int = 300
    """Of the fits."""
    rounds: int = 15
    """Pictures to time, points to click on, pairs of fits."""
    width: int = 640
    height: int = 360
    seed: int = 0


@contextmanager
def visiting(url: str, settings: Settings) -> Iterator[Visitor]:
    """Open a page in Chromium."""
    with sync_playwright() as playwright:
        program = "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        visitor = Visitor(browser, url, settings.width, settings.height)
        yield visitor
        browser.close()


def only(server: ViewerServer) -> Session:
    """Return the session of the only browser."""
    (session,) = server._sessions.values()
    return session


def milliseconds(act: Callable[[], object], rounds: int) -> float:
    """Return the median time of some calls."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return 1000 * median(times)


def page(settings: Settings) -> dict[str, Any]:
    """Time the first picture, and those after it."""
    gaussians, camera = standard_scene(settings.gaussians, settings.width, settings.height)
    scene = Scene(gaussians, Plain((0.0, 0.0, 0.0), torch.device("cpu")))
    subject = Subject(Stage(scene, choose_rasterizer(), False), Source("made"))
    # The standard scene is made for this camera.
    subject.home, subject.up = camera, torch.tensor([0.0, -1.0, 0.0])
    server = ViewerServer(subject, Address(port=19_100))
    with visiting(server.url, settings) as visitor:
        visitor.wait(lambda: float(visitor.seen()[:, :200].std()) > 8)
        first = time.perf_counter() - visitor.opened
        visitor.page.wait_for_timeout(4000)
        session = only(server)
        still = milliseconds(lambda: session._paint(Size.FULL), settings.rounds)
        moving = milliseconds(lambda: session._paint(Size.MOVING), settings.rounds)
        screenshot = milliseconds(visitor.seen, 5)
        shown = []
        for i in range(settings.rounds):
            before, layer = visitor.seen(), ("Alpha", "Colour")[i % 2]
            started = time.perf_counter()
            show_layer(session, layer)
            visitor.wait(lambda b=before: bool(np.abs(visitor.seen() - b).mean() > 2))
            shown.append(1000 * (time.perf_counter() - started))
        rows = session._pace.rows(settings.height)
    server.close()
    return {
        "first picture, s": first,
        "still on the server, ms": still,
        "moving on the server, ms": moving,
        "rows while moving": rows,
        "change to screen, ms, with one to two screenshots": median(shown),
        "of which a screenshot, ms": screenshot,
    }


def show_layer(session: Session, layer: str) -> None:
    """Choose a layer without the browser's list."""
    session.alter(lambda look: replace(look, layer=layer))


def focus(settings: Settings) -> dict[str, Any]:
    """Click on returns of the LiDAR, and read the focus."""
    assert settings.run is not None, "--run"
    subject = run_subject(Run(settings.run), None)
    capture = subject.source.capture
    assert capture is not None
    truths = Truths(capture.lidar, capture.boxes, capture.views)
    random = Random(settings.seed)
    errors: list[float] = []
    server = ViewerServer(subject, Address(port=19_100))
    with visiting(server.url, settings) as visitor:
        session = only(server)
        visitor.check("Click to focus", True)
        while len(errors) < settings.rounds:
            view = random.choice(capture.test)
            truth = truths.of(view, None)
            assert truth is not None
            row, column = random.choice(truth.depth.valid.nonzero().tolist())
            session.stand_at(view)
            visitor.page.wait_for_timeout(1500)
            vantage = session.vantage()
            frame = vantage.frame
            assert frame is not None
            x = (
                frame.left + (column + 0.5) / view.camera.width * frame.width
            ) / vantage.camera.width
            y = (
                frame.top + (row + 0.5) / view.camera.height * frame.height
            ) / vantage.camera.height
            if not TOAST < x * settings.width < settings.width - PANEL:
                continue
            before, rendered = visitor.value("Focus (m)"), session.distance(x, y)
            visitor.click(x, y)
            visitor.wait(lambda b=before: visitor.value("Focus (m)") != b)
            exact, found = float(truth.depth.z[row, column]), float(visitor.value("Focus (m)"))
            errors.append(abs(found - exact) / exact)
            print(f"{view.name}: {exact:.2f} m, rendered {rendered:.2f}, focus {found:.2f}")
    server.close()
    return {
        "points": len(errors),
        "within 3 %": sum(e < 0.03 for e in errors),
        "median": median(errors),
    }


def idle(settings: Settings) -> dict[str, Any]:
    """Time fits with a page and without, in turn."""
    seconds: dict[str, list[float]] = {"alone": [], "with a page": []}
    for _ in range(settings.rounds):
        for name, times in seconds.items():
            with tempfile.TemporaryDirectory() as folder:
                times.append(fit_seconds(Path(folder) / "run", name != "alone", settings))
                print(name, times[-1], flush=True)
    medians = {name: median(times) for name, times in seconds.items()}
    return {**medians, "ratio": medians["with a page"] / medians["alone"]}


def fit_seconds(folder: Path, watched: bool, settings: Settings) -> float:
    """Fit the demo and return the seconds of its steps, but for the first half of them."""
    steps = str(settings.steps)
    command = [RECON, "fit", "--data", "demo", "--steps", steps, "--output", str(folder)]
    if not watched:
        subprocess.run([*command, "--quiet"], check=True)
    else:
        with serving([*command, "--view", "--port", "19100"]) as url, visiting(url, settings):
            while not (folder / "scene.ply").exists():
                time.sleep(0.5)
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    half = next(e for e in events if e["step"] >= settings.steps / 2)
    return float(events[-1]["seconds"] - half["seconds"])


@contextmanager
def serving(command: list[str]) -> Iterator[str]:
    """Run a command that serves a page, until the end of the block."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http\S+token=\S+", line):
                break
        else:
            raise SystemExit(f"{' '.join(command)} has ended")
        try:
            yield found[0]
        finally:
            process.terminate()


def walk(settings: Settings) -> dict[str, Any]:
    """Use the page at random, and compare memory after a tenth of the time and at the end."""
    assert settings.run is not None, "--run"
    random = Random(settings.seed)
    server = ViewerServer(run_subject(Run(settings.run), None), Address(port=19_100))
    end = time.monotonic() + 60 * settings.minutes
    warm = time.monotonic() + 6 * settings.minutes
    acts, begin = 0, None
    with visiting(server.url, settings) as visitor:
        layers = [name for name in LAYERS if not name.startswith("Error")]
        while time.monotonic() < end:
            if begin is None and time.monotonic() > warm:
                begin = memory(visitor)
            random_act(visitor, random, layers)
            acts += 1
        begin, last = begin or memory(visitor), memory(visitor)
        problems = visitor.problems
    server.close()
    grown = {f"{k} grew, MB": last[k] - begin[k] for k in last}
    return {"acts": acts, "problems": problems, **grown}


def random_act(visitor: Visitor, random: Random, layers: list[str]) -> None:
    """Do one of the things that people do."""
    x, y = random.uniform(0.1, 0.4), random.uniform(0.2, 0.8)
    match random.randrange(6):
        case 0:
            visitor.choose("Layer", random.choice(layers))
        case 1:
            visitor.check("All sharp", random.random() < 0.5)
        case 2:
            visitor.fill("f/", random.choice([0.1, 0.5, 2.0, 8.0]))
        case 3:
            visitor.check("Tint what is in focus", random.random() < 0.5)
        case 4:
            visitor.page.mouse.move(x * visitor.width, y * visitor.height)
            visitor.page.mouse.wheel(0, random.choice([-100, 100]))
        case _:
            visitor.drag(x, y, random.randint(-60, 60), random.randint(-20, 20))
    visitor.page.wait_for_timeout(random.choice([20, 200, 800]))


def memory(visitor: Visitor) -> dict[str, float]:
    """Return what the server's process holds, and what the page's scripts do, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    heap = visitor.page.evaluate("performance.memory.usedJSHeapSize")
    return {"server": pages * os.sysconf("SC_PAGE_SIZE") / 1e6, "page": heap / 1e6}


def main(settings: Settings) -> None:
    """Measure, and print with the load of the machine."""
    if not HAS_CORE:
        raise SystemExit(MISSING)
    found = {"page": page, "focus": focus, "idle": idle, "walk": walk}[settings.what](settings)
    print(json.dumps({**found, "load": os.getloadavg()}, indent=2))


if __name__ == "__main__":
    main(tyro.cli(Settings))
