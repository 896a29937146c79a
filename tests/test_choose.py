"""Choosing a rasterizer: by what it draws, and with a reason that helps."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from recon.errors import ResourceError
from recon.raster import choose
from recon.raster.interface import Rasterizer, Render
from recon.raster.reference import ReferenceRasterizer

pytestmark = pytest.mark.usefixtures("one_thread")


class Dimmed(Rasterizer):
    """A rasterizer whose colours are wrong by a percent."""

    name = "native"

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def render(self, *args: Any, **options: Any) -> Render:
        image = ReferenceRasterizer().render(*args, **options)
        return replace(image, color=0.99 * image.color)


def broken() -> Rasterizer:
    raise OSError("libgomp.so.1: cannot open shared object file\nand more")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_auto_takes_the_first_that_works() -> None:
    working = [report.name for report in choose.probe() if report.works]
    assert working[-1] == "reference"
    assert choose.choose_rasterizer().name == working[0]


def test_a_rasterizer_asked_for_is_taken() -> None:
    assert choose.choose_rasterizer("reference").name == "reference"


@pytest.mark.usefixtures("no_gpu")
def test_gsplat_without_a_gpu_is_an_error_that_helps() -> None:
    with pytest.raises(ResourceError, match=r"gsplat .* does not work here: .*GPU.*install.*auto"):
        choose.choose_rasterizer("gsplat")


@pytest.mark.usefixtures("no_gpu")
def test_a_rasterizer_that_draws_wrongly_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(choose.FACTORIES, "native", Dimmed)
    assert choose.choose_rasterizer().name == "reference"
    report = next(report for report in choose.probe() if report.name == "native")
    assert not report.works
    assert "first picture was wrong" in report.reason
    with pytest.raises(ResourceError, match="the native rasterizer does not work here"):
        choose.choose_rasterizer("native")


@pytest.mark.usefixtures("no_gpu")
def test_a_rasterizer_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(choose.FACTORIES, "native", broken)
    assert choose.choose_rasterizer().name == "reference"
    report = next(report for report in choose.probe() if report.name == "native")
    assert report.reason == "OSError: libgomp.so.1: cannot open shared object file"


@pytest.mark.usefixtures("no_gpu")
def test_without_a_core_the_reason_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "HAS_CORE", False)
    report = next(report for report in choose.probe() if report.name == "native")
    assert "install a C++ compiler" in report.reason
