"""What a fit is forecast to take, against published fits and fits that were measured."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recon import forecast
from recon.config import FitSettings
from recon.errors import ResourceError
from recon.forecast import Forecaster, check_memory, needed_bytes
from recon.memory import MemorySettings
from recon.workload import Workload

CPU = torch.device("cpu")
PUBLISHED = {
    # Photos' width and height, millions of Gaussians, seconds, and GB, after 30,000 steps.
    "bicycle": (1237, 822, 6.26, 2964, 10.58),
    "bonsai": (1559, 1039, 1.25, 1422, 2.29),
    "counter": (1558, 1038, 1.21, 1621, 2.23),
    "garden": (1297, 840, 5.84, 3013, 9.88),
    "kitchen": (1558, 1039, 1.79, 2020, 3.17),
    "room": (1557, 1038, 1.59, 1708, 2.79),
    "stump": (1245, 825, 4.81, 2299, 8.10),
}
"""gsplat's documentation, tests/eval."""
MEASURED = {
    # Width, height, photos, Gaussians, and MB at most, scoring included.
    "fox": (540, 960, 43, 39_999, 711),
    "fox, more": (540, 960, 43, 125_421, 976),
    "fountain": (1536, 1024, 9, 49_407, 906),
}
"""Fits of the real captures of those names with the native core, by the system's own count."""


def settings(**changes: object) -> FitSettings:
    made = FitSettings(data=Path("nowhere")).resolved()
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fits_on_a_gpu(name: str) -> None:
    width, height, millions, seconds, gigabytes = PUBLISHED[name]
    work = Workload(width, height, 200, 200 * width * height, 50_000)
    wish = settings(steps=30_000, max_gaussians=round(1e6 * millions))
    found = Forecaster(wish, 0.0, 0.0)(work)
    assert found.gpu_seconds == pytest.approx(seconds, rel=0.15)
    assert found.gpu_memory_bytes == pytest.approx(1e9 * gigabytes, rel=0.03)


@pytest.mark.parametrize("name", MEASURED)
def test_measured_fits_on_a_cpu(name: str) -> None:
    width, height, photos, gaussians, megabytes = MEASURED[name]
    work = Workload(width, height, photos, photos * width * height, 10_000)
    found = needed_bytes(settings(max_gaussians=gaussians), work)
    assert found == pytest.approx(1e6 * megabytes, rel=0.1)


def test_photos_count_as_far_as_they_are_kept() -> None:
    work = Workload(1920, 1280, 900, 900 * 1920 * 1280, 0)
    kept = settings(memory=MemorySettings(photos=2.0))
    few = settings(memory=MemorySettings(photos=0.5))
    assert needed_bytes(kept, work) - needed_bytes(few, work) == 3 * 2**29


def test_a_fit_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "available_memory_bytes", lambda: 2 * 2**30)
    monkeypatch.setattr(forecast, "memory_bytes", lambda: 2**30)
    small = Workload(640, 480, 10, 10 * 640 * 480, 0)
    check_memory(settings(), small, CPU)
    large = settings(max_gaussians=2_900_000)
    words = r"about 9\.\d GiB of memory, and 3\.0 GiB.*--max-gaussians.*--downscale"
    with pytest.raises(ResourceError, match=words) as found:
        check_memory(large, small, CPU)
    assert "--drive.cameras" not in str(found.value)
    with pytest.raises(ResourceError, match=r"--drive\.cameras or --drive\.frames"):
        check_memory(large, replace(small, drive=True), CPU)
    check_memory(replace(large, memory=MemorySettings(regardless=True)), small, CPU)


def test_a_gpu_has_memory_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**33))
    small = Workload(640, 480, 10, 10 * 640 * 480, 0)
    check_memory(settings(), small, torch.device("cuda"))
    with pytest.raises(ResourceError, match=r"of memory on the GPU, and 1\.0 GiB"):
        check_memory(settings(max_gaussians=3_000_000), small, torch.device("cuda"))


def test_time_follows_pixels_gaussians_and_the_clock() -> None:
    work = Workload(1000, 500, 10, 5_000_000, 0)
    forecaster = Forecaster(settings(steps=1000, max_gaussians=40_000), 2e-8, 1e-6)
    assert forecaster(work).seconds == pytest.approx(1000 * (2e-8 * 5e5 + 1e-6 * 30_000))
    bounded = settings(steps=1000, max_gaussians=40_000, minutes=0.5)
    assert Forecaster(bounded, 2e-8, 1e-6)(work).seconds == 30
