"""Views whose geometry cannot be used, and points that do not fit it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from captures import make_scene, write_colmap_text, write_llff, write_transforms

from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError

BAD = {
    "nan": (np.diag([1, np.nan, 1, 1]), "NaN"),
    "infinite": (np.array([[1, 0, 0, np.inf], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "NaN"),
    "scaled": (np.diag([2.0, 2, 2, 1]), "no rotation"),
    "mirrored": (np.diag([1.0, 1, -1, 1]), "no rotation"),
    "sheared": (np.eye(4) + 0.1 * np.eye(4, k=1), "no rotation"),
    "zero": (np.diag([0.0, 0, 0, 1]), "no rotation"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_pose_skips_its_view(tmp_path: Path, kind: str) -> None:
    scene = make_scene()
    write_transforms(tmp_path, scene)
    matrix, reason = BAD[kind]
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][4]["transform_matrix"] = matrix.tolist()
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    (warning,) = capture.warnings
    assert "photo_04.png" in warning
    assert reason in warning


def test_a_bad_pose_in_colmap_and_llff(tmp_path: Path) -> None:
    scene = make_scene().centred()
    for folder, write in (("c", write_colmap_text), ("l", write_llff)):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, scene)
    images = tmp_path / "c/sparse/0/images.txt"
    lines = images.read_text().splitlines()
    words = lines[3].split()
    lines[3] = " ".join([words[0], "0", "0", "0", "0", *words[5:]])
    images.write_text("\n".join(lines) + "\n")
    rows = np.load(tmp_path / "l/poses_bounds.npy")
    rows[1, 3] = np.inf
    rows[2, 4] = np.nan
    np.save(tmp_path / "l/poses_bounds.npy", rows)
    colmap, llff = read_capture(tmp_path / "c"), read_capture(tmp_path / "l")
    assert len(colmap.views) == 8
    assert "photo_01.png" in colmap.warnings[0]
    assert len(llff.views) == 7
    assert "photo_01.png" in llff.warnings[0]
    assert "photo_02.png" in llff.warnings[1]


def test_only_bad_poses_are_an_error(tmp_path: Path) -> None:
    scene = make_scene()
    poses = [np.diag([1.0, 1, -1, 1])] * len(scene.names)
    write_transforms(tmp_path, replace(scene, world_to_camera=poses))
    with pytest.raises(DataError, match=r"no view can be used as transforms\.\n.*no rotation"):
        read_capture(tmp_path)


def test_a_rotation_printed_with_few_digits_is_made_exact(tmp_path: Path) -> None:
    scene = make_scene()
    write_transforms(
        tmp_path, replace(scene, world_to_camera=[p.round(3) for p in scene.world_to_camera])
    )
    for view in read_capture(tmp_path).views:
        rotation = view.camera.world_to_camera[:3, :3].double().numpy()
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)


def test_a_name_that_comes_twice(tmp_path: Path) -> None:
    scene = make_scene()
    scene.names[5] = scene.names[2]
    write_transforms(tmp_path, scene)
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    assert capture.warnings == (
        "skipped images/photo_02.png: its name came before; the first is kept",
    )


def test_points_behind_some_or_all_cameras(tmp_path: Path) -> None:
    scene = make_scene()
    far = scene.points - np.array([0.0, 0.0, 1000.0])
    some = np.concatenate([scene.points[:40], far[40:]])
    write_transforms(tmp_path, replace(scene, points=some))
    capture = read_capture(tmp_path)
    assert capture.warnings == ("10 of 50 points lie behind all cameras",)
    assert capture.points is not None
    write_transforms(tmp_path, replace(scene, points=far))
    capture = read_capture(tmp_path)
    assert "all points lie behind all cameras: the poses" in capture.warnings[0]
    assert capture.points is None


def test_points_that_are_not_finite_are_dropped(tmp_path: Path) -> None:
    scene = make_scene()
    points = scene.points.copy()
    points[3, 1], points[4, 0] = np.nan, np.inf
    write_transforms(tmp_path, replace(scene, points=points))
    capture = read_capture(tmp_path)
    assert capture.points is not None
    assert len(capture.points) == 48
    np.testing.assert_array_equal(capture.points.colors[3], scene.colors[5])
    assert "dropped 2 points" in capture.warnings[0]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"hello"])
def test_poses_bounds_that_are_no_array(tmp_path: Path, content: bytes) -> None:
    write_llff(tmp_path, make_scene().centred())
    (tmp_path / "poses_bounds.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"poses_bounds\.npy"):
        read_capture(tmp_path)


@pytest.mark.parametrize(
    "array", [np.zeros((9, 15)), np.zeros(17), np.array([[None] * 17] * 9), np.zeros((9, 17), "U4")]
)
def test_poses_bounds_of_another_kind(tmp_path: Path, array: np.ndarray) -> None:
    write_llff(tmp_path, make_scene().centred())
    np.save(tmp_path / "poses_bounds.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=r"poses_bounds\.npy"):
        read_capture(tmp_path)


def test_coordinates_far_from_the_origin_keep_their_digits(tmp_path: Path) -> None:
    scene = make_scene()
    away = np.array([4.0e6, 5.0e5, 100.0])  # As in a national grid.
    poses = []
    for pose in scene.world_to_camera:
        moved = pose.copy()
        moved[:3, 3] -= pose[:3, :3] @ away
        poses.append(moved)
    write_colmap_text(tmp_path, replace(scene, world_to_camera=poses, points=scene.points + away))
    near = tmp_path / "near"
    near.mkdir()
    write_colmap_text(near, scene)
    a, b = read_capture(tmp_path, ReadOptions(format="colmap")), read_capture(near)
    for u, v in zip(a.views, b.views, strict=True):
        np.testing.assert_allclose(u.camera.world_to_camera, v.camera.world_to_camera, atol=1e-5)
    assert a.points is not None
    assert b.points is not None
    np.testing.assert_allclose(a.points.positions, b.points.positions, atol=1e-5)
    np.testing.assert_allclose(
        a.to_source.translation - b.to_source.translation, away, rtol=1e-12, atol=1e-6
    )
