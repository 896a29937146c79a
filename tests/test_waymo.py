"""A drive written as Waymo v1 and as v2 reads back as itself, and as its own exact geometry."""

import io
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from drives import (
    BEGAN,
    FAR,
    HOUSE,
    NAME,
    assert_same_capture,
    car_pose,
    make_drive,
    other_car,
    velocity,
    world_points,
)
from PIL import Image

from recon.camera import inside, project
from recon.datasets import parquet_rows
from recon.datasets.drive_source import DriveOptions
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.waymo_segment import CAMERAS
from recon.datasets.waymo_write_v1 import write_v1
from recon.datasets.waymo_write_v2 import write_v2
from recon.errors import DataError, UsageError
from recon.types import Capture, View

STEPS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive")
    write_v1(folder / "segment.tfrecord", make_drive(STEPS))
    write_v2(folder / "v2", make_drive(STEPS))
    return folder


@pytest.fixture(params=["segment.tfrecord", "v2"])
def path(request: pytest.FixtureRequest, folder: Path) -> Path:
    return folder / str(request.param)


@pytest.fixture(scope="module")
def both(folder: Path) -> tuple[Capture, Capture]:
    return read_capture(folder / "segment.tfrecord"), read_capture(folder / "v2")


@pytest.fixture(params=[0, 1], ids=["v1", "v2"])
def capture(request: pytest.FixtureRequest, both: tuple[Capture, Capture]) -> Capture:
    found = both[request.param]
    assert isinstance(found, Capture)
    return found


def view_of(capture: Capture, name: str) -> View:
    return next(view for view in capture.views if view.name == name)


def test_both_generations_are_the_same_capture(both: tuple[Capture, Capture]) -> None:
    assert_same_capture(*both)
    for capture in both:
        assert capture.warnings == ()
        assert all(view.shutter is not None for view in capture.views)


def test_cameras_stand_where_the_car_was_when_the_middle_line_saw(capture: Capture) -> None:
    drive = make_drive(STEPS)
    assert len(capture.views) == 2 * STEPS
    assert capture.metric
    axes = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    for step, frame in enumerate(drive.frames):
        for image in frame.images:
            view = view_of(capture, f"{image.camera}/{step:04d}")
            assert image.exposure is not None
            middle = image.exposure.middle - BEGAN * 1e-6
            assert view.time == pytest.approx(middle, abs=1e-6)
            rig = drive.cameras[image.camera]
            expected = car_pose(middle) @ rig.camera_to_vehicle @ axes
            centre = capture.to_source.apply(view.camera.position[None])[0]
            # Float32 keeps 2 mm at 40 km; the world's origin is as far in real segments.
            np.testing.assert_allclose(centre, expected[:3, 3], atol=1e-5)
            turned = view.camera.world_to_camera[:3, :3].double().numpy() @ expected[:3, :3]
            np.testing.assert_allclose(turned, np.eye(3), atol=1e-6)


def test_lenses_and_pixels(capture: Capture) -> None:
    drive = make_drive(STEPS)
    for step, frame in enumerate(drive.frames[:2]):
        for image in frame.images:
            view = view_of(capture, f"{image.camera}/{step:04d}")
            lens = drive.cameras[image.camera].intrinsics
            found = [view.camera.fx, view.camera.fy, view.camera.cx, view.camera.cy]
            assert found == [lens.fx, lens.fy, lens.cx, lens.cy]
            decoded = np.asarray(Image.open(io.BytesIO(image.image.read())))
            pixels = view.photo.pixels()
            assert tuple(pixels.shape) == decoded.shape
            # Where the lens bends nothing, around its axis, photo and view are the same.
            row, column = round(lens.cy), round(lens.cx)
            np.testing.assert_allclose(pixels[row, column], decoded[row, column], atol=4)


def test_shutter(capture: Capture) -> None:
    view = view_of(capture, "FRONT/0003")
    assert view.shutter is not None
    assert view.shutter.readout == pytest.approx(0.044, abs=1e-6)
    assert view.shutter.direction.value == "right"
    later, dt = car_pose(view.time + 0.01), 0.01
    rig = make_drive(STEPS).cameras["FRONT"].camera_to_vehicle
    moved = (later @ rig)[:3, 3] - (car_pose(view.time) @ rig)[:3, 3]
    np.testing.assert_allclose(view.shutter.linear * dt, moved, atol=1e-3)
    np.testing.assert_allclose(view.shutter.angular, [0, 0, 0.15], atol=1e-6)


def test_returns_lie_on_road_house_and_car(capture: Capture) -> None:
    for step in (0, 5, 11):
        returns = capture.lidar[step].returns()
        points = capture.to_source.apply(returns.positions).numpy() - FAR
        on_road = np.abs(points[:, 2]) < 0.02
        low, high = HOUSE
        outside = np.maximum(low - points, points - high).max(axis=1)
        on_house = np.abs(outside) < 0.02
        # The car moves 1.2 m while it is scanned.
        local = np.abs(points - (other_car(step * 0.1 + 0.05)[:3, 3] - FAR))
        on_car = (local < [2.25 + 0.62, 0.97, 0.82]).all(axis=1)
        assert (on_road | on_house | on_car).all()
        assert on_house.sum() > 5
        assert {1, 2} == set(returns.order.tolist())
        assert capture.lidar[step].lasers == ("TOP", "FRONT")
        assert {0, 1} == set(returns.laser.tolist())
        assert 0 < returns.unlabeled.sum() < len(returns) / 4


def test_returns_are_placed_by_their_pixels_own_pose(capture: Capture) -> None:
    frame = make_drive(STEPS).frames[4]
    assert frame.scans is not None
    expected = [points for scan in frame.scans.read() for points in world_points(scan, 0.4)]
    found = capture.to_source.apply(capture.lidar[4].returns().positions)
    # Float32 poses of pixels are good to 2 mm where the world's origin is 42 km away.
    np.testing.assert_allclose(found, np.concatenate(expected), atol=3e-3)


def test_shown_points_are_those_with_a_recorded_pixel(path: Path) -> None:
    sweep = read_capture(path).lidar[3]
    every, shown = sweep.returns(), sweep.shown()
    some = (every.sensors > 0).any(dim=1)
    assert 0 < int(some.sum()) < len(every)
    for column in fields(every):
        expected, found = getattr(every, column.name)[some], getattr(shown, column.name)
        assert torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1)), column.name


def test_recorded_pixels_are_where_points_project(capture: Capture) -> None:
    sweep = capture.lidar[3]
    returns = sweep.returns()
    seen = 0
    for number, sensor in enumerate(sweep.sensors, start=1):
        view = view_of(capture, f"{sensor}/0003")
        for which in (0, 1):
            here = returns.sensors[:, which] == number
            if not here.any():
                continue
            pixels, depth = project(view.camera, returns.positions[here])
            assert (depth > 0).all()
            # The writer keeps whole pixels; a strong lens stretches them a little.
            off = (pixels - returns.pixels[here, which]).abs()
            assert off.max() < 0.9
            assert off.median() < 0.3
            seen += int(here.sum())
    assert seen > 40
    none = returns.sensors == 0
    assert returns.pixels[none].isnan().all()
    assert not returns.pixels[~none].isnan().any()


def test_pixels_follow_the_views_size(folder: Path) -> None:
    full = read_capture(folder / "v2").lidar[2].returns()
    half = read_capture(folder / "v2", ReadOptions(downscale=2.0)).lidar[2].returns()
    torch.testing.assert_close(half.pixels, full.pixels / 2, equal_nan=True)


def test_boxes(capture: Capture) -> None:
    assert [boxes.step for boxes in capture.boxes] == list(range(STEPS))
    for boxes in capture.boxes:
        assert boxes.tracks == ("overtaker", "sign")
        assert boxes.kinds == ("vehicle", "sign")
        truth = other_car(boxes.step * 0.1 + 0.05)
        centre = capture.to_source.apply(boxes.poses[:1, :3, 3])[0]
        np.testing.assert_allclose(centre, truth[:3, 3], atol=1e-4)
        # Boxes are upright in the car's frame, which is tilted by 0.02.
        forward = boxes.poses[0, :3, 0].numpy()
        np.testing.assert_allclose(forward, truth[:3, 0], atol=0.021)
        assert boxes.speeds[0] == pytest.approx(12.0)
        assert boxes.speeds[1].isnan()
        np.testing.assert_allclose(boxes.sizes[0], [4.5, 1.9, 1.6], atol=1e-6)


def test_every_tenth_time_step_is_held_out_with_its_sweep(capture: Capture) -> None:
    assert [view.name for view in capture.test] == ["FRONT/0010", "SIDE_LEFT/0010"]
    assert capture.split.rule == "every 10th time step"
    assert 10 not in {sweep.step for sweep in capture.training_sweeps}
    assert len(capture.training_sweeps) == STEPS - 1
    assert len(capture.lidar) == STEPS


def test_tracks(path: Path) -> None:
    tracks = {
        track: read_capture(path, ReadOptions(drive=DriveOptions(lidar=track)))
        for track in ("A", "B", "C")
    }
    assert tracks["A"].split.sweeps == ()
    assert tracks["A"].points is None
    assert len(tracks["A"].lidar) == STEPS  # It may still test.
    assert len(tracks["C"].training_sweeps) == STEPS
    for track in "BC":
        assert tracks[track].points is not None


def test_points_begin_with_the_photos_colours(capture: Capture) -> None:
    cloud = capture.points
    assert cloud is not None
    # The photos hold their own columns and rows in red and green; steps and cameras in blue.
    agree = 0
    for point, color in zip(cloud.positions[::7], cloud.colors[::7].tolist(), strict=True):
        for view in capture.train:
            pixel, depth = project(view.camera, point[None])
            if depth > 0.5 and inside(view.camera, pixel, depth):
                x, y = pixel[0].int().tolist()
                off = view.photo.pixels()[y, x].int() - torch.tensor(color)
                if off.abs().max() < 32:
                    agree += 1
                    break
    assert agree > 0.9 * len(cloud.positions[::7])
    # The car that overtakes is no part of the standing scene.
    for boxes in capture.boxes:
        local = (cloud.positions - boxes.poses[0, :3, 3]) @ boxes.poses[0, :3, :3]
        assert not (local.abs() < boxes.sizes[0] / 2 - 0.3).all(dim=1).any()


def test_cameras_and_time_steps_can_be_chosen(path: Path) -> None:
    options = DriveOptions(cameras=("SIDE_LEFT",), frames=(2, 9), stride=3)
    capture = read_capture(path, ReadOptions(hold_every=0, drive=options))
    assert [view.name for view in capture.views] == [f"SIDE_LEFT/{s:04d}" for s in (2, 5, 8)]
    assert [sweep.step for sweep in capture.lidar] == [2, 5, 8]
    assert [boxes.step for boxes in capture.boxes] == [2, 5, 8]
    assert capture.lidar[0].sensors == ("SIDE_LEFT",)
    assert set(capture.lidar[0].returns().sensors.unique().tolist()) <= {0, 1}
    split = read_capture(path, ReadOptions(hold_every=2, drive=options)).split
    assert (split.train, split.test) == ((0, 1), (2,))


@pytest.mark.parametrize(
    "options",
    [
        DriveOptions(frames=(20, 30)),
        DriveOptions(stride=0),
        DriveOptions(voxel=0.0),
        DriveOptions(frames=(5, 3)),
    ],
)
def test_options_out_of_range(path: Path, options: DriveOptions) -> None:
    with pytest.raises(UsageError, match="--drive"):
        read_capture(path, ReadOptions(drive=options))


def test_every_way_to_name_a_segment(folder: Path, tmp_path: Path) -> None:
    root = folder / "v2"
    flat = tmp_path / "flat"
    flat.mkdir()
    for file in root.glob("*/*.parquet"):
        (flat / f"{file.parent.name}.parquet").symlink_to(file)
    ways = [
        root,
        root / NAME,
        root / "camera_image",
        root / "camera_image" / f"{NAME}.parquet",
        flat,
        flat / "lidar.parquet",
    ]
    for way in ways:
        capture = read_capture(way, ReadOptions(drive=DriveOptions(lidar="A")))
        assert capture.format == "waymo-v2"
        assert len(capture.views) == 2 * STEPS
    assert read_capture(folder / "segment.tfrecord").format == "waymo-v1"
    with pytest.raises(DataError, match=rf"no segment nowhere; there are 1: {NAME}"):
        read_capture(root / "nowhere")


def test_one_large_row_group_is_split_on_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_rows, "LARGEST", 1000)
    monkeypatch.setattr(parquet_rows, "SMALL", 6000)
    for file in (folder / "v2").glob("*/*.parquet"):
        copy = tmp_path / "v2" / file.parent.name / file.name
        copy.parent.mkdir(parents=True)
        pq.write_table(pq.read_table(file), copy)
    a, b = read_capture(tmp_path / "v2"), read_capture(folder / "v2")
    file = tmp_path / "v2/camera_image" / f"{NAME}.parquet"
    scratch = parquet_rows.split(file, pq.ParquetFile(file), ("[CameraImageComponent].image",))
    assert pq.ParquetFile(scratch).metadata.num_row_groups > 5
    for one, other in zip(a.views, b.views, strict=True):
        assert torch.equal(one.photo.pixels(), other.photo.pixels())
    assert torch.equal(a.lidar[7].returns().positions, b.lidar[7].returns().positions)


def test_tables_of_single_precision_with_names_for_keys(folder: Path, tmp_path: Path) -> None:
    """The tables that Waymo published have float32 transforms, and cameras by name or number."""
    shutil.copytree(folder / "v2", tmp_path / "v2")
    file = tmp_path / "v2/camera_image" / f"{NAME}.parquet"
    table, pose = pq.read_table(file), "[CameraImageComponent].pose.transform"
    single = table.column(pose).cast(pa.list_(pa.float32(), 16))
    names = [CAMERAS[number] for number in table.column("key.camera_name").to_pylist()]
    table = table.set_column(table.column_names.index(pose), pose, single)
    at = table.column_names.index("key.camera_name")
    pq.write_table(table.set_column(at, "key.camera_name", pa.array(names)), file)
    a, b = read_capture(tmp_path / "v2"), read_capture(folder / "v2")
    assert [view.name for view in a.views] == [view.name for view in b.views]
    for one, other in zip(a.views, b.views, strict=True):
        apart = (
            a.to_source.apply(one.camera.position[None])
            - b.to_source.apply(other.camera.position[None])
        ).norm()
        assert apart < 4e-3  # Half a step of float32 at 42 km, in three axes.


def test_velocity_is_that_of_the_path() -> None:
    moved = (car_pose(0.301) - car_pose(0.299))[:3, 3] / 0.002
    np.testing.assert_allclose(moved, velocity(0.3), atol=1e-4)
