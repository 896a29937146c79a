"""A tiny simulated drive against closed forms, and through the readers of both generations."""

from collections import Counter

import numpy as np
import pytest
import synthetic_drives as known
from drives import assert_same_capture
from PIL import Image

from recon.datasets.reader import read_capture
from recon.datasets.synthetic import drive, synthesize_drive
from recon.datasets.synthetic.drive import drive_segment
from recon.datasets.synthetic.laser import FARTHEST, NOISE, UNIT
from recon.datasets.synthetic.rig import MOUNTS, vehicle_to_world, velocity
from recon.datasets.synthetic.writer import DEPTH_UNIT
from recon.datasets.waymo_write_v1 import write_v1
from recon.errors import UsageError

STEPS = known.PHOTOS.steps


@pytest.fixture(scope="module", autouse=True)
def _flat_street():
    pytest.importorskip("mitsuba")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "street", known.street)
        patch.setattr(drive, "oncoming", known.mover)
        yield


@pytest.fixture(scope="module")
def segment():
    told = []
    made = drive_segment(known.PHOTOS, known.DRIVE, None, lambda *what: told.append(what))
    assert told[-1] == ("FRONT_RIGHT/0002", 9, 9)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive") / "v2"
    synthesize_drive(known.PHOTOS, known.DRIVE, folder, lambda *_: None)
    return folder


@pytest.fixture(scope="module")
def capture(folder):
    return read_capture(folder)


@pytest.fixture(scope="module")
def exact():
    """What each beam should meet: how far away, and what."""
    shape = (STEPS, known.DRIVE.beams, known.DRIVE.columns)
    found = [known.exact(*index) for index in np.ndindex(shape)]
    distances, names = zip(*found, strict=True)
    return np.reshape(distances, shape), np.reshape(names, shape)


def test_ranges_are_exact_up_to_the_noise_that_is_said(segment, exact):
    distances, names = exact
    met = Counter(names.ravel().tolist())
    assert min(met[name] for name in ("ground", "wall", "glass", "parked", "mover", "sky")) > 10
    ranges = np.stack([frame.scans.read()[0].ranges[0] for frame in segment.frames])
    silent = (names == "sky") | (names == "glass") | (distances > FARTHEST + 0.1)
    returned = ~silent & (distances < FARTHEST - 0.1)
    assert (ranges[silent, 0] == -1).all()
    off = ranges[returned, 0] - distances[returned]
    sigma = np.hypot(NOISE, UNIT / np.sqrt(12))
    assert abs(off).max() < 5 * sigma
    assert off.std() == pytest.approx(sigma, rel=0.05)
    assert abs(off.mean()) < 4 * sigma / np.sqrt(len(off))


def test_intensity_is_reflectance_times_the_cosine_of_incidence(segment, exact):
    _, names = exact
    for step, row, column in list(zip(*np.nonzero(names == "ground"), strict=True))[::40]:
        _, ray = known.ray_of(step, row, column)
        expected = ((0.8 + 0.055) / 1.055) ** 2.4 * -ray[2]
        measured = segment.frames[step].scans.read()[0].ranges[0][row, column]
        assert measured[0] < 0 or measured[1] == pytest.approx(expected, abs=1 / 32 + 1e-6)


def test_points_of_the_moving_car_lie_in_its_box(capture, exact):
    _, names = exact
    for sweep, boxes in zip(capture.lidar, capture.boxes, strict=True):
        returns = sweep.returns()
        world = capture.to_source.apply(returns.positions).numpy()
        rows, columns = np.nonzero((names[sweep.step] != "sky") & (names[sweep.step] != "glass"))
        close = exact[0][sweep.step][rows, columns] < FARTHEST - 0.1
        rows, columns = rows[close], columns[close]
        assert len(world) == pytest.approx(len(rows), abs=20)
        index = boxes.tracks.index("moving")
        pose = boxes.poses[index].double().numpy()
        pose[:3, 3] = capture.to_source.apply(boxes.poses[index, :3, 3][None])[0]
        local = (world - pose[:3, 3]) @ pose[:3, :3]
        # The box is of the middle of the turn: at its speed, a car moves 0.4 m until the end.
        near = (abs(local) < boxes.sizes[index].numpy() / 2 + [0.4, 0.06, 0.06]).all(axis=1)
        hits = list(zip(*np.nonzero(names[sweep.step] == "mover"), strict=True))
        assert near.sum() >= len(hits) > 5
        # At its own column's time, every point lies on the body.
        for row, column in hits:
            time = known.column_time(sweep.step, column)
            origin, ray = known.ray_of(sweep.step, row, column)
            place = origin + ray * exact[0][sweep.step][row, column]
            gap = np.linalg.norm(world - place, axis=1).min()
            assert gap < 5 * np.hypot(NOISE, UNIT)
            centre = known.mover_place(time) + np.array([0, 0, 0.75])
            assert (abs(place - centre) < [2.001, 0.901, 0.751]).all()


def test_boxes_are_where_the_cars_are_in_the_middle_of_the_turn(capture):
    for boxes in capture.boxes:
        assert sorted(boxes.tracks) == ["moving", "parked_00"]
        assert boxes.kinds == ("vehicle", "vehicle")
        index = boxes.tracks.index("moving")
        seconds = 0.1 * boxes.step + 0.05
        assert boxes.time == pytest.approx(seconds, abs=1e-6)
        centres = capture.to_source.apply(boxes.poses[:, :3, 3])
        expected = known.mover_place(seconds) + np.array([0, 0, 0.75])
        np.testing.assert_allclose(centres[index], expected, atol=1e-5)
        np.testing.assert_allclose(centres[1 - index], known.PARKED.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(boxes.sizes[index], [4.0, 1.8, 1.5], atol=1e-6)
        np.testing.assert_allclose(boxes.poses[index, :3, 0], [-1, 0, 0], atol=1e-6)
        np.testing.assert_allclose(boxes.velocities[index], [-7 - 2 * seconds, 0, 0], atol=1e-5)
        assert boxes.speeds[1 - index] == 0


def test_velocities_are_differences_of_places(segment):
    """Of the moving car exactly, as it gathers speed evenly; of the driving one nearly."""
    centres = [known.mover().box(0.1 * step + 0.05).center for step in range(3)]
    np.testing.assert_allclose(
        (centres[2] - centres[0]) / 0.2, known.mover().velocity(0.15), atol=1e-9
    )
    for time in np.linspace(0, 5, 17):
        before, after = vehicle_to_world(time - 1e-4), vehicle_to_world(time + 1e-4)
        linear, angular = velocity(time)
        np.testing.assert_allclose((after - before)[:3, 3] / 2e-4, linear, atol=1e-6)
        turned = (after[:3, :3] @ before[:3, :3].T)[1, 0] / 2e-4
        np.testing.assert_allclose(angular, [0, 0, turned], atol=1e-6)
    for frame in segment.frames:
        for image in frame.images:
            linear, _ = velocity(image.pose_time - drive.BEGAN * 1e-6)
            np.testing.assert_allclose(image.motion.linear, linear, atol=1e-5)


def test_each_camera_looks_when_the_laser_does(segment):
    for step, frame in enumerate(segment.frames):
        assert [image.camera for image in frame.images] == ["FRONT", "FRONT_LEFT", "FRONT_RIGHT"]
        for image, mount in zip(frame.images, MOUNTS, strict=True):
            seconds = image.pose_time - drive.BEGAN * 1e-6
            np.testing.assert_allclose(image.vehicle_to_world, vehicle_to_world(seconds), atol=1e-5)
            column = (seconds - 0.1 * step) / 0.1 * known.DRIVE.columns
            around = np.pi - 2 * np.pi * column / known.DRIVE.columns
            assert around == pytest.approx(mount.yaw, abs=1e-3)


def test_recorded_pixels_show_the_points(capture, folder):
    """The exact depth at the recorded pixel is the point's, wherever nothing hides the point."""
    views = {(view.sensor, view.step): view for view in capture.views}
    agreeing, total, twice = 0, 0, 0
    for sweep in capture.lidar:
        returns = sweep.returns()
        twice += int((returns.sensors[:, 1] > 0).sum())
        for number, sensor in enumerate(sweep.sensors, start=1):
            view = views[sensor, sweep.step]
            truth = np.array(Image.open(folder / "truth" / sensor / f"{sweep.step:04d}.png"))
            for slot in (0, 1):
                here = returns.sensors[:, slot] == number
                pose = view.camera.world_to_camera
                depth = (returns.positions[here] @ pose[:3, :3].T + pose[:3, 3])[:, 2].numpy()
                x, y = returns.pixels[here, slot].numpy().T.astype(int)
                exact = truth[y, x] * DEPTH_UNIT
                # A pixel of the road far away spans metres.
                agreeing += (abs(depth / exact - 1) < 0.15).sum()
                total += len(depth)
    assert twice > 20
    assert total > 500
    assert agreeing > 0.93 * total


def test_truth_is_the_depth_of_each_photo(folder, capture):
    for view in capture.views[:3]:
        path = folder / "truth" / view.sensor / f"{view.step:04d}.png"
        depth = np.array(Image.open(path)) * DEPTH_UNIT
        pose = np.linalg.inv(view.camera.world_to_camera.double().numpy())
        origin = capture.to_source.apply(view.camera.position[None])[0].numpy()
        for row in range(view.camera.height // 2 + 4, view.camera.height, 5):
            for column in range(0, view.camera.width, 7):
                pixel = [column + 0.5 - view.camera.cx, row + 0.5 - view.camera.cy, view.camera.fx]
                ray = pose[:3, :3] @ pixel / view.camera.fx
                turned = known.CAR * [-1, -1, 1] + known.mover_place(view.time)
                expected = min(
                    -origin[2] / ray[2],
                    known.crossing(origin, ray, known.WALL_Y),
                    known.crossing(origin, ray, known.GLASS_Y),
                    known.entry(origin, ray, known.PARKED),
                    known.entry(origin, ray, turned),
                )
                assert depth[row, column] == pytest.approx(expected, rel=1e-3, abs=DEPTH_UNIT)


def test_both_generations_are_the_same_capture(segment, capture, tmp_path):
    write_v1(tmp_path / "segment.tfrecord", segment)
    assert_same_capture(read_capture(tmp_path / "segment.tfrecord"), capture)


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        synthesize_drive(known.PHOTOS, known.DRIVE, tmp_path, lambda *_: None)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
