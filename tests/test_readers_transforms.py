"""transforms.json and its relatives: what keys mean, and what their absence does."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captures import Scene, make_scene, transforms, write_blender, write_transforms
from PIL import Image

from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError


def rewrite(folder: Path, content: dict[str, Any]) -> None:
    (folder / "transforms.json").write_text(json.dumps(content))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = make_scene()
    write_transforms(tmp_path, scene)
    return scene


@pytest.fixture
def content(scene: Scene) -> Any:
    return transforms(scene)


def test_a_frame_overrides_the_file(tmp_path: Path, content: Any) -> None:
    content["frames"][2] |= {"fl_x": 99.0, "cy": 3.0}
    rewrite(tmp_path, content)
    cameras = [view.camera for view in read_capture(tmp_path).views]
    assert [camera.fx for camera in cameras] == [35.0, 35.0, 99.0] + [35.0] * 6
    assert cameras[2].cy == 3.0


def test_an_angle_stands_for_a_focal_length(tmp_path: Path, content: Any) -> None:
    for key in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
        del content[key]
    content |= {"camera_angle_x": 1.0, "aabb_scale": 16, "offset": [0, 0, 0]}
    rewrite(tmp_path, content)
    capture = read_capture(tmp_path)
    camera = capture.views[0].camera
    focal = 20 / math.tan(0.5)
    found = (camera.fx, camera.fy, camera.cx, camera.cy)
    assert found == pytest.approx((focal, focal, 20, 15))
    assert "ignored instant-ngp's aabb_scale, offset" in capture.notes


@pytest.mark.parametrize("key", ["file_path", "transform_matrix"])
def test_a_missing_key_names_key_and_frame(tmp_path: Path, content: Any, key: str) -> None:
    del content["frames"][3][key]
    rewrite(tmp_path, content)
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    (warning,) = capture.warnings
    assert "frame 3" in warning
    assert f"`{key}`" in warning


def test_no_focal_length_anywhere(tmp_path: Path, content: Any) -> None:
    del content["fl_x"], content["fl_y"]
    rewrite(tmp_path, content)
    with pytest.raises(DataError, match=r"frame 0 .*neither `fl_x` nor `camera_angle_x`"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fl_x", "wide"),
        ("w", True),
        ("transform_matrix", [[1, 2], [3, 4]]),
        ("transform_matrix", "identity"),
        ("transform_matrix", [[1, 0, 0, 0], [0, 1, 0], [0, 0, 1, 0]]),
        ("file_path", 7),
        ("camera_model", "EQUIRECTANGULAR"),
        ("distortion_params", [1, 2]),
        ("fl_x", -3.0),
        ("mask_path", "nowhere.png"),
        ("depth_file_path", "nowhere.png"),
        ("k4", 0.1),
    ],
)
def test_a_bad_value_skips_its_frame(tmp_path: Path, content: Any, key: str, value: Any) -> None:
    content["frames"][3][key] = value
    rewrite(tmp_path, content)
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    assert len(capture.warnings) == 1
    assert capture.warnings[0].startswith("skipped ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"frames": 3}',
        '{"frames": [1]}',
        "[" * 100000,
        "\x00",
        '{"frames": []}',
    ],
)
def test_a_file_that_is_no_description(tmp_path: Path, text: str) -> None:
    (tmp_path / "transforms.json").write_text(text)
    with pytest.raises(DataError, match=str(tmp_path)):
        read_capture(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "transforms.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not JSON"):
        read_capture(tmp_path)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "images/../../secret.png"])
def test_a_path_may_not_leave_the_folder(tmp_path: Path, content: Any, name: str) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path.parent / "secret.png")
    for key in ("file_path", "mask_path", "depth_file_path"):
        changed = json.loads(json.dumps(content))
        changed["frames"][3][key] = name
        rewrite(tmp_path, changed)
        capture = read_capture(tmp_path)
        assert len(capture.views) == 8
        assert "leads out of" in capture.warnings[0]
    rewrite(tmp_path, content | {"ply_file_path": name})
    capture = read_capture(tmp_path)
    assert capture.points is None
    assert "no points" in capture.warnings[0]


def test_distortion_by_its_keys_and_by_its_list(tmp_path: Path, content: Any) -> None:
    rewrite(tmp_path, content | {"k1": -0.1, "k2": 0.02, "p1": 0.001, "p2": 0.002, "k3": 0.003})
    by_keys = read_capture(tmp_path).views[0].photo.pixels()
    listed = [-0.1, 0.02, 0.003, 0.0, 0.001, 0.002]
    rewrite(tmp_path, content | {"distortion_params": listed})
    by_list = read_capture(tmp_path).views[0].photo.pixels()
    np.testing.assert_array_equal(by_keys, by_list)
    rewrite(tmp_path, content)
    assert not np.array_equal(read_capture(tmp_path).views[0].photo.pixels(), by_keys)


def test_a_fisheye(tmp_path: Path, content: Any) -> None:
    rewrite(tmp_path, content | {"camera_model": "OPENCV_FISHEYE", "k1": 0.01})
    capture = read_capture(tmp_path)
    assert any("(Fisheye) undone in 9 views" in note for note in capture.notes)


def test_a_lens_that_leaves_nothing(tmp_path: Path, content: Any) -> None:
    content["frames"][3]["k1"] = -1e6
    rewrite(tmp_path, content)
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    assert "would leave less than 5% of the photo" in capture.warnings[0]


def test_photos_from_another_folder(tmp_path: Path, content: Any) -> None:
    (tmp_path / "images_2").mkdir()
    for file in (tmp_path / "images").iterdir():
        Image.open(file).reduce(2).save(tmp_path / "images_2" / file.name)
    capture = read_capture(tmp_path, ReadOptions(images="images_2"))
    assert {(v.camera.width, v.camera.height) for v in capture.views} == {(20, 15)}
    assert capture.views[0].name == "images/photo_00.png"


def test_a_file_of_another_name(tmp_path: Path, content: Any) -> None:
    content["frames"] = content["frames"][:4]
    (tmp_path / "transforms_lens.json").write_text(json.dumps(content))
    capture = read_capture(tmp_path / "transforms_lens.json")
    assert len(capture.views) == 4
    assert capture.points is not None
    with pytest.raises(DataError, match=r"other\.json: no such file"):
        read_capture(tmp_path / "other.json")


def test_a_frame_may_state_its_sensor_time_and_lens(tmp_path: Path, content: Any) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x829D: 4.0, 0x8827: 100})
    photo = tmp_path / "images/photo_00.png"
    Image.open(photo).save(photo, exif=exif.tobytes())
    content["frames"][0] |= {"sensor": "FRONT", "time": 1.5, "f_number": 2.0, "focus_distance": 6}
    rewrite(tmp_path, content)
    first, second = read_capture(tmp_path).views[:2]
    assert (first.sensor, first.time) == ("FRONT", 1.5)
    assert (first.exif.f_number, first.exif.focus_distance, first.exif.iso) == (2.0, 6.0, 100.0)
    assert (second.sensor, second.time, second.exif.f_number) == ("", 0.0, None)


def test_masks_and_depth(tmp_path: Path, content: Any) -> None:
    mask = np.full((30, 40), 255, np.uint8)
    mask[:10] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.full((30, 40), 2500, np.uint16)).save(tmp_path / "depth.png")
    np.save(tmp_path / "depth.npy", np.full((30, 40), 3.5, np.float32))
    content["frames"][0] |= {"mask_path": "mask.png", "depth_file_path": "./depth.png"}
    content["frames"][1] |= {"depth_file_path": "depth.npy", "depth_unit_scale_factor": 2.0}
    rewrite(tmp_path, content)
    first, second, third = (view.photo for view in read_capture(tmp_path).views[:3])
    valid = first.valid()
    assert valid is not None
    assert valid.sum() == 20 * 40
    depths = [photo.depth() for photo in (first, second)]
    assert [float(d.z.mean()) for d in depths if d is not None] == pytest.approx([2.5, 7.0])
    assert third.depth() is None
    assert third.valid() is None


def test_metres_only_where_somebody_says_so(tmp_path: Path, content: Any) -> None:
    assert not read_capture(tmp_path).metric
    assert read_capture(tmp_path, ReadOptions(metric=True)).metric
    rewrite(tmp_path, content | {"metric": True})
    assert read_capture(tmp_path).metric


def test_the_frame_is_that_of_the_matrices(tmp_path: Path, scene: Scene, content: Any) -> None:
    applied = [[0.0, 1.0, 0.0, 5.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0]]
    rewrite(tmp_path, content | {"applied_transform": applied, "applied_scale": 3.0})
    capture = read_capture(tmp_path)
    centre = capture.to_source.apply(capture.views[0].camera.position[None])[0]
    expected = np.array(content["frames"][0]["transform_matrix"])[:3, 3]
    np.testing.assert_allclose(centre, expected, atol=1e-4)
    assert any("applied_transform and applied_scale not undone" in note for note in capture.notes)


def test_own_split(tmp_path: Path, content: Any) -> None:
    names = [frame["file_path"] for frame in content["frames"]]
    lists = {"train_filenames": names[:5], "val_filenames": names[5:7], "test_filenames": names[7:]}
    rewrite(tmp_path, content | lists)
    split = read_capture(tmp_path).split
    assert (split.train, split.test) == ((0, 1, 2, 3, 4), (7, 8))
    assert split.rule == "the files' own"
    rewrite(tmp_path, content | {"val_filenames": names[:2]})
    split = read_capture(tmp_path).split
    assert (split.train, split.test) == ((2, 3, 4, 5, 6, 7, 8), (0, 1))


def test_a_ply_that_lies_about_its_size(tmp_path: Path, scene: Scene) -> None:
    path = tmp_path / "points.ply"
    path.write_text(path.read_text().replace("vertex 50", "vertex 5000000000"))
    capture = read_capture(tmp_path)
    assert capture.points is None
    assert "claims 5000000000 vertices" in capture.warnings[0]


@pytest.mark.parametrize("length", [0, 20, 150, 600])
def test_a_ply_that_is_cut_off(tmp_path: Path, scene: Scene, length: int) -> None:
    path = tmp_path / "points.ply"
    path.write_bytes(path.read_bytes()[:length])
    capture = read_capture(tmp_path)
    assert capture.points is None
    assert "points.ply" in capture.warnings[0]


def test_blender_val_views_are_left_alone(tmp_path: Path) -> None:
    write_blender(tmp_path, make_scene().centred())
    capture = read_capture(tmp_path)
    assert len(capture.train) == len(capture.test) == 3
    assert len(capture.views) == 9
    assert "3 val views are neither trained on nor tested" in capture.notes


def test_blender_without_a_test_file_is_split_by_name(tmp_path: Path) -> None:
    write_blender(tmp_path, make_scene().centred())
    (tmp_path / "transforms_test.json").unlink()
    (tmp_path / "transforms_val.json").unlink()
    assert read_capture(tmp_path).split.rule == "every 8th by name"
