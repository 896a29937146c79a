"""Focal stacks: made by a ray tracer, held to our own blur, and recognised when read."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from recon.commands.data import Synthesize
from recon.config import FitSettings
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.datasets.synthetic import PhotoSettings, StackSettings, synthesize_stack
from recon.datasets.synthetic.painted import FARTHEST, NEAREST, paint
from recon.datasets.synthetic.patterns import KINDS
from recon.defocus import defocus
from recon.errors import UsageError
from recon.exif_lens import ExifLens
from recon.focal_stack import focal_stack
from recon.optics import camera_lens, signed_coc, stated_lens
from recon.parts import PartSettings, choose_parts
from recon.photo_lens import Pinhole
from recon.types import Camera, Capture, Exif

PHOTOS = PhotoSettings(seed=5, width=96, height=64, samples=9)
SETTINGS = StackSettings(slices=3, coc=8.0, finer=3, points=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mitsuba")
    made = tmp_path_factory.mktemp("stacks") / "one"
    told: list[tuple[str, int, int]] = []
    synthesize_stack(PHOTOS, SETTINGS, made, lambda *one: told.append(one))
    assert [one[1:] for one in told] == [(i, 4) for i in (1, 2, 3, 4)]
    return made


@pytest.fixture(scope="module")
def capture(folder: Path) -> Capture:
    return read_capture(folder, ReadOptions())


def test_every_slice_trains_and_the_sharp_photo_tests(capture: Capture) -> None:
    assert [view.name for view in capture.train] == [f"images/{i:02d}.png" for i in range(3)]
    assert [view.name for view in capture.test] == ["images/sharp.png"]
    assert any("focal stack: 3 photos" in note for note in capture.notes)
    assert len(capture.points or ()) == 200


def test_lenses_are_stated_as_the_file_names_them(folder: Path, capture: Capture) -> None:
    frames = json.loads((folder / "transforms.json").read_text())["frames"]
    for view, frame in zip(capture.train, frames, strict=False):
        lens = stated_lens(view.exif, view.camera)
        assert lens is not None
        assert float(lens.strength) == pytest.approx(frame["lens_strength_px_m"], rel=1e-5)
        assert 1 / float(lens.inverse_focus) == pytest.approx(frame["focus_distance"], rel=1e-5)


def test_slices_are_the_sharp_photo_seen_through_their_lenses(capture: Capture) -> None:
    """The ray tracer and the blur of images agree best at the strength that is stated."""
    sharp = capture.test[0].photo.pixels().float() / 255
    for view in capture.train:
        depth, lens = view.photo.depth(), stated_lens(view.exif, view.camera)
        assert depth is not None
        assert lens is not None
        photo = view.photo.pixels().float() / 255

        def off(factor: float, of=(depth, lens, photo)) -> float:  # type: ignore[no-untyped-def]
            depth, lens, photo = of
            ours = defocus(sharp, depth.z, replace(lens, strength=factor * lens.strength))
            return float((ours - photo)[10:-10, 10:-10].square().mean())

        errors = {factor: off(factor) for factor in (0.0, 0.7, 1.0, 1.4)}
        assert min(errors, key=errors.__getitem__) == 1.0, errors
        assert errors[1.0] < 10**-3.0


def test_the_blur_is_as_wide_as_was_asked_for(capture: Capture) -> None:
    view = capture.train[0]
    depth, lens = view.photo.depth(), stated_lens(view.exif, view.camera)
    assert depth is not None
    assert lens is not None
    coc = signed_coc(depth.z, lens).abs()
    assert float(coc.quantile(0.98)) == pytest.approx(8.0, rel=0.05)


def test_the_same_seed_is_the_same_stack(folder: Path, tmp_path: Path) -> None:
    synthesize_stack(PHOTOS, SETTINGS, tmp_path / "again", lambda *_: None)
    for path in folder.rglob("*.png"):
        again = cv2.imread(str(tmp_path / "again" / path.relative_to(folder)), -1)
        assert np.array_equal(cv2.imread(str(path), -1), again), path


def test_a_stack_is_fitted_through_its_stated_lenses(capture: Capture) -> None:
    cpu = torch.device("cpu")
    lens = choose_parts(FitSettings(Path()).parts, capture, 1.0, cpu).lens
    assert isinstance(lens, ExifLens)
    assert isinstance(choose_parts(PartSettings(lens="off"), capture, 1.0, cpu).lens, Pinhole)
    silent = replace(capture, views=tuple(replace(v, exif=Exif()) for v in capture.views))
    assert isinstance(choose_parts(PartSettings(), silent, 1.0, cpu).lens, Pinhole)
    for view in capture.train:
        begun, stated = lens.of(view), stated_lens(view.exif, view.camera)
        assert begun is not None
        assert stated is not None
        assert float(begun.inverse_focus.detach()) == pytest.approx(
            float(stated.inverse_focus), rel=1e-5
        )


def test_what_is_no_stack_is_taken_for_none(capture: Capture) -> None:
    views = capture.train
    assert focal_stack(views) is not None
    assert focal_stack(views[:1]) is None
    assert focal_stack(capture.views) is None  # The sharp photo states no lens.
    pose = views[0].camera.world_to_camera.clone()
    pose[0, 3] += 0.01
    moved = replace(views[0], camera=views[0].camera.moved(pose))
    assert focal_stack((moved, *views[1:])) is None
    assert focal_stack((views[0], views[0])) is None  # One distance of focus.


def test_a_stated_lens_is_the_camera_lens_of_the_same_numbers() -> None:
    camera = Camera(torch.eye(4), 800.0, 800.0, 320.0, 240.0, 640, 480)
    calibrated = camera_lens(camera, 1.8, 2.0, sensor_width_mm=24.0)
    # The sensor stands at v = 800 px = 30 mm; 1/f = 1/v + 1/s.
    focal_length = 1 / (1 / 30 + 1 / 2000)
    exif = Exif(f_number=1.8, focal_length_mm=focal_length, focus_distance=2.0)
    stated = stated_lens(exif, camera)
    assert stated is not None
    assert float(stated.strength) == pytest.approx(float(calibrated.strength), rel=1e-6)
    assert float(stated.inverse_focus) == pytest.approx(0.5)
    for lacking in ("f_number", "focal_length_mm", "focus_distance"):
        for value in (None, 0.0, float("inf")):
            assert stated_lens(replace(exif, **{lacking: value}), camera) is None


def test_settings_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--stack\.\* belongs to --kind focal-stack"):
        Synthesize(tmp_path / "new", kind="drive", stack=StackSettings(slices=3))()
    with pytest.raises(UsageError, match="slices"):
        StackSettings(slices=0)


def test_painted_scenes_are_seeded_sharp_and_in_range() -> None:
    seen = set()
    for seed in range(12):
        one, two = (paint(np.random.default_rng(seed), 40, 56) for _ in range(2))
        assert np.array_equal(one.light, two.light)
        assert np.array_equal(one.nearness, two.nearness)
        assert one.light.shape == (40, 56, 3)
        assert one.light.min() >= 0
        assert 1 / FARTHEST <= one.nearness.min() <= one.nearness.max() <= 1 / NEAREST
        seen.add(float(one.light.mean()))
    assert len(seen) == 12


@pytest.mark.parametrize("kind", sorted({kind.__name__: kind for kind in KINDS}.items()))
def test_patterns_fill_their_size_with_shares(kind) -> None:  # type: ignore[no-untyped-def]
    field = kind[1](np.random.default_rng(3), 48, 70)
    assert field.shape == (48, 70)
    assert field.dtype == np.float32
    assert field.min() >= 0
    assert field.max() <= 1
    assert field.max() - field.min() > 0.2
