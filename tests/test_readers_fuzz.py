"""Whatever stands in a capture's files, reading ends in a capture or in a DataError."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captures import make_scene, transforms, write_colmap_binary, write_llff, write_transforms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon.datasets.reader import read_capture
from recon.errors import DataError

KEYS = [
    "file_path", "transform_matrix", "fl_x", "fl_y", "cx", "cy", "w", "h", "camera_angle_x", "k1",
    "k4", "p2", "camera_model", "is_fisheye", "distortion_params", "mask_path", "depth_file_path",
    "depth_unit_scale_factor", "ply_file_path", "test_filenames", "metric", "applied_transform",
]  # fmt: skip
NASTY = [
    None, True, 0, -1, 10**400, 1e308, 1e-308, math.nan, math.inf, -math.inf, "", ".", "..", "/",
    "a\0b", "x" * 5000, "images", "images/photo_01.png/y", "~", [], [[]], [0] * 6, [math.nan] * 6,
    ["1"] * 6, {}, {"frames": []}, [[math.inf] * 4] * 4, [[0, 0, 0, 1e200]] * 4,
]  # fmt: skip
SCENE = make_scene(2)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def read(folder: Path) -> None:
    with contextlib.suppress(DataError):
        for view in read_capture(folder).views:
            camera = view.camera
            assert np.isfinite([camera.fx, camera.fy, camera.cx, camera.cy]).all()
            assert bool(camera.world_to_camera.isfinite().all())
            with contextlib.suppress(DataError):
                view.photo.valid()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    write_transforms(folder, make_scene(2))
    return folder


fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)


@pytest.mark.parametrize("key", KEYS)
def test_any_value_of_any_key(folder: Path, key: str) -> None:
    for i, value in enumerate(NASTY):
        content: dict[str, Any] = transforms(SCENE)
        # In the frame, for every third in the whole file.
        (content if i % 3 == len(key) % 3 else content["frames"][1])[key] = value
        (folder / "transforms.json").write_text(json.dumps(content))
        read(folder)


@fuzz
@given(values)
def test_any_json(folder: Path, value: Any) -> None:
    (folder / "transforms.json").write_text(json.dumps({"frames": [value, {"file_path": value}]}))
    read(folder)
    (folder / "transforms.json").write_text(json.dumps(value))
    read(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_colmap_binary(folder, make_scene(2))
    return folder


@fuzz
@given(
    st.sampled_from(["cameras.bin", "images.bin", "points3D.bin"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=12),
)
def test_any_bytes_in_a_colmap_model(model: Path, file: str, where: float, junk: bytes) -> None:
    path = model / "sparse/0" / file
    whole = path.read_bytes()
    start = int(where * len(whole))
    path.write_bytes(whole[:start] + junk + whole[start + len(junk) :])
    try:
        read(model)
    finally:
        path.write_bytes(whole)


@fuzz
@given(st.integers(0, 1), st.integers(0, 16), st.floats())
def test_any_number_in_poses_bounds(
    tmp_path_factory: pytest.TempPathFactory, row: int, column: int, value: float
) -> None:
    folder = tmp_path_factory.mktemp("llff")
    write_llff(folder, make_scene(2).centred())
    rows = np.load(folder / "poses_bounds.npy")
    rows[row, column] = value
    np.save(folder / "poses_bounds.npy", rows)
    read(folder)
