"""Damaged and incomplete DGP scenes: errors that say what is wrong and what still works."""

import contextlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dgp_scenes import write_dgp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon.datasets.dgp_sweep import read_cloud
from recon.datasets.drive_source import DriveOptions
from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError
from recon.types import Capture

STEPS = 3


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dgp")
    write_dgp(folder, STEPS)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "scene"))


def scene(folder: Path) -> Path:
    return folder / "scene_1a2b.json"


def edit(file: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def read(folder: Path, **drive: Any) -> Capture:
    return read_capture(folder, ReadOptions(hold_every=0, drive=DriveOptions(**drive)))


def test_a_calibration_that_is_missing(folder: Path) -> None:
    (folder / "calibration/cal.json").unlink()
    with pytest.raises(DataError, match=r"calibration/cal\.json: no such calibration.*copy the f"):
        read(folder)
    (folder / "transforms.json").write_text("{}")
    with pytest.raises(DataError, match=r"cal\.json.*with --format transforms"):
        read_capture(folder, ReadOptions(format="dgp"))


def test_a_camera_without_calibration(folder: Path) -> None:
    def drop(content: Any) -> None:
        del content["names"][2], content["intrinsics"][2]

    edit(folder / "calibration/cal.json", drop)
    with pytest.raises(DataError, match=r"cal\.json: no intrinsics of SIDE_LEFT.*those of FRONT"):
        read(folder)
    assert len(read(folder, cameras=("FRONT",)).views) == STEPS


@pytest.mark.parametrize(
    ("lens", "words"),
    [
        ({"fisheye": 3}, "fisheye 3"),
        ({"skew": 0.5}, "skew"),
        ({"xi": 1, "alpha": 0.5}, "alpha, xi"),
        ({"k1": "x"}, "expected a finite number"),
        ({"fy": 0.0}, "focal lengths of SIDE_LEFT"),
        ({"fx": 10**400}, "expected a finite number"),
        ({"fisheye": []}, r"fisheye \[\]"),
    ],
)
def test_a_lens_that_is_not_read(folder: Path, lens: Any, words: str) -> None:
    edit(folder / "calibration/cal.json", lambda c: c["intrinsics"][2].update(lens))
    with pytest.raises(DataError, match=rf"cal\.json.*{words}"):
        read(folder)
    assert len(read(folder, cameras=("FRONT",)).views) == STEPS


def test_a_datum_that_is_unknown(folder: Path) -> None:
    edit(scene(folder), lambda s: s["samples"][2]["datum_keys"].append("nobody"))
    with pytest.raises(
        DataError, match=r"`samples\[2\]\.datum_keys\[3\]` is nobody.*--drive\.frames 0 1\."
    ):
        read(folder)
    capture = read(folder, frames=(0, 1))
    assert len(capture.views) == 4
    assert bool(capture.boxes[1].speeds.isfinite().all())


def test_an_unknown_datum_in_the_first_sample(folder: Path) -> None:
    edit(scene(folder), lambda s: s["samples"][0]["datum_keys"].append("nobody"))
    with pytest.raises(DataError, match=r"--drive\.frames 1 2\."):
        read(folder)
    assert len(read(folder, frames=(1, 2)).views) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("data"), "`data` is missing"),
        (lambda s: s.update(samples=[]), "at least one sample"),
        (lambda s: s.update(samples={}), "expected a list"),
        (lambda s: s["data"][1]["datum"]["image"].pop("pose"), "image.pose` is missing"),
        (
            lambda s: s["data"][1]["datum"]["image"]["pose"]["rotation"].update(qw=3),
            "quaternion of length 1",
        ),
        (
            lambda s: s["data"][1]["datum"]["image"]["pose"]["translation"].update(x=1e300),
            "expected lengths below",
        ),
        (lambda s: s["data"][1]["datum"]["image"].update(width="w"), "expected a whole number"),
        (lambda s: s["data"][1]["id"].update(timestamp="noon"), "expected a time such as"),
        (lambda s: s["data"][1]["datum"]["image"].update(filename="../a.jpg"), "a path below"),
        (lambda s: s["data"][0]["datum"]["point_cloud"].update(filename="/etc/x"), "a path below"),
        (lambda s: s["samples"][1].update(calibration_key=7), "expected a text"),
    ],
)
def test_a_damaged_scene(folder: Path, change: Any, words: str) -> None:
    edit(scene(folder), change)
    with pytest.raises(DataError, match=words) as error:
        read(folder)
    assert str(scene(folder)) in str(error.value)


def test_what_is_no_json_or_no_scene(folder: Path) -> None:
    whole = scene(folder).read_text()
    for content in (whole[:500], "", "[" * 100000, "7", "[]", "null"):
        scene(folder).write_text(content)
        with pytest.raises(DataError, match=r"scene_1a2b\.json"):
            read(folder)
    scene(folder).unlink()
    with pytest.raises(DataError, match=r"no scene_\*\.json"):
        read_capture(folder, ReadOptions(format="dgp"))


def test_several_scenes_in_one_folder(folder: Path) -> None:
    shutil.copy(scene(folder), folder / "scene_2b.json")
    with pytest.raises(DataError, match=r"2 scene files \(scene_1a2b\.json, scene_2b\.json\)"):
        read(folder)


def test_a_camera_whose_photos_are_not_there(folder: Path) -> None:
    shutil.rmtree(folder / "rgb/SIDE_LEFT")
    capture = read(folder)
    assert [view.sensor for view in capture.views] == ["FRONT"] * STEPS
    (warning,) = capture.warnings
    assert warning.startswith("SIDE_LEFT has photos in 0 of 3 time steps;")
    assert str(folder / "rgb/SIDE_LEFT/0000.jpg") in warning
    shutil.rmtree(folder / "rgb/FRONT")
    with pytest.raises(DataError, match="no view can be used as dgp"):
        read(folder)


def test_cameras_with_other_numbers_of_frames(folder: Path) -> None:
    (folder / "rgb/SIDE_LEFT/0001.jpg").unlink()
    edit(scene(folder), lambda s: s["samples"][2]["datum_keys"].remove("FRONT2"))
    capture = read(folder)
    assert len(capture.views) == 4
    assert capture.warnings == (
        "FRONT has photos in 2 of 3 time steps",
        "SIDE_LEFT has photos in 2 of 3 time steps; "
        f"{folder / 'rgb/SIDE_LEFT/0001.jpg'} is not there",
    )


def test_a_camera_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataError, match=r"camera REAR has no photo.*can name FRONT, SIDE_LEFT"):
        read(folder, cameras=("REAR",))


def npz(file: Path, **arrays: Any) -> None:
    np.savez(file, **arrays)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda f: f.unlink(), "no such file"),
        (lambda f: npz(f, points=np.ones((4, 4))), "no array called `data`"),
        (lambda f: npz(f, data=np.array([{"a": 1}], dtype=object)), "objects are not unpacked"),
        (lambda f: npz(f, data=np.ones(4)), r"shape \(4,\)"),
        (lambda f: npz(f, data=np.ones((4, 2))), r"shape \(4, 2\)"),
        (lambda f: npz(f, data=np.array([["a"] * 4])), "expected a row of numbers"),
        (lambda f: npz(f, data=np.ones(4, dtype=[("X", "f8")])), "expected X, Y and Z|a row of"),
        (lambda f: f.write_bytes(f.read_bytes()[:-100]), "no plain array"),
        (lambda f: f.write_bytes(b""), "no plain array"),
        (lambda f: f.write_bytes(b"PK\x03\x04"), "no plain array"),
        (lambda f: (np.save(f, np.ones((4, 4))), f.with_suffix(".npz.npy").rename(f)), "no plain"),
    ],
)
def test_a_cloud_that_cannot_be_read(folder: Path, write: Any, words: str) -> None:
    file = folder / "point_cloud/LIDAR/0001.npz"
    write(file)
    with pytest.raises(DataError, match=words) as error:
        read(folder)
    assert str(file) in str(error.value)
    assert "--drive.lidar A" in str(error.value)
    assert len(read(folder, lidar="A").views) == 2 * STEPS
    assert len(read(folder, frames=(0, 0)).training_sweeps) == 1


def test_columns_that_hold_no_places(folder: Path) -> None:
    edit(
        scene(folder),
        lambda s: s["data"][0]["datum"]["point_cloud"].update(point_format=["R", "G", "B", "X"]),
    )
    with pytest.raises(DataError, match=r"4 columns hold R G B X, expected X, Y and Z"):
        read(folder)


def test_lidar_without_returns(folder: Path) -> None:
    for file in folder.glob("point_cloud/LIDAR/*.npz"):
        npz(file, data=np.zeros((0, 4)))
    capture = read(folder)
    assert capture.points is None
    assert any("no return" in warning for warning in capture.warnings)
    assert len(capture.lidar[0].returns()) == 0


def test_boxes_that_cannot_be_read(folder: Path) -> None:
    file = folder / "bounding_box_3d/LIDAR/0001.json"
    file.write_text('{"annotations": [{"box": {}}]}')
    capture = read(folder)
    (warning,) = capture.warnings
    assert warning.startswith(f"no boxes in time step 1: {file}: `annotations[0].box.pose` is miss")
    assert [boxes.step for boxes in capture.boxes] == [0, 2]


@given(st.binary(max_size=300))
def test_any_bytes_as_a_cloud(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.npz"
        file.write_bytes(content)
        with contextlib.suppress(DataError):
            read_cloud(file, ())


NASTY = [
    None, True, 0, -1, 10**400, 1e308, 1e-308, math.nan, math.inf, "", "..", "/", "a\0b", "x" * 500,
    [], [[]], [0] * 6, {}, {"x": math.nan}, {"qw": 1}, {"qw": 1, "x": 1e308}, "0",
]  # fmt: skip


def places(content: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a JSON document."""
    keys = content if isinstance(content, dict) else range(len(content))
    found = []
    for key in keys:
        found.append((*at, key))
        if isinstance(content[key], dict | list):
            found += places(content[key], (*at, key))
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data())
def test_any_value_anywhere(written: Path, data: Any) -> None:
    files = ["scene_1a2b.json", "calibration/cal.json", "bounding_box_3d/LIDAR/0001.json"]
    file = written / data.draw(st.sampled_from([*files, "ontology/names.json"]))
    whole = file.read_text()
    content = json.loads(whole)
    *way, last = data.draw(st.sampled_from(places(content)))
    spot = content
    for key in way:
        spot = spot[key]
    spot[last] = data.draw(st.sampled_from(NASTY))
    try:
        file.write_text(json.dumps(content))
        with contextlib.suppress(DataError):
            capture = read(written)
            assert all(bool(v.camera.world_to_camera.isfinite().all()) for v in capture.views)
            assert all(bool(boxes.poses.isfinite().all()) for boxes in capture.boxes)
    finally:
        file.write_text(whole)
