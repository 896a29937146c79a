"""KITTI's two layouts read back as the trip that they were written from."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kitti_folders import (
    CAR,
    FRAMES,
    HEIGHT,
    RECTIFY,
    VELO_TO_CAM,
    WIDTH,
    Trip,
    projection,
    rigid,
    tracklets,
    write_odometry,
    write_oxts,
    write_raw,
)
from scipy.spatial import cKDTree

from recon.camera import inside, project
from recon.datasets.drive_source import DriveOptions
from recon.datasets.kitti_oxts import read_poses
from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError, UsageError
from recon.inspect import inspect_capture
from recon.types import Capture

TRIP = Trip()
ALL = ("image_0", "image_1", "image_2", "image_3")


@pytest.fixture(scope="module")
def sequence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_odometry(tmp_path_factory.mktemp("odometry"))


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raw(tmp_path_factory.mktemp("raw"))


@pytest.fixture(params=["odometry", "raw"])
def path(request: pytest.FixtureRequest, sequence: Path, drive: Path) -> Path:
    return sequence if request.param == "odometry" else drive


def read(path: Path, **drive: object) -> Capture:
    return read_capture(path, ReadOptions(drive=DriveOptions(**drive)))  # type: ignore[arg-type]


def velo_to_world(path: Path, frame: int) -> np.ndarray:
    """Of the layout at a path; odometry's world is the first camera's frame."""
    if "sequences" not in path.parts:
        return TRIP.velo_to_world(frame)
    return TRIP.cam_to_first_cam(frame) @ rigid(RECTIFY, 0) @ VELO_TO_CAM


def by_the_devkit(camera: int, points: np.ndarray) -> np.ndarray:
    """Pixels, counted from the first one's centre, and depths of points in the laser's axes."""
    matrix = projection(camera) @ rigid(RECTIFY, 0) @ VELO_TO_CAM
    x, y, z = matrix @ np.column_stack([points, np.ones(len(points))]).T
    return np.column_stack([x / z, y / z, z])


def test_cameras_see_points_where_the_devkit_says(path: Path) -> None:
    capture = read(path, cameras=ALL)
    assert capture.format == "kitti"
    assert capture.metric
    assert len(capture.views) == 4 * FRAMES
    assert not capture.warnings
    points = np.random.default_rng(1).uniform([5, -3, -2], [30, 3, 3], (20, 3))
    for view in capture.views:
        camera, frame = int(view.sensor[-1]), view.step
        assert frame is not None
        pose = velo_to_world(path, frame)
        world = torch.from_numpy(points @ pose[:3, :3].T + pose[:3, 3])
        pixels, depth = project(view.camera, capture.to_source.inverse().apply(world))
        expected = by_the_devkit(camera, points)
        np.testing.assert_allclose(pixels - 0.5, expected[:, :2], atol=2e-4)
        np.testing.assert_allclose(depth, expected[:, 2], atol=1e-5)
        assert (view.camera.width, view.camera.height) == (WIDTH, HEIGHT)


def test_photos_times_and_names(path: Path) -> None:
    capture = read(path, cameras=ALL)
    for view in capture.views:
        assert (path / view.name).is_file()
        assert view.step is not None
        assert view.time == pytest.approx(0.1037 * view.step, abs=1e-6)
        camera, frame = int(view.sensor[-1]), int(Path(view.name).stem)
        assert frame == view.step
        photo = TRIP.photo(camera, frame)
        grey = np.repeat(photo[..., None], 3, axis=-1)
        np.testing.assert_array_equal(view.photo.pixels(), grey if camera < 2 else photo)


def test_every_way_to_name_a_drive(sequence: Path, drive: Path, tmp_path: Path) -> None:
    for way in (sequence, sequence.parent.parent, drive, drive.parent):
        capture = read(way)
        assert capture.format == "kitti"
        assert len(capture.views) == FRAMES
    alone = tmp_path / "renamed"
    shutil.copytree(sequence, alone)
    shutil.copy(sequence.parent.parent / "poses/04.txt", alone / "poses.txt")
    for a, b in zip(read(alone).views, read(sequence).views, strict=True):
        assert torch.equal(a.camera.world_to_camera, b.camera.world_to_camera)
    root = sequence.parent.parent
    shutil.copytree(root, tmp_path / "two")
    shutil.copytree(sequence, tmp_path / "two/sequences/05")
    with pytest.raises(DataError, match=r"holds 2 drives.*name one, such as .*sequences/04"):
        read(tmp_path / "two")


def test_the_left_colour_camera_is_read_where_nobody_says(path: Path, tmp_path: Path) -> None:
    capture = read(path)
    assert {view.sensor[-1] for view in capture.views} == {"2"}
    assert "alone (left, in colour)" in capture.notes[0]
    copy = tmp_path / path.relative_to(path.parents[1])
    shutil.copytree(path.parents[1], tmp_path, dirs_exist_ok=True)
    for name in ("image_2", "image_02", "image_3", "image_03"):
        shutil.rmtree(copy / name, ignore_errors=True)
    if "sequences" in path.parts:
        shutil.copy(path.parents[1] / "poses/04.txt", copy / "poses.txt")
    assert {view.sensor[-1] for view in read(copy).views} == {"0"}


def test_cameras_frames_and_strides_can_be_chosen(path: Path) -> None:
    capture = read(path, cameras=("image_3", "image_01"), frames=(1, 5), stride=2)
    assert [(v.sensor[-1], v.step) for v in capture.views] == [
        (camera, step) for camera in "13" for step in (1, 3, 5)
    ]
    assert [sweep.step for sweep in capture.lidar] == [1, 3, 5]
    assert [boxes.step for boxes in capture.boxes] in ([], [1, 3, 5])
    with pytest.raises(UsageError, match=r"there are 0 to 5"):
        read(path, frames=(6, 9))
    with pytest.raises(DataError, match=r"no camera FRONT; --drive\.cameras can name image_0"):
        read(path, cameras=("FRONT",))


def test_every_nth_time_step_is_held_out(path: Path) -> None:
    options = ReadOptions(hold_every=2, drive=DriveOptions(cameras=("image_0", "image_2")))
    capture = read_capture(path, options)
    assert {view.step for view in capture.test} == {2, 4}
    assert {sweep.step for sweep in capture.training_sweeps} == {0, 1, 3, 5}


def test_sweeps_stand_in_the_world_and_in_the_photos(path: Path) -> None:
    capture = read(path, cameras=ALL)
    assert len(capture.lidar) == FRAMES
    for sweep in capture.lidar[::2]:
        points = TRIP.scan(sweep.step).astype(np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        returns = sweep.returns()
        pose = velo_to_world(path, sweep.step)
        np.testing.assert_allclose(
            capture.to_source.apply(returns.positions),
            points[:, :3] @ pose[:3, :3].T + pose[:3, 3],
            atol=2e-5,
        )
        np.testing.assert_allclose(returns.intensity, points[:, 3])
        shown = 0
        for number in range(4):
            expected = by_the_devkit(number, points[:, :3])
            corner = expected[:, :2] + 0.5
            inside_photo = (corner >= 0).all(1) & (corner < [WIDTH, HEIGHT]).all(1)
            for which in (0, 1):
                here = (returns.sensors[:, which] == number + 1).numpy()
                assert (inside_photo & (expected[:, 2] > 0))[here].all()
                np.testing.assert_allclose(returns.pixels[here, which], corner[here], atol=1e-3)
                shown += here.sum()
        assert shown > 60
        assert returns.pixels[returns.sensors == 0].isnan().all()
        assert not sweep.recorded


def test_sweeps_agree_with_the_views_at_any_size(path: Path) -> None:
    options = ReadOptions(downscale=2.0, drive=DriveOptions(cameras=("image_2",)))
    capture = read_capture(path, options)
    for view, sweep in zip(capture.views, capture.lidar, strict=True):
        returns = sweep.returns()
        here = returns.sensors[:, 0] == 1
        pixels, depth = project(view.camera, returns.positions[here])
        assert inside(view.camera, pixels, depth).all()
        torch.testing.assert_close(pixels, returns.pixels[here, 0], atol=1e-3, rtol=0)


def test_a_fit_begins_with_points_of_the_training_sweeps_in_their_photos_colours(
    path: Path,
) -> None:
    capture = read_capture(path, ReadOptions(hold_every=2))
    cloud = capture.points
    assert cloud is not None
    photos = {view.step: view.photo.pixels() for view in capture.train}
    positions, colors = [], []
    for sweep in capture.training_sweeps:
        returns = sweep.returns()
        seen = returns.sensors[:, 0] == 1
        column, row = returns.pixels[seen, 0].long().T
        positions.append(returns.positions[seen])
        colors.append(photos[sweep.step][row, column])
    apart, nearest = cKDTree(torch.cat(positions)).query(cloud.positions)
    assert apart.max() < 1e-5
    assert torch.equal(torch.cat(colors)[nearest], cloud.colors)
    assert 100 < len(cloud) < len(torch.cat(positions)) + 1
    assert not any("matched" in note and "begin" in note for note in capture.notes)


def test_without_lidar_a_fit_begins_with_matched_points_and_says_so(path: Path) -> None:
    capture = read_capture(path, ReadOptions(drive=DriveOptions(lidar="A")))
    assert capture.points is not None
    assert "matched in stereo, not measured" in capture.notes[-1]
    assert len(capture.lidar) == FRAMES
    assert not capture.training_sweeps


def test_boxes(drive: Path) -> None:
    capture = read(drive)
    assert [boxes.step for boxes in capture.boxes] == list(range(FRAMES))
    assert [len(boxes) for boxes in capture.boxes] == [0, 1, 2, 1, 1, 0]
    assert capture.boxes[2].kinds == ("vehicle", "pedestrian")
    assert capture.boxes[2].tracks == ("0000", "0001")
    assert capture.boxes[2].velocities[1].isnan().all()
    speed = 0.7 / 0.1037
    for boxes in capture.boxes[1:5]:
        np.testing.assert_allclose(boxes.sizes[0], CAR, rtol=1e-6)
        pose = boxes.poses[0].double()
        truth = TRIP.other_car(boxes.step)
        centre = capture.to_source.apply(pose[None, :3, 3])[0]
        np.testing.assert_allclose(centre, truth[:3, 3], atol=1e-5)
        np.testing.assert_allclose(pose[:3, :3], truth[:3, :3], atol=1e-6)
        along = speed * np.array([np.cos(0.2), np.sin(0.2), 0])
        np.testing.assert_allclose(boxes.velocities[0], along, atol=1e-3)
    assert read(drive, frames=(2, 2)).boxes[0].speeds[0] == pytest.approx(speed, abs=1e-3)


def test_depth_comes_by_stereo_where_there_is_a_pair(path: Path) -> None:
    capture = read(path, cameras=ALL)
    for view in capture.views:
        depth = view.photo.depth()
        assert (depth is not None) == (view.sensor[-1] in "02")
        assert depth is None or not depth.measured
    assert sum("it is not measured" in note for note in capture.notes) == 2
    found = inspect_capture(read(path)).depth
    assert found is not None
    assert not found.measured


def test_without_times_ten_frames_a_second_are_assumed(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.relative_to(path.parents[1])
    shutil.copytree(path.parents[1], tmp_path, dirs_exist_ok=True)
    for file in (copy / "times.txt", *copy.glob("*/timestamps.txt")):
        file.unlink(missing_ok=True)
    assert copy.is_dir()
    capture = read(copy)
    assert [view.time for view in capture.views] == pytest.approx([0.1 * i for i in range(FRAMES)])
    assert any("10 a second" in note for note in capture.notes)


angles = st.floats(-3.1, 3.1)


@given(
    st.lists(st.tuples(*[st.floats(-2000, 2000)] * 3), min_size=1, max_size=4),
    st.tuples(angles, st.floats(-1.5, 1.5), angles),
)
def test_packets_become_the_poses_they_were_made_of(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[float, float, float]],
    first: tuple[float, float, float],
) -> None:
    steps = np.array([(0.0, 0.0, 0.0), *places])
    turns = np.array([np.array(first) * (1 - 0.3 * i) for i in range(len(steps))])
    trip = Trip(steps, turns)
    folder = tmp_path_factory.mktemp("oxts")
    write_oxts(folder / "data", trip)
    found = read_poses(folder / "data")
    assert len(found) == len(steps)
    for frame, pose in found.items():
        np.testing.assert_allclose(pose, trip.imu_to_world(frame), atol=2e-6)


def replace_line(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")


Damage = Callable[[Path], object]
ODOMETRY: dict[str, tuple[Damage, str]] = {
    "no P2": (
        lambda p: replace_line(p / "calib.txt", 3, "other: 1"),
        r"calib\.txt: no P2, which image_2 needs; .*--drive\.cameras",
    ),
    "no calibration": (lambda p: (p / "calib.txt").unlink(), r"calib\.txt: no such file; download"),
    "a short row": (
        lambda p: replace_line(p / "calib.txt", 3, "P2: 1 2 3"),
        r"calib\.txt, line 3: 3 numbers where 12 are expected; download",
    ),
    "no rectified camera": (
        lambda p: replace_line(p / "calib.txt", 3, "P2: " + "1 " * 12),
        r"calib\.txt: P2 is no projection of a rectified camera.*download",
    ),
    "too few poses": (
        lambda p: replace_line(p / "../../poses/04.txt", FRAMES, ""),
        r"poses/04\.txt: 5 poses, and none of them for frame 5.*--drive\.frames 0 4",
    ),
    "no poses": (
        lambda p: (p / "../../poses/04.txt").unlink(),
        r"no poses, neither poses\.txt.*00 to 10; for others put your own there",
    ),
    "a word among numbers": (
        lambda p: replace_line(p / "../../poses/04.txt", 2, "1 0 0 O 0 1 0 0 0 0 1 0"),
        r"poses/04\.txt, line 2: could not convert string to float: 'O'; download",
    ),
    "not a number": (
        lambda p: replace_line(p / "../../poses/04.txt", 2, "nan 0 0 0 0 1 0 0 0 0 1 0"),
        r"poses/04\.txt, line 2: a number is not finite",
    ),
    "too few times": (
        lambda p: (p / "times.txt").write_text("0\n0.1\n"),
        r"2 times, none of them for frame 2; download",
    ),
    "an empty folder of photos": (
        lambda p: [file.unlink() for file in (p / "image_2").iterdir()],
        r"image_2: no photo whose name is a number; put the photos there, .*--drive\.cameras",
    ),
    "no photo that can be read": (
        lambda p: [file.write_bytes(b"no") for file in (p / "image_2").iterdir()],
        r"image_2/000000\.png: cannot be read as an image",
    ),
    "half a point": (
        lambda p: (p / "velodyne/000003.bin").write_bytes(b"x" * 40),
        r"velodyne/000003\.bin: 40 bytes are no multiple of 16.*--drive\.lidar A",
    ),
}
RAW: dict[str, tuple[Damage, str]] = {
    "no packets": (
        lambda p: shutil.rmtree(p / "oxts"),
        r"oxts/data: no packets of GPS.*download",
    ),
    "a lost packet": (
        lambda p: (p / "oxts/data/0000000003.txt").unlink(),
        r"oxts/data: 5 poses, and none of them for frame 3.*--drive\.frames 0 2",
    ),
    "an empty packet": (
        lambda p: (p / "oxts/data/0000000003.txt").write_text(""),
        r"oxts/data/0000000003\.txt, line 1: 0 numbers where 30 are expected",
    ),
    "at the pole": (
        lambda p: (p / "oxts/data/0000000003.txt").write_text("90 " + "0 " * 29),
        r"0000000003\.txt: latitude 90; expected",
    ),
    "no calibration": (
        lambda p: [file.unlink() for file in p.parent.glob("calib_*")],
        r"no calib_cam_to_cam\.txt, calib_velo_to_cam\.txt, calib_imu_to_velo\.txt, which the drive"
        r" 2011_09_26_drive_0005_sync needs; download",
    ),
    "no rectification": (
        lambda p: replace_line(p.parent / "calib_cam_to_cam.txt", 4, "R_rect: 1"),
        r"calib_cam_to_cam\.txt: no R_rect_00.*download",
    ),
    "a date of nonsense": (
        lambda p: replace_line(p / "image_00/timestamps.txt", 3, "yesterday"),
        r"image_00/timestamps\.txt, line 3: 'yesterday' is no date",
    ),
    "broken XML": (
        lambda p: (p / "tracklet_labels.xml").write_text(tracklets(TRIP)[:-40]),
        r"tracklet_labels\.xml: cannot be read as XML.*take the file away",
    ),
    "a box without height": (
        lambda p: (p / "tracklet_labels.xml").write_text(
            tracklets(TRIP).replace("<h>1.2</h>", "<h>tall</h>")
        ),
        r"tracklet_labels\.xml, tracklet 1: h is tall; .*take the file away",
    ),
    "photos that are not rectified": (
        lambda p: p.rename(p.with_name("2011_09_26_drive_0005_extract")),
        r"_extract: photos that are not rectified.*_sync",
    ),
}


@pytest.mark.parametrize("name", ODOMETRY)
def test_a_damaged_sequence_says_what_to_do(tmp_path: Path, name: str) -> None:
    damage, message = ODOMETRY[name]
    folder = write_odometry(tmp_path)
    damage(folder)
    with pytest.raises(DataError, match=message):
        read(folder)


@pytest.mark.parametrize("name", RAW)
def test_a_damaged_drive_says_what_to_do(tmp_path: Path, name: str) -> None:
    damage, message = RAW[name]
    folder = write_raw(tmp_path)
    damage(folder)
    with pytest.raises(DataError, match=message):
        read(next(tmp_path.glob("*/*_drive_*")))


def test_what_is_damaged_and_not_asked_for_does_no_harm(tmp_path: Path) -> None:
    folder = write_odometry(tmp_path)
    replace_line(folder / "calib.txt", 3, "P9: 1")
    replace_line(folder / "calib.txt", 5, "comment: no laser")
    (folder / "image_0/notes.txt").write_text("no photo")
    for name in ("cover", "9" * 40, "-1", "1.5"):
        (folder / f"image_0/{name}.png").write_text("no frame")
    replace_line(tmp_path / "poses/04.txt", FRAMES, "")
    capture = read(folder, cameras=("image_0",), frames=(0, 4))
    assert len(capture.views) == FRAMES - 1
    assert not capture.lidar
    (warning,) = capture.warnings
    assert "no Tr" in warning


def test_projections_without_names_count_from_the_first(tmp_path: Path) -> None:
    folder = write_odometry(tmp_path)
    lines = (folder / "calib.txt").read_text().splitlines()[:2]
    (folder / "calib.txt").write_text("\n".join(line.partition(": ")[2] for line in lines))
    shutil.rmtree(folder / "velodyne")
    for number, letter in ((0, "l"), (1, "r")):
        (folder / f"image_{number}").rename(folder / f"image_{letter}")
    for name in ("image_2", "image_3"):
        shutil.rmtree(folder / name)
    capture = read(folder, cameras=("image_l", "image_r"))
    left, right = (next(v for v in capture.views if v.sensor == f"image_{s}") for s in "lr")
    moved = right.camera.world_to_camera[:3, 3] - left.camera.world_to_camera[:3, 3]
    np.testing.assert_allclose(moved, [-0.537, 0, 0], atol=1e-6)


TEXTS = {
    "odometry": ["calib.txt", "times.txt", "../../poses/04.txt", "velodyne/000000.bin"],
    "raw": [
        "../calib_cam_to_cam.txt",
        "../calib_velo_to_cam.txt",
        "../calib_imu_to_velo.txt",
        "oxts/data/0000000000.txt",
        "image_00/timestamps.txt",
        "tracklet_labels.xml",
    ],
}
JUNK = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b"nan", b"1e400", b"-0 ", b"\n", b"\n\n\n", b":", b"<item>", b"</poses>", b"9" * 40]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.integers(0, 5), st.floats(0, 1), JUNK)
def test_whatever_stands_in_a_file_ends_in_a_capture_or_a_data_error(
    path: Path, which: int, where: float, junk: bytes
) -> None:
    names = TEXTS["odometry" if "sequences" in path.parts else "raw"]
    file = path / names[which % len(names)]
    whole = file.read_bytes()
    start = int(where * len(whole))
    file.write_bytes(whole[:start] + junk + whole[start + len(junk) :])
    try:
        capture = read(path)
        poses = torch.stack([view.camera.world_to_camera for view in capture.views])
        assert poses.isfinite().all()
        assert all(boxes.poses.isfinite().all() for boxes in capture.boxes)
    except DataError:
        pass
    finally:
        file.write_bytes(whole)


def test_the_clip_is_the_same_capture_either_way(shared: Path) -> None:
    folder = shared / "data" / "kitti_odom_clip1"
    native = read_capture(
        folder, ReadOptions(format="kitti", drive=DriveOptions(cameras=("image_l", "image_r")))
    )
    other = read_capture(folder)
    assert (native.format, other.format) == ("kitti", "transforms")
    assert "also there: kitti" in other.notes[0]
    assert [v.name for v in native.views] == [v.name for v in other.views]
    assert not native.warnings
    for a, b in zip(native.views, other.views, strict=True):
        torch.testing.assert_close(
            a.camera.world_to_camera, b.camera.world_to_camera, atol=1e-4, rtol=0
        )
        assert (a.camera.fx, a.camera.fy) == (b.camera.fx, b.camera.fy)
        # Its transforms.json keeps KITTI's numbers, which count from the first pixel's centre.
        assert a.camera.cx - b.camera.cx == pytest.approx(0.5)
        assert a.camera.cy - b.camera.cy == pytest.approx(0.5)
