"""The drive that comes with the package, read as any Waymo segment is."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
import torch

from recon.camera import inside, project
from recon.commands.capture import DEMO
from recon.datasets.reader import read_capture
from recon.datasets.synthetic import DEMO_DRIVE, DEMO_PHOTOS
from recon.drive_facts import drive_facts

STEPS = DEMO_PHOTOS.steps


@pytest.fixture(scope="module")
def capture():
    return read_capture(DEMO)


@pytest.fixture(scope="module")
def sweeps(capture):
    """Every fifth sweep's points, with those of the moving car apart."""
    found = []
    for sweep, boxes in list(zip(capture.lidar, capture.boxes, strict=True))[::5]:
        returns = sweep.returns()
        on_car = torch.zeros(len(returns), dtype=torch.bool)
        if "moving" in boxes.tracks:
            index = boxes.tracks.index("moving")
            pose, size = boxes.poses[index], boxes.sizes[index]
            local = (returns.positions - pose[:3, 3]) @ pose[:3, :3]
            on_car = (local.abs() < size / 2 + 0.2).all(dim=1)
            on_car &= local[:, 2] > -size[2] / 2 + 0.15  # The road below is not the car.
        found.append((sweep.step, returns, on_car))
    return found


def moving(capture):
    """Steps, centres and velocities of the moving car."""
    found = [(b, b.tracks.index("moving")) for b in capture.boxes if "moving" in b.tracks]
    steps = np.array([boxes.step for boxes, _ in found])
    centres = np.stack([boxes.poses[i, :3, 3].double().numpy() for boxes, i in found])
    return steps, centres, np.stack([boxes.velocities[i].numpy() for boxes, i in found])


def test_it_takes_at_most_six_megabytes():
    assert 1e6 < sum(p.stat().st_size for p in DEMO.rglob("*") if p.is_file()) <= 6e6


def test_it_was_made_with_the_settings_that_are_kept():
    about = json.loads((DEMO / "about.json").read_text())
    assert about["settings"] == asdict(DEMO_PHOTOS) | asdict(DEMO_DRIVE)


def test_every_view_is_read_and_whole_time_steps_are_held_out(capture):
    assert capture.format == "waymo-v2"
    assert capture.warnings == ()
    assert not [note for note in capture.notes if "border" in note]
    assert capture.metric
    assert len(capture.views) == 3 * STEPS
    assert len(capture.points) > 20_000
    assert {view.step for view in capture.test} == set(range(STEPS)[10::10])
    assert len(capture.test) == 3 * len(range(STEPS)[10::10])
    for view in capture.views:
        assert (view.camera.width, view.camera.height) == (DEMO_PHOTOS.width, DEMO_PHOTOS.height)


def test_photos_are_neither_dark_nor_burnt_out(capture):
    for view in capture.views[::4]:
        pixels = view.photo.pixels().numpy()
        assert 40 < pixels.mean() < 190
        assert (pixels == 255).all(-1).mean() < 0.02


def test_laser_and_cameras_agree(capture):
    warnings = []
    facts = drive_facts(capture, warnings)
    assert warnings == []
    assert facts.steps == facts.lidar.sweeps == STEPS
    # Whole pixels are recorded: a point is 0.38 px from its pixel's middle, in the median.
    assert facts.lidar.agreement < 0.45
    assert facts.lidar.shown > 0.3
    assert facts.boxes.moving == 1
    assert facts.boxes.tracks > 10


def test_photos_show_the_same_colours_at_the_points_one_step_later(capture, sweeps):
    views = {(view.sensor, view.step): view for view in capture.views}
    here, there = [], []
    for step, returns, on_car in sweeps[:-1]:
        for number, sensor in enumerate(capture.lidar[0].sensors, start=1):
            seen = (returns.sensors[:, 0] == number) & ~on_car
            after = views[sensor, step + 1]
            pixels, depth = project(after.camera, returns.positions[seen])
            kept = inside(after.camera, pixels, depth)
            for colors, view, places in (
                (here, views[sensor, step], returns.pixels[seen, 0][kept]),
                (there, after, pixels[kept]),
            ):
                photo = cv2.blur(view.photo.pixels().numpy(), (3, 3)).astype(float)
                x, y = places.numpy().astype(int).T
                colors.append(photo[y, x])
    a, b = np.concatenate(here), np.concatenate(there)
    assert len(a) > 20_000
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


def test_one_car_moves_as_its_velocity_says_and_the_others_stand(capture):
    steps, centres, velocities = moving(capture)
    assert len(steps) > 20
    assert (np.diff(steps) == 1).all()
    # It gathers speed evenly, so that the mean over two steps is the speed in the middle.
    rates = (centres[2:] - centres[:-2]) / 0.2
    np.testing.assert_allclose(rates, velocities[1:-1], atol=1e-3)
    assert np.linalg.norm(velocities, axis=1).min() > 5
    places = {}
    for boxes in capture.boxes:
        for track, pose, speed in zip(boxes.tracks, boxes.poses, boxes.speeds, strict=True):
            if track != "moving":
                assert speed == 0
                places.setdefault(track, []).append(pose[:3, 3].numpy())
    for centres in places.values():
        np.testing.assert_allclose(centres - centres[0], 0, atol=1e-4)


def test_the_laser_meets_the_moving_car_where_its_box_is_and_nowhere_else(capture, sweeps):
    steps, centres, _ = moving(capture)
    for step, returns, on_car in sweeps:
        assert on_car.sum() >= 5
        road = returns.positions[~on_car].numpy()
        away = np.abs(steps - step) > 10
        for centre in centres[away]:
            # Where it was, or will be, nothing stands on the road.
            near = np.linalg.norm(road - centre, axis=1) < 0.7
            assert not near.any()


def test_photos_show_the_moving_car_where_its_box_is_and_only_for_a_while(capture):
    steps, centres, _ = moving(capture)
    shown = []
    for view in capture.views:
        if view.sensor != "FRONT" or view.step not in steps:
            continue
        centre = torch.from_numpy(centres[list(steps).index(view.step)]).float()
        pixels, depth = project(view.camera, centre[None])
        if inside(view.camera, pixels, depth)[0] and depth[0] > 3:
            shown.append(view.step)
            x, y = pixels[0].int().tolist()
            red, green, blue = view.photo.pixels()[y, x].tolist()
            assert red > 1.5 * max(green, blue)
    assert 10 < len(shown) < 0.8 * STEPS
