"""Damaged and incomplete drivestudio folders: what is wrong, and what still works."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drivestudio_folders import write_drivestudio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from recon.datasets.drive_source import DriveOptions
from recon.datasets.drivestudio_boxes import read_boxes
from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError
from recon.types import Capture

STEPS = 4


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drivestudio")
    write_drivestudio(folder, STEPS)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "001"))


def read(folder: Path, **drive: Any) -> Capture:
    return read_capture(folder, ReadOptions(hold_every=0, drive=DriveOptions(**drive)))


def test_no_photo_with_a_step_and_a_camera(folder: Path) -> None:
    for file in (folder / "images").iterdir():
        file.rename(file.with_name("x" + file.name))
    with pytest.raises(DataError, match=r"images: no photo such as 000_0\.jpg"):
        read(folder)


@pytest.mark.parametrize("step", [0, 1, 3])
def test_a_missing_pose_of_the_car(folder: Path, step: int) -> None:
    (folder / f"ego_pose/{step:03d}.txt").unlink()
    rest = {0: (1, 3), 1: (2, 3), 3: (0, 2)}[step]
    words = rf"{step:03d}\.txt: no such file.*--drive\.frames {rest[0]} {rest[1]}\."
    with pytest.raises(DataError, match=words):
        read(folder)
    assert len(read(folder, frames=rest).views) == 2 * (rest[1] - rest[0] + 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2 3", "3 numbers, expected 16"),
        ("", "0 numbers"),
        ("a " * 16, "no numbers as text"),
        ("nan " * 16, "16 finite"),
        ("2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1", "no rotation"),
        ("1 0 0 1e300 0 1 0 0 0 0 1 0 0 0 0 1", "beyond"),
    ],
)
@pytest.mark.parametrize("name", ["ego_pose/002.txt", "extrinsics/3.txt"])
def test_a_pose_that_is_none(folder: Path, name: str, content: str, words: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(DataError, match=words) as error:
        read(folder)
    assert str(folder / name) in str(error.value)
    still: dict[str, Any] = {"frames": (0, 1)} if "ego" in name else {"cameras": ("FRONT",)}
    assert ("--drive.frames 0 1" if "ego" in name else "--drive.cameras") in str(error.value)
    assert len(read(folder, **still).views) == 4


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("2000 2000 30 20", "4 numbers, expected 9"),
        ("66 66 30 20 0 0 0 0 inf", "9 finite"),
        ("-66 66 30 20 0 0 0 0 0", "focal lengths of -66"),
        ("66 66 960 640 0 0 0 0 0", "x = 960 do not fit photos 60 pixels wide.*resized"),
    ],
)
def test_a_lens_that_is_none(folder: Path, content: str | None, words: str) -> None:
    file = folder / "intrinsics/3.txt"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(DataError, match=words) as error:
        read(folder)
    assert str(file) in str(error.value)
    assert "--drive.cameras" in str(error.value)
    assert len(read(folder, cameras=("FRONT",)).views) == STEPS


def test_a_missing_extrinsic(folder: Path) -> None:
    (folder / "extrinsics/0.txt").unlink()
    with pytest.raises(DataError, match=r"extrinsics/0\.txt: no such file.*--drive\.cameras"):
        read(folder)
    assert len(read(folder, cameras=("SIDE_LEFT",)).views) == STEPS
    (folder / "extrinsics/3.txt").unlink()
    with pytest.raises(DataError, match=r"extrinsics/0\.txt: no such file"):
        read(folder)


def test_extrinsics_for_each_frame(folder: Path) -> None:
    for number in (0, 3):
        shutil.move(folder / f"extrinsics/{number}.txt", folder / f"extrinsics/000_{number}.txt")
    with pytest.raises(DataError, match=r"an extrinsic for each frame.*nuScenes"):
        read(folder)


def test_cameras_that_do_not_stand_upright(folder: Path) -> None:
    rolled = np.eye(4)
    rolled[:3, :3] = [[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]]
    np.savetxt(folder / "extrinsics/0.txt", rolled)
    np.savetxt(folder / "extrinsics/3.txt", rolled)
    with pytest.raises(DataError, match=r"0\.txt: neither the z axis.*0\.60 and -0\.80"):
        read(folder)


def test_cameras_with_different_axes(folder: Path) -> None:
    opencv = np.eye(4)
    opencv[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    np.savetxt(folder / "extrinsics/3.txt", opencv)
    with pytest.raises(DataError, match=r"3\.txt: the camera has other axes than the others"):
        read(folder)
    assert len(read(folder, cameras=("FRONT",)).views) == STEPS


def test_cameras_with_other_numbers_of_frames(folder: Path) -> None:
    (folder / "images/001_3.jpg").unlink()
    (folder / "images/002_3.jpg").unlink()
    capture = read(folder)
    assert len(capture.views) == 6
    assert capture.warnings == ("SIDE_LEFT has photos in 2 of 4 time steps",)
    assert len(capture.lidar) == STEPS


def test_a_camera_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataError, match=r"REAR has no photo; .* FRONT, SIDE_LEFT\."):
        read(folder, cameras=("REAR",))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.write_bytes(f.read_bytes()[:-3]), "no multiple of 56"),
        (lambda f: f.write_bytes(b"\xff" * 560), "column 9 of its points is not always"),
    ],
)
def test_points_that_cannot_be_read(
    folder: Path, damage: Callable[[Path], Any], words: str
) -> None:
    file = folder / "lidar/002.bin"
    damage(file)
    with pytest.raises(DataError, match=words) as error:
        read(folder)
    assert str(file) in str(error.value)
    assert "--drive.lidar A" in str(error.value)
    assert len(read(folder, lidar="A").views) == 2 * STEPS


def test_lidar_without_returns(folder: Path) -> None:
    for file in (folder / "lidar").iterdir():
        file.write_bytes(b"")
    capture = read(folder)
    assert capture.points is None
    assert any("no return" in warning for warning in capture.warnings)


def test_a_step_without_lidar(folder: Path) -> None:
    (folder / "lidar/001.bin").unlink()
    capture = read(folder)
    assert [sweep.step for sweep in capture.lidar] == [0, 2, 3]
    assert capture.points is not None
    assert any(note.startswith("LiDAR in 3 of 4 time steps") for note in capture.notes)


def test_a_mask_that_is_no_image(folder: Path) -> None:
    (folder / "dynamic_masks/all/001_0.png").write_bytes(b"no image")
    view = next(view for view in read(folder).views if view.name == "images/001_0.jpg")
    with pytest.raises(DataError, match=r"001_0\.png: cannot be read"):
        view.photo.valid()


def test_one_photo_that_is_broken(folder: Path) -> None:
    Image.new("RGB", (7, 50)).save(folder / "images/002_0.jpg")
    (folder / "images/000_0.jpg").write_bytes(b"no image")
    capture = read(folder)
    assert len(capture.views) == 6
    assert [warning.split(":")[0] for warning in capture.warnings] == [
        "skipped images/000_0.jpg",
        "skipped images/002_0.jpg",
    ]


INSTANCES = "instances/instances_info.json"


def change(folder: Path, key: str, value: object) -> None:
    content = json.loads((folder / INSTANCES).read_text())
    if key in content["0"]:
        content["0"][key] = value
    else:
        content["0"]["frame_annotations"][key] = value
    (folder / INSTANCES).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("class_name", None, "`0.class_name` is missing"),
        ("frame_annotations", [], "expected an object"),
        ("frame_idx", [0, 1], "numbers of the shape (2, 4, 4)"),
        ("frame_idx", ["x"] * 4, "expected a whole number"),
        ("obj_to_world", [[1.0] * 4] * 4, "numbers of the shape (4, 4, 4)"),
        ("obj_to_world", [[[1.0] * 4] * 4] * 4, "expected rotations and translations"),
        ("obj_to_world", [[["x"] * 4] * 4] * 4, "numbers of the shape (4, 4, 4)"),
        ("box_size", [[1e300] * 3] * 4, "numbers below 1e+12"),
    ],
)
def test_boxes_that_cannot_be_read(folder: Path, key: str, value: object, words: str) -> None:
    change(folder, key, value)
    capture = read(folder)
    (warning,) = capture.warnings
    assert warning.startswith(f"no boxes: {folder / INSTANCES}")
    assert words in warning
    assert len(capture.views) == 2 * STEPS


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["id", "class_name", "frame_idx", "obj_to_world", "box_size"]), values)
def test_any_value_in_the_boxes(written: Path, key: str, value: object) -> None:
    whole = (written / INSTANCES).read_text()
    try:
        change(written, key, value)
        with contextlib.suppress(DataError):
            for boxes in read_boxes(written, range(STEPS), {s: 0.1 * s for s in range(STEPS)}):
                assert np.isfinite(boxes.poses).all()
    finally:
        (written / INSTANCES).write_text(whole)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.sampled_from(["ego_pose/001.txt", "extrinsics/0.txt", "intrinsics/0.txt"]),
    st.binary(max_size=40) | st.lists(st.floats(), max_size=17).map(str).map(str.encode),
)
def test_any_bytes_as_numbers(written: Path, name: str, content: bytes) -> None:
    whole = (written / name).read_bytes()
    try:
        (written / name).write_bytes(content.replace(b",", b" ").strip(b"[]"))
        with contextlib.suppress(DataError):
            for view in read(written, lidar="A").views:
                assert bool(view.camera.world_to_camera.isfinite().all())
    finally:
        (written / name).write_bytes(whole)
