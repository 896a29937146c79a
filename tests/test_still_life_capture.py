"""Defocused captures: made by a ray tracer, held to the lens formula, and recognised when read."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from recon.config import FitSettings
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.datasets.synthetic import PhotoSettings, StillLifeSettings, synthesize_still_life
from recon.defocus import defocus
from recon.exif_lens import ExifLens
from recon.optics import signed_coc, stated_lens
from recon.out_of_focus import out_of_focus
from recon.parts import PartSettings, choose_parts
from recon.photo_lens import Pinhole
from recon.types import Capture, Exif

PHOTOS = PhotoSettings(seed=1, width=96, height=64, samples=4, jpeg_quality=95)
SETTINGS = StillLifeSettings(views=4, hold_every=2, finer=3, points=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mitsuba")
    made = tmp_path_factory.mktemp("lives") / "one"
    synthesize_still_life(PHOTOS, SETTINGS, made, lambda *_: None)
    return made


@pytest.fixture(scope="module")
def capture(folder: Path) -> Capture:
    return read_capture(folder, ReadOptions())


def test_blurred_photos_train_and_sharp_ones_test(folder: Path, capture: Capture) -> None:
    assert [view.name for view in capture.train] == ["images/01.jpg", "images/03.jpg"]
    assert [view.name for view in capture.test] == ["images_sharp/00.jpg", "images_sharp/02.jpg"]
    sharp = read_capture(folder / "transforms_sharp.json", ReadOptions())
    assert [view.name for view in sharp.train] == ["images_sharp/01.jpg", "images_sharp/03.jpg"]
    for one, other in zip(sharp.train, capture.train, strict=True):
        assert torch.equal(one.camera.world_to_camera, other.camera.world_to_camera)


def test_photos_are_the_sharp_ones_seen_through_the_lens_that_they_state(
    folder: Path, capture: Capture
) -> None:
    sharp = read_capture(folder / "transforms_sharp.json", ReadOptions())
    for view, whole in zip(capture.train, sharp.train, strict=True):
        depth, lens = whole.photo.depth(), stated_lens(view.exif, view.camera)
        assert depth is not None
        assert lens is not None
        photo, picture = (v.photo.pixels().float() / 255 for v in (view, whole))

        def off(factor: float, of=(picture, depth, lens, photo)) -> float:  # type: ignore[no-untyped-def]
            picture, depth, lens, photo = of
            through = replace(lens, strength=factor * lens.strength)
            return float((defocus(picture, depth.z, through) - photo)[8:-8, 8:-8].square().mean())

        errors = {factor: off(factor) for factor in (0.0, 0.6, 1.0, 1.6)}
        assert min(errors, key=errors.__getitem__) == 1.0, errors


def test_start_points_lie_on_what_is_seen(capture: Capture) -> None:
    assert capture.points is not None
    assert 100 < len(capture.points) <= 300


def test_photos_whose_lens_blurs_are_fitted_through_it(capture: Capture) -> None:
    cpu = torch.device("cpu")
    found = out_of_focus(capture.train, capture.points)
    assert found is not None
    depth = capture.train[0].photo.depth()
    assert depth is not None
    shares = []
    for view in capture.train:
        depth, lens = view.photo.depth(), stated_lens(view.exif, view.camera)
        assert depth is not None
        assert lens is not None
        shares.append((signed_coc(depth.z, lens).abs() > 2.0 * 96 / 360).float().mean())
    assert found.share == pytest.approx(float(torch.stack(shares).mean()), abs=0.1)
    assert any("photos out of focus" in note for note in capture.notes)
    assert isinstance(choose_parts(FitSettings(Path()).parts, capture, 1.0, cpu).lens, ExifLens)
    assert isinstance(choose_parts(PartSettings(lens="off"), capture, 1.0, cpu).lens, Pinhole)


def test_small_apertures_and_silent_photos_are_taken_as_sharp(capture: Capture) -> None:
    cpu = torch.device("cpu")
    for exif in (lambda e: replace(e, f_number=22.0), lambda _: Exif()):
        views = tuple(replace(view, exif=exif(view.exif)) for view in capture.views)
        other = replace(capture, views=views)
        assert out_of_focus(other.train, other.points) is None
        assert isinstance(choose_parts(PartSettings(), other, 1.0, cpu).lens, Pinhole)
