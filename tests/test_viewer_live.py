import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from captures import make_scene, write_transforms
from visitor import Visitor

from recon.commands.capture import capture_of, fingerprint, newest
from recon.config import FitSettings
from recon.core import HAS_CORE
from recon.fit import Fitting, Progress
from recon.raster.choose import Wish, choose_rasterizer
from recon.run import create
from recon.viewer import live_page as module
from recon.viewer.address import Address
from recon.viewer.fit_page import FitPage, NoPage
from recon.viewer.layer import Vantage
from recon.viewer.live import MOST_POINTS, LiveFit
from recon.viewer.live_page import LivePage
from recon.viewer.look import Look

pytestmark = pytest.mark.usefixtures("one_thread")
PATIENCE = 30.0


def progress(step: int) -> Progress:
    return Progress(step, step / 100_000, step / 100, 20.0 + step, 10, {"photometric": 0.1})


@pytest.mark.parametrize("count", [1, 5, MOST_POINTS, 3 * MOST_POINTS, 10_007])
def test_curves_stay_short_and_even_and_end_at_the_newest(count: int) -> None:
    live = LiveFit(100_000, ("photometric",))
    for step in range(1, count + 1):
        live.add(progress(20 * step))
    steps = [point.step for point in live.curve]
    assert len(steps) <= MOST_POINTS
    assert steps[-1] == 20 * count
    assert steps == sorted(set(steps))
    gaps = {b - a for a, b in pairwise(steps)}
    # But for the newest, which may stand at any distance.
    assert len(gaps) <= 2
    if count < MOST_POINTS:
        assert len(steps) == count


def test_a_wish_to_save_is_fulfilled_once() -> None:
    live = LiveFit(10, ("photometric",))
    assert not live.take_wish_to_save()
    live.save()
    assert live.take_wish_to_save()
    assert not live.take_wish_to_save()


def start(folder: Path, data: Path, steps: int = 30, draws: Wish = "reference") -> Fitting:
    settings = FitSettings(data=data, steps=steps, max_gaussians=60).resolved()
    settings = replace(settings, checkpoint_every=1000)
    capture = capture_of(settings)
    run = create(folder, settings, {"data_fingerprint": fingerprint(capture)})
    return Fitting(run, settings, capture, choose_rasterizer(draws))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_transforms(tmp_path / "data", make_scene())
    return tmp_path / "data"


@pytest.fixture
def page_for(data: Path) -> Iterator[Callable[[Fitting], LivePage]]:
    open_: list[LivePage] = []

    def make(fitting: Fitting) -> LivePage:
        capture = capture_of(fitting.settings)
        open_.append(LivePage(fitting, capture, Address(port=18_700)))
        return open_[-1]

    yield make
    for page in open_:
        page.server.close()


def run_with(fitting: Fitting, page: FitPage, stop: Callable[[], bool] = lambda: False) -> bool:
    return fitting.optimise(page.tell, lambda: page.attend(stop))


def test_a_page_that_is_looked_at_changes_no_bit_of_the_fit(
    tmp_path: Path,
    data: Path,
    page_for: Callable[[Fitting], LivePage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = start(tmp_path / "alone", data)
    assert run_with(alone, NoPage())
    seen = start(tmp_path / "seen", data)
    page = page_for(seen)
    # As if a browser wanted a picture of every step.
    monkeypatch.setattr(module, "FASTEST", 0.0)
    monkeypatch.setattr(module, "SHARE", 1e9)
    monkeypatch.setattr(type(page.server), "watchers", 1)
    shown: list[int] = []
    page.subject.listen(lambda: shown.append(seen.step))
    over = threading.Event()

    def look_on() -> None:
        while not over.is_set():
            look = Look("Uncertainty", page.subject.depths)
            page.subject.picture(Vantage(page.subject.stage, page.subject.home, look))

    browser = threading.Thread(target=look_on)
    browser.start()
    try:
        assert run_with(seen, page)
    finally:
        over.set()
        browser.join(PATIENCE)
    assert len(shown) > 20
    for name, tensor in alone.model.gaussians.named().items():
        assert torch.equal(tensor, seen.model.gaussians.named()[name]), name


def test_what_is_shown_does_not_change_under_the_hand(
    tmp_path: Path, data: Path, page_for: Callable[[Fitting], LivePage]
) -> None:
    fitting = start(tmp_path / "run", data, steps=8)
    page = page_for(fitting)
    stage = page.subject.stage
    before = stage.scene.gaussians.means.clone()
    assert run_with(fitting, page)
    # Nobody watches, so that no step was shown, and the fit's own tensors moved on.
    assert page.subject.stage is stage
    assert torch.equal(stage.scene.gaussians.means, before)
    assert not torch.equal(fitting.model.gaussians.means, before)


def test_a_pause_holds_the_fit_and_ctrl_c_ends_it(
    tmp_path: Path, data: Path, page_for: Callable[[Fitting], LivePage]
) -> None:
    fitting = start(tmp_path / "run", data)
    page = page_for(fitting)
    asked: list[int] = []

    def stop() -> bool:
        if fitting.step == 3:
            page.live.pause(True)
        asked.append(fitting.step)
        # Ctrl-C after a while of rest.
        return asked.count(3) >= 3

    assert not run_with(fitting, page, stop)
    assert page.live.state == "paused"
    assert newest(fitting.run).step == 3
    assert asked.count(3) >= 3


def test_a_wish_to_save_makes_a_checkpoint(
    tmp_path: Path, data: Path, page_for: Callable[[Fitting], LivePage]
) -> None:
    fitting = start(tmp_path / "run", data)
    page = page_for(fitting)
    page.live.save()
    found: list[int] = []

    def stop() -> bool:
        found.append(len(list(fitting.run.checkpoints.glob("step_*"))))
        return fitting.step == 2

    run_with(fitting, page, stop)
    assert found == [1, 1, 1]
    assert len(list(fitting.run.checkpoints.glob("step_*"))) == 2


@pytest.mark.skipif(not HAS_CORE, reason="the reference is too slow for a page")
def test_a_person_looks_on_pauses_saves_and_leaves(
    tmp_path: Path,
    data: Path,
    page_for: Callable[[Fitting], LivePage],
    chromium: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FASTEST", 0.2)
    monkeypatch.setattr(module, "SHARE", 1.0)
    alone = start(tmp_path / "alone", data, 80, "native")
    assert run_with(alone, NoPage())
    fitting = start(tmp_path / "run", data, 80, "native")
    page = page_for(fitting)
    page.live.pause(True)
    done: list[bool] = []

    def slowly() -> bool:
        # Slower than a person's finger.
        time.sleep(0.05)
        return False

    work = threading.Thread(target=lambda: done.append(run_with(fitting, page, slowly)))
    work.start()
    visitor = Visitor(chromium, page.server.url)
    try:
        visitor.wait(lambda: visitor.reads("paused"))
        first = page.subject.stage
        visitor.press("Save a checkpoint")
        visitor.wait(lambda: visitor.reads("Step 0 is a checkpoint now."))
        stood = visitor.camera_of(page.server)
        visitor.press("Go on")
        visitor.wait(lambda: page.subject.stage is not first)
        visitor.wait(lambda: visitor.reads("step 20") or fitting.step > 20)
        visitor.press("Pause")
        visitor.wait(lambda: page.live.state == "paused")
        held = fitting.step
        visitor.wait(lambda: visitor.reads("paused"))
        assert visitor.page.locator(".uplot").count() == 2
        assert visitor.camera_of(page.server) == stood
        assert fitting.step == held < 80
        visitor.press("Go on")
        visitor.wait(lambda: fitting.step > held)
        assert not visitor.problems
    finally:
        # The browser goes in the middle of the fit.
        visitor.close()
        page.live.pause(False)
    work.join(PATIENCE)
    assert done == [True]
    for name, tensor in alone.model.gaussians.named().items():
        assert torch.equal(tensor, fitting.model.gaussians.named()[name]), name
