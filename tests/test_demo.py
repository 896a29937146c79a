"""The street that comes with the package, read as any capture is."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

import recon
from recon.datasets.reader import read_capture
from recon.datasets.synthetic import PhotoSettings, StreetSettings

PHOTOS = PhotoSettings(width=400, height=264, samples=36, jpeg_quality=90)
STREET = StreetSettings(depth_every=2)
FOLDER = Path(recon.__file__).parent / "demo" / "street"


@pytest.fixture(scope="module")
def capture():
    return read_capture(FOLDER)


def test_it_takes_at_most_five_megabytes():
    assert 1e6 < sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file()) <= 5e6


def test_it_was_made_with_the_settings_that_are_kept():
    for name in ("transforms.json", "transforms_lens.json"):
        content = json.loads((FOLDER / name).read_text())
        assert content["synthetic"]["settings"] == asdict(PHOTOS) | asdict(STREET)


def test_every_view_is_read_and_the_test_views_come_from_all_cameras(capture):
    assert capture.warnings == ()
    assert capture.metric
    assert len(capture.views) == 3 * PHOTOS.steps
    assert 5000 < len(capture.points) <= STREET.points
    held_out = [view.sensor for view in capture.test]
    assert len(held_out) == 9
    assert min(held_out.count(name) for name in ("front", "left", "right")) == 3
    for view in capture.views:
        assert (view.camera.width, view.camera.height) == (PHOTOS.width, PHOTOS.height)


def test_held_out_views_have_depth_from_near_to_far(capture):
    near, far = [], []
    for view in capture.test:
        depth = view.photo.depth()
        assert depth is not None
        z = depth.z[depth.valid]
        near.append(float(z.min()))
        far.append(float(z.max()))
    assert 1.0 < min(near) < 3.0
    assert max(far) > 100.0


def test_photos_are_neither_dark_nor_burnt_out(capture):
    for view in capture.views:
        pixels = view.photo.pixels().numpy()
        assert 40 < pixels.mean() < 190
        assert (pixels == 255).all(-1).mean() < 0.02
