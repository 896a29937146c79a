"""Coming back to a run: its data, moved or changed, and its checkpoints."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from captures import make_scene, write_transforms
from drives import make_drive

from recon.commands.capture import capture_of, fingerprint, newest, reopen
from recon.config import FitSettings
from recon.datasets.source import ReadOptions
from recon.datasets.waymo_write_v2 import write_v2
from recon.errors import DataError, UsageError
from recon.fit import Fitting
from recon.parts import PartSettings
from recon.raster.reference import ReferenceRasterizer
from recon.run import Run, create


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_transforms(tmp_path / "data", make_scene())
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path: Path, data: Path) -> Run:
    settings = FitSettings(data=data).resolved()
    found = {"data_fingerprint": fingerprint(capture_of(settings))}
    return create(tmp_path / "run", settings, found)


def test_data_that_moved_is_found_again(run: Run, data: Path, tmp_path: Path) -> None:
    assert reopen(run, None)[0].data == data
    shutil.move(data, tmp_path / "elsewhere")
    with pytest.raises(DataError, match="--data"):
        reopen(run, None)
    settings, capture = reopen(run, tmp_path / "elsewhere")
    assert settings.data == capture.path == tmp_path / "elsewhere"


def test_data_that_changed_is_refused(run: Run, data: Path) -> None:
    """Its cameras' centre is the scene's origin, so that a picture of it would be wrong."""
    content = json.loads((data / "transforms.json").read_text())
    content["frames"].pop()
    (data / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="not those this run was fitted to"):
        reopen(run, None)


def test_only_a_fit_that_goes_on_gathers_points_to_begin_with(tmp_path: Path) -> None:
    write_v2(tmp_path / "drive", make_drive())
    settings = FitSettings(data=tmp_path / "drive").resolved()
    began = capture_of(settings)
    run = create(tmp_path / "run", settings, {"data_fingerprint": fingerprint(began)})
    assert reopen(run, None)[1].points is None
    points = reopen(run, None, start_points=True)[1].points
    assert began.points is not None
    assert points is not None
    assert torch.equal(points.positions, began.points.positions)


def test_photos_are_not_shrunk_below_what_can_be_scored(data: Path) -> None:
    with pytest.raises(UsageError, match="--downscale 10"):
        capture_of(FitSettings(data=data, read=ReadOptions(downscale=10.0)))


def test_a_fit_that_learns_its_lens_goes_on_to_the_same_bytes(tmp_path: Path, data: Path) -> None:
    """Stopped between the two searches for the lens, and never stopped."""
    parts = PartSettings(lens="learned")
    settings = FitSettings(data=data, steps=20, max_gaussians=60, parts=parts).resolved()
    capture = capture_of(settings)
    surroundings = {"data_fingerprint": fingerprint(capture)}
    at_once = Fitting(
        create(tmp_path / "one", settings, surroundings), settings, capture, ReferenceRasterizer()
    )
    assert at_once.optimise(lambda _: None, lambda: False)
    assert at_once.parts.lens.found().startswith("aperture")
    run = create(tmp_path / "two", settings, surroundings)
    first = Fitting(run, settings, capture, ReferenceRasterizer())
    assert not first.optimise(lambda _: None, lambda: first.step >= 6)
    again = Fitting(run, settings, capture, ReferenceRasterizer())
    again.restore(newest(run))
    assert again.optimise(lambda _: None, lambda: False)
    assert again.parts.lens.found() == at_once.parts.lens.found()
    for name, tensor in at_once.model.gaussians.named().items():
        assert torch.equal(tensor, again.model.gaussians.named()[name])
