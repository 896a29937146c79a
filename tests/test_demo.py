"""The street that comes with the package, read as any capture is."""

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import recon
from recon.datasets.reader import read_capture
from recon.datasets.synthetic import DEMO

FOLDER = Path(recon.__file__).parent / "demo" / "street"


@pytest.fixture(scope="module")
def capture():
    return read_capture(FOLDER)


def test_it_takes_at_most_five_megabytes():
    assert 1e6 < sum(p.stat().st_size for p in FOLDER.rglob("*") if p.is_file()) <= 5e6


def test_it_was_made_with_the_settings_that_are_kept():
    for name in ("transforms.json", "transforms_lens.json"):
        content = json.loads((FOLDER / name).read_text())
        assert content["synthetic"]["settings"] == asdict(DEMO)


def test_every_view_is_read_and_the_test_views_come_from_all_cameras(capture):
    assert capture.warnings == ()
    assert capture.metric
    assert len(capture.views) == 3 * DEMO.steps
    assert 5000 < len(capture.points) <= DEMO.points
    held_out = [view.sensor for view in capture.test]
    assert len(held_out) == 9
    assert min(held_out.count(name) for name in ("front", "left", "right")) == 3
    for view in capture.views:
        assert (view.camera.width, view.camera.height) == (DEMO.width, DEMO.height)


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


def linear(path):
    srgb = np.array(Image.open(path)).astype(np.float64) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def disc(diameter, fine=8):
    """A disc as a kernel of 13 by 13 pixels, each the mean of fine by fine samples."""
    x = (np.arange(13 * fine) + 0.5) / fine - 6.5
    inside = (x[:, None] ** 2 + x**2 <= (diameter / 2) ** 2).astype(np.float64)
    kernel = inside.reshape(13, fine, 13, fine).mean(axis=(1, 3))
    return kernel / kernel.sum()


def test_photos_through_the_lens_show_the_blur_that_the_file_promises():
    """Blur the sharp twins by the circle of confusion times a factor: 1 must fit best."""
    content = json.loads((FOLDER / "transforms_lens.json").read_text())
    factors = (0.0, 0.7, 0.85, 1.0, 1.2, 1.4)
    errors = np.zeros(len(factors))
    for frame in content["frames"]:
        if "depth_file_path" not in frame:
            continue
        depth = np.array(Image.open(FOLDER / frame["depth_file_path"])) / 256.0
        circle = frame["lens_strength_px_m"] * abs(
            1 / frame["focus_distance"] - 1 / np.where(depth > 0, depth, np.inf)
        )
        # Only where depth is smooth: at its edges, what is behind shows through.
        around = np.ones((9, 9), dtype=np.uint8)
        spread = cv2.dilate(circle, around) - cv2.erode(circle, around)
        smooth = (spread < 1.0) & (circle > 1.5) & (cv2.erode(depth, around) > 0)
        sharp = linear(FOLDER / frame["file_path"].replace("images_lens", "images"))
        photo = linear(FOLDER / frame["file_path"])
        diameters = np.arange(0.5, 8.6, 0.25)
        stack = np.stack([cv2.filter2D(sharp, -1, disc(d)) for d in diameters])
        for index, factor in enumerate(factors):
            nearest = np.clip(np.round((factor * circle - 0.5) / 0.25).astype(int), 0, 32)
            blurred = np.take_along_axis(stack, nearest[None, ..., None], axis=0)[0]
            errors[index] += ((blurred - photo)[smooth] ** 2).mean()
    assert factors[errors.argmin()] == 1.0
    assert errors.min() < errors[0] / 3
