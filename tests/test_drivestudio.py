"""A drive written as drivestudio prepares it reads back as itself, and as the Waymo segment."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from drives import make_drive
from drivestudio_folders import MOVING, NUMBERS, SKY, first_returns, write_drivestudio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recon.camera import project
from recon.datasets.drive_source import DriveOptions
from recon.datasets.drivestudio_sweep import read_points
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.waymo_write_v2 import write_v2
from recon.errors import DataError, UsageError
from recon.inspect import inspect_capture
from recon.types import Capture

STEPS = 12
AXES = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drivestudio")
    write_drivestudio(folder, STEPS)
    return folder


@pytest.fixture(scope="module")
def capture(folder: Path) -> Capture:
    return read_capture(folder)


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """The same drive, as Waymo publishes it."""
    folder = tmp_path_factory.mktemp("waymo")
    write_v2(folder, make_drive(STEPS))
    return read_capture(folder)


def test_cameras_stand_on_the_car(capture: Capture) -> None:
    drive = make_drive(12)
    assert (capture.format, capture.metric, capture.warnings) == ("drivestudio", True, ())
    assert len(capture.views) == 2 * STEPS
    views = {view.name: view for view in capture.views}
    for step, frame in enumerate(drive.frames):
        assert frame.vehicle_to_world is not None
        for sensor, rig in drive.cameras.items():
            view = views[f"images/{step:03d}_{NUMBERS[sensor]}.jpg"]
            assert (view.sensor, view.step) == (sensor, step)
            assert view.time == pytest.approx(0.1 * step)
            expected = frame.vehicle_to_world @ rig.camera_to_vehicle @ AXES
            centre = capture.to_source.apply(view.camera.position[None])[0]
            np.testing.assert_allclose(centre, expected[:3, 3], atol=1e-5)
            turned = view.camera.world_to_camera[:3, :3].double().numpy() @ expected[:3, :3]
            np.testing.assert_allclose(turned, np.eye(3), atol=1e-6)
            lens = rig.intrinsics
            found = [view.camera.fx, view.camera.fy, view.camera.cx, view.camera.cy]
            np.testing.assert_allclose(found, [lens.fx, lens.fy, lens.cx, lens.cy])


def test_views_are_waymos_but_for_what_the_car_drove_meanwhile(
    capture: Capture, segment: Capture
) -> None:
    ours = {(view.sensor, view.step): view for view in capture.views}
    for view in segment.views:
        found = ours[view.sensor, view.step]
        apart = capture.to_source.apply(found.camera.position[None]) - segment.to_source.apply(
            view.camera.position[None]
        )
        # 8 m/s for up to 0.05 s.
        assert 0 < apart.norm() < 0.4
        forward = (found.camera.world_to_camera[2, :3] * view.camera.world_to_camera[2, :3]).sum()
        assert forward > 0.999
        assert torch.equal(found.photo.pixels(), view.photo.pixels())


def test_points_are_waymos_first_returns(capture: Capture, segment: Capture) -> None:
    drive = make_drive(12)
    for step in (0, 7):
        returns = capture.lidar[step].returns()
        lasers, world, intensity = zip(*first_returns(drive.frames[step], step), strict=True)
        found = capture.to_source.apply(returns.positions).numpy()
        np.testing.assert_allclose(found, np.concatenate(world), atol=2e-5)
        np.testing.assert_allclose(returns.intensity, np.concatenate(intensity))
        assert returns.laser.tolist() == [
            n for n, points in zip(lasers, world, strict=True) for _ in points
        ]
        assert capture.lidar[step].lasers[:2] == ("TOP", "FRONT")
        theirs = segment.lidar[step].returns()
        first = segment.to_source.apply(theirs.positions[theirs.order == 1]).numpy()
        np.testing.assert_allclose(found, first, atol=3e-3)  # Float32 poses, 42 km away.


def test_points_are_found_where_they_project(capture: Capture) -> None:
    views = {(view.sensor, view.step): view for view in capture.views}
    seen = 0
    for sweep in capture.lidar[::5]:
        assert not sweep.recorded
        returns = sweep.returns()
        for number, sensor in enumerate(sweep.sensors, start=1):
            here = returns.sensors == number
            pixels, depth = project(
                views[sensor, sweep.step].camera, returns.positions[here.any(dim=1)]
            )
            assert (depth > 0).all()
            assert (returns.pixels[here] - pixels).norm(dim=-1).max() < 1e-2
            seen += int(here.sum())
    assert seen > 50


def test_boxes_are_waymos(capture: Capture, segment: Capture) -> None:
    for ours, theirs in zip(capture.boxes, segment.boxes, strict=True):
        assert (ours.tracks, ours.kinds, ours.step) == (("overtaker",), ("vehicle",), theirs.step)
        shift = capture.to_source.translation - segment.to_source.translation
        centres = ours.poses[:, :3, 3].double() + shift
        np.testing.assert_allclose(centres, theirs.poses[:1, :3, 3], atol=1e-4)
        np.testing.assert_allclose(ours.poses[:, :3, :3], theirs.poses[:1, :3, :3], atol=1e-6)
        np.testing.assert_allclose(ours.sizes, theirs.sizes[:1])
        # Theirs are labelled, ours are worked out from where the box was.
        np.testing.assert_allclose(ours.velocities, theirs.velocities[:1], atol=1e-3)


def test_masks(tmp_path: Path) -> None:
    write_drivestudio(tmp_path, 2, bent=False)
    shutil.rmtree(tmp_path / "instances")  # Boxes make masks of their own.
    capture = read_capture(tmp_path)
    assert "4 of 4 photos have a mask of the sky" in capture.notes
    for view in capture.views:
        shape = view.camera.height, view.camera.width
        sky, moving = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
        sky[SKY], moving[MOVING] = True, True
        found, valid = view.photo.sky(), view.photo.valid()
        assert found is not None
        assert valid is not None
        np.testing.assert_array_equal(found, sky)
        np.testing.assert_array_equal(valid, ~moving)
    kept = read_capture(tmp_path, ReadOptions(drive=DriveOptions(moving="keep")))
    assert kept.views[0].photo.valid() is None
    (tmp_path / "dynamic_masks/all").rename(tmp_path / "masks")
    (tmp_path / "dynamic_masks").rmdir()
    (tmp_path / "masks").rename(tmp_path / "dynamic_masks")  # As EmerNeRF has them.
    valid = read_capture(tmp_path).views[0].photo.valid()
    assert valid is not None
    assert not valid[MOVING].any()
    fine = tmp_path / "fine_dynamic_masks/all"
    shutil.copytree(tmp_path / "sky_masks", fine)
    valid = read_capture(tmp_path).views[0].photo.valid()
    assert valid is not None
    assert not valid[SKY].any()
    assert valid[MOVING].all()


def test_masks_that_are_not_there(tmp_path: Path) -> None:
    write_drivestudio(tmp_path, 2, bent=False)
    shutil.rmtree(tmp_path / "instances")
    shutil.rmtree(tmp_path / "sky_masks")
    (tmp_path / "dynamic_masks/all/001_0.png").unlink()
    capture = read_capture(tmp_path)
    assert "0 of 4 photos have a mask of the sky" in capture.notes
    assert "3 of 4 photos have a mask of what moves" in capture.notes
    assert not capture.warnings
    photos = {view.name: view.photo for view in capture.views}
    assert photos["images/001_0.jpg"].valid() is None
    assert photos["images/001_3.jpg"].valid() is not None
    assert photos["images/001_3.jpg"].sky() is None


def test_cameras_and_steps_can_be_chosen(folder: Path) -> None:
    options = DriveOptions(cameras=("SIDE_LEFT",), frames=(2, 9), stride=3)
    capture = read_capture(folder, ReadOptions(hold_every=2, drive=options))
    assert [view.name for view in capture.views] == [f"images/{s:03d}_3.jpg" for s in (2, 5, 8)]
    assert [sweep.step for sweep in capture.lidar] == [boxes.step for boxes in capture.boxes]
    assert capture.lidar[0].sensors == ("SIDE_LEFT",)
    np.testing.assert_allclose(capture.boxes[1].speeds, [12], atol=1e-3)
    with pytest.raises(UsageError, match="--drive"):
        read_capture(folder, ReadOptions(drive=DriveOptions(frames=(40, 50))))


def test_steps_that_begin_late(tmp_path: Path) -> None:
    write_drivestudio(tmp_path, 6)
    for file in [*tmp_path.glob("*/00[012]*"), *tmp_path.glob("*/*/00[012]*")]:
        file.unlink()
    capture = read_capture(tmp_path)
    assert sorted({view.step for view in capture.views}) == [3, 4, 5]
    assert capture.views[0].time == 0
    assert [sweep.step for sweep in capture.lidar] == [3, 4, 5]
    assert [boxes.step for boxes in capture.boxes] == [3, 4, 5]


def test_other_data_sets_have_opencvs_axes(tmp_path: Path, capture: Capture) -> None:
    write_drivestudio(tmp_path, 2)
    for number, rig in zip((0, 3), make_drive(12).cameras.values(), strict=True):
        np.savetxt(tmp_path / f"extrinsics/{number}.txt", rig.camera_to_vehicle @ AXES)
    other = read_capture(tmp_path)
    assert {view.sensor for view in other.views} == {"CAMERA_0", "CAMERA_3"}
    assert other.lidar == ()
    assert any("of Waymo segments only" in note for note in other.notes)
    poses = {view.name: view.camera for view in capture.views}
    for view in other.views:
        np.testing.assert_allclose(
            other.to_source.apply(view.camera.position[None]),
            capture.to_source.apply(poses[view.name].position[None]),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            view.camera.world_to_camera[:3, :3], poses[view.name].world_to_camera[:3, :3], atol=1e-6
        )


def test_a_drive_without_lidar_or_boxes(tmp_path: Path) -> None:
    write_drivestudio(tmp_path, 3)
    shutil.rmtree(tmp_path / "lidar")
    shutil.rmtree(tmp_path / "instances")
    capture = read_capture(tmp_path)
    assert (capture.lidar, capture.boxes, capture.points) == ((), (), None)
    assert any(f"nothing for these time steps in {tmp_path}" in note for note in capture.notes)
    assert not capture.warnings


def test_inspect_tells_of_it(capture: Capture) -> None:
    facts = inspect_capture(capture).drive
    assert facts is not None
    assert facts.lidar is not None
    assert (facts.steps, facts.lidar.sweeps, facts.lidar.training) == (12, 12, 11)
    assert (facts.lidar.recorded, facts.lidar.agreement) == (False, None)
    assert 0.05 < facts.lidar.shown < 0.9
    assert facts.boxes is not None
    assert (facts.boxes.boxes, facts.boxes.tracks, facts.boxes.moving) == (12, 1, 1)


@given(
    arrays(np.float32, st.tuples(st.integers(0, 9), st.just(14)), elements=st.floats(width=32)),
    st.data(),
)
def test_any_points_come_back(
    tmp_path_factory: pytest.TempPathFactory, rows: np.ndarray, data: st.DataObject
) -> None:
    for column, low, high in ((9, -1, 4), (10, 0, 1), (13, 0, 4)):
        rows[:, column] = data.draw(
            st.lists(st.integers(low, high), min_size=len(rows), max_size=len(rows))
        )
    file = tmp_path_factory.getbasetemp() / "points.bin"
    file.write_bytes(rows.astype("<f4").tobytes())
    finite = np.isfinite(rows).all(axis=1)
    np.testing.assert_array_equal(read_points(file, 5), rows[finite])


@given(st.binary(max_size=300))
def test_any_bytes_as_points(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.bin"
    file.write_bytes(content)
    with contextlib.suppress(DataError):
        assert np.isfinite(read_points(file, 5)).all()


def test_points_of_another_data_set_are_refused(tmp_path: Path) -> None:
    """KITTI's have 16 bytes, so 7 of them have a right number of bytes."""
    file = tmp_path / "000.bin"
    random = np.random.default_rng(0)
    file.write_bytes(random.normal(size=(14, 4)).astype("<f4").tobytes())
    with pytest.raises(DataError, match=r"000\.bin: column 9 .*not drivestudio's 14 columns"):
        read_points(file, 5)
