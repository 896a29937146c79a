"""Lenses taken from EXIF: photos written with tags, read and fitted."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from captures import make_scene, write_transforms
from PIL import Image
from PIL.ExifTags import IFD, Base
from test_photo_lens import CAMERA, CPU, blank, capture, small_dots

from recon.commands.capture import capture_of, fingerprint
from recon.config import FitSettings
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.errors import DataError, UsageError
from recon.exif_lens import ExifLens
from recon.fit import Fitting
from recon.optics import aperture_diameter, camera_lens, thin_lens
from recon.parts import PartSettings
from recon.photo_lens import SEARCHES
from recon.raster.interface import Render
from recon.raster.reference import ReferenceRasterizer
from recon.run import create
from recon.through_lens import through_lens
from recon.types import Capture, Exif, ThinLens, View

TAGS = {Base.FNumber: 2.0, Base.FocalLength: 50.0, Base.SubjectDistance: 3.5}


def photographed(folder: Path, tags: dict[Base, float], metric: bool = True) -> Path:
    """A small capture of JPEGs with EXIF; the second photo is at f/4."""
    scene = make_scene(4)
    scene = replace(scene, names=[f"{i}.jpg" for i in range(4)])
    write_transforms(folder, scene, metric=metric)
    for i, name in enumerate(scene.names):
        exif = Image.Exif()
        exif.get_ifd(IFD.Exif).update(tags)
        if i == 1 and Base.FNumber in tags:
            exif.get_ifd(IFD.Exif)[Base.FNumber] = 4.0
        path = folder / "images" / name
        Image.fromarray(scene.photos[i]).save(path, exif=exif)
    return folder


def read(folder: Path, tags: dict[Base, float], metric: bool = True) -> Capture:
    return read_capture(photographed(folder, tags, metric), ReadOptions())


def test_aperture_and_focus_are_those_of_the_tags(tmp_path: Path) -> None:
    taken = read(tmp_path, TAGS)
    lens = ExifLens(taken, 4.0, CPU)
    for view in taken.train:
        found = lens.of(view)
        assert found is not None
        aperture = 50.0 / (4.0 if view.name.endswith("1.jpg") else 2.0) / 1000
        assert float(found.strength) == pytest.approx(aperture * view.camera.fx, rel=1e-5)
        assert float(found.inverse_focus.detach()) == pytest.approx(1 / 3.5, rel=1e-5)
    assert "12.5 to 25 mm" in lens.found()
    assert f"of {len(taken.train)} of {len(taken.train)} photos" in lens.found()


def test_exif_agrees_with_a_calibrated_camera(tmp_path: Path) -> None:
    """A sensor on which the camera's focal length is that of 50 mm focused at 3.5 m."""
    view = read(tmp_path, TAGS).train[0]
    to_sensor_mm = 1 / (1 / 50 - 1 / 3500)
    sensor_mm = to_sensor_mm * view.camera.width / view.camera.fx
    f_number = 4.0 if view.name.endswith("1.jpg") else 2.0
    expected = camera_lens(view.camera, f_number, 3.5, sensor_mm)
    strength = aperture_diameter(f_number, 50.0) * view.camera.fx
    assert strength == pytest.approx(float(expected.strength), rel=1e-4)


@pytest.mark.parametrize(
    ("tag", "words"),
    [(Base.FNumber, r"f-number \(FNumber\)"), (Base.FocalLength, r"focal length \(FocalLength\)")],
)
def test_a_missing_tag_is_named_with_its_photo(tmp_path: Path, tag: Base, words: str) -> None:
    taken = read(tmp_path, {key: value for key, value in TAGS.items() if key != tag})
    with pytest.raises(DataError, match=rf"{taken.train[0].name}.*{words}.*--parts.lens learned"):
        ExifLens(taken, 4.0, CPU)


def test_a_capture_of_unknown_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metres.*--metric.*--parts.lens learned"):
        ExifLens(read(tmp_path, TAGS, metric=False), 4.0, CPU)


def test_an_aperture_needs_a_focal_length() -> None:
    with pytest.raises(UsageError, match="focal length of 0"):
        aperture_diameter(2.0, 0.0)


def with_exif(view: View, distance: float | None) -> View:
    return replace(view, exif=Exif(f_number=0.625, focal_length_mm=50.0, focus_distance=distance))


def test_a_focus_that_no_tag_tells_is_found_in_the_scene(one_thread: None) -> None:
    """The scene is known and sharp; photos of it were taken at f/0.625, one does not say where."""
    native = pytest.importorskip("recon.raster.native", reason="no native core")
    rasterizer, dots = native.NativeRasterizer(), small_dots()
    distances, strength = (2.5, 4.0), 0.08 * CAMERA.fx
    taken = [
        rasterizer.render(dots, CAMERA, lens=thin_lens(strength, d)).color.detach()
        for d in distances
    ]
    views = (with_exif(blank("0"), 2.5), with_exif(blank("1"), None))
    lens = ExifLens(capture(views), 4.0, CPU)
    asked = []

    def misfit(index: int, of: Callable[[View], ThinLens]) -> float:
        asked.append(index)
        drawn = rasterizer.render(dots, CAMERA, lens=of(views[index])).color
        return float((drawn - taken[index]).detach().abs().mean())

    assert lens.of(views[0]) is not None
    assert lens.of(views[1]) is None
    for share in (0.0, *SEARCHES):
        lens.settle(share, misfit)
    assert set(asked) == {1}
    for view, distance in zip(views, distances, strict=True):
        found = lens.of(view)
        assert found is not None
        assert float(found.strength) == pytest.approx(strength)
        assert float(found.inverse_focus.detach()) == pytest.approx(1 / distance, rel=0.05)
    again = ExifLens(capture(views), 4.0, CPU)
    again.restore({name: tensor.detach().clone() for name, tensor in lens.tensors().items()})
    assert again.found() == lens.found()
    assert math.isclose(float(lens.rates()["searches"]), 0)


def test_a_fit_draws_its_photos_through_their_lenses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = photographed(tmp_path / "data", TAGS)
    settings = FitSettings(
        data=data, steps=4, max_gaussians=60, sh_degree=0, parts=PartSettings(lens="exif")
    ).resolved()
    found = capture_of(settings)
    run = create(tmp_path / "run", settings, {"data_fingerprint": fingerprint(found)})
    drawn = []

    def watched(render: Render, lens: ThinLens) -> Render:
        camera = found.train[0].camera
        fx = camera.fx * render.color.shape[1] / camera.width
        drawn.append(float(lens.strength.detach()) / fx)
        return through_lens(render, lens)

    monkeypatch.setattr("recon.fit.through_lens", watched)
    fitting = Fitting(run, settings, found, ReferenceRasterizer())
    before = [plane.detach().clone() for plane in list(fitting.parts.lens.tensors().values())[1:]]
    assert fitting.optimise(lambda progress: None, lambda: False)
    after = list(fitting.parts.lens.tensors().values())[1:]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert "by EXIF" in fitting.parts.lens.found()
    apertures = (0.0125, 0.025)
    assert all(any(a == pytest.approx(told) for told in apertures) for a in drawn)
    assert len(drawn) >= 4
