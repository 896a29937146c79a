"""COLMAP's own formats: numbers survive, lies are found."""

import struct
from pathlib import Path

import numpy as np
import pytest
from captures import make_scene, write_colmap_binary, write_colmap_text
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recon.datasets import colmap_binary, colmap_text
from recon.datasets.colmap_cameras import MODELS, CameraModel
from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError

number = st.floats(allow_nan=False, allow_infinity=False, width=64)
numbers = st.lists(number, min_size=7, max_size=7)
name = st.text(
    st.characters(exclude_characters="\0\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", codec="utf-8"),
    min_size=1,
).filter(lambda text: text == text.strip())


@given(st.lists(st.tuples(numbers, st.integers(0, 2**32 - 1), name), max_size=4))
def test_images_survive_both_ways(
    tmp_path_factory: pytest.TempPathFactory, images: list[tuple[list[float], int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("images")
    binary, text = struct.pack("<Q", len(images)), ""
    for i, (pose, camera, label) in enumerate(images):
        binary += struct.pack("<I7dI", i, *pose, camera) + label.encode() + b"\0"
        binary += struct.pack("<Qddq", 1, 0.5, 0.5, -1)
        text += f"{i} {' '.join(map(repr, pose))} {camera} {label}\n0.5 0.5 -1\n"
    (folder / "images.bin").write_bytes(binary)
    (folder / "images.txt").write_text(text, encoding="utf-8")
    from_binary = colmap_binary.read_images(folder / "images.bin")
    from_text = colmap_text.read_images(folder / "images.txt")
    assert from_binary == from_text
    for image, (pose, camera, label) in zip(from_binary, images, strict=True):
        assert [*image.quaternion, *image.translation] == pose
        assert (image.camera, image.name) == (camera, label)


@given(
    st.lists(
        st.tuples(st.sampled_from(MODELS), st.integers(1, 9999), st.lists(number, min_size=16)),
        max_size=5,
    )
)
def test_cameras_survive_both_ways(
    tmp_path_factory: pytest.TempPathFactory, cameras: list[tuple[CameraModel, int, list[float]]]
) -> None:
    folder = tmp_path_factory.mktemp("cameras")
    binary, text = struct.pack("<Q", len(cameras)), ""
    for i, (model, size, parameters) in enumerate(cameras):
        used = parameters[: model.parameters]
        binary += struct.pack(f"<IiQQ{len(used)}d", i, model.number, size, size + 1, *used)
        text += f"{i} {model.name} {size} {size + 1} {' '.join(map(repr, used))}\n"
    (folder / "cameras.bin").write_bytes(binary)
    (folder / "cameras.txt").write_text(text)
    from_binary = colmap_binary.read_cameras(folder / "cameras.bin")
    assert from_binary == colmap_text.read_cameras(folder / "cameras.txt")
    assert [c.parameters for c in from_binary.values()] == [
        tuple(p[: m.parameters]) for m, _, p in cameras
    ]


point = st.tuples(number, number, number, *[st.integers(0, 255)] * 3)


@given(st.lists(point, max_size=5))
def test_points_survive_both_ways(
    tmp_path_factory: pytest.TempPathFactory, points: list[tuple[float, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("points")
    binary, text = struct.pack("<Q", len(points)), ""
    for i, row in enumerate(points):
        binary += struct.pack("<Q3d3BdQ", i, *row, 0.5, i) + struct.pack("<II", 1, 2) * i
        text += f"{i} {' '.join(map(repr, row))} 0.5 {'1 2 ' * i}\n"
    (folder / "points3D.bin").write_bytes(binary)
    (folder / "points3D.txt").write_text(text)
    found = colmap_binary.read_points(folder / "points3D.bin")
    other = colmap_text.read_points(folder / "points3D.txt")
    expected = np.array(points, dtype=np.float64).reshape(-1, 6)
    for read in (found, other):
        np.testing.assert_array_equal(read.positions, expected[:, :3])
        np.testing.assert_array_equal(read.colors, expected[:, 3:])


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin", "points3D.bin"])
def test_a_cut_anywhere_is_found(tmp_path: Path, file: str) -> None:
    write_colmap_binary(tmp_path, make_scene(3))
    path = tmp_path / "sparse/0" / file
    whole = path.read_bytes()
    for length in sorted({0, 3, 8, 9, len(whole) // 2, len(whole) - 1}):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"{file}: .* at byte \d+ of {length}"):
            read_capture(tmp_path)


@pytest.mark.parametrize("file", ["cameras.bin", "images.bin", "points3D.bin"])
@pytest.mark.parametrize("count", [10**6, 2**40, 2**64 - 1])
def test_a_count_that_the_file_cannot_hold(tmp_path: Path, file: str, count: int) -> None:
    write_colmap_binary(tmp_path, make_scene(3))
    path = tmp_path / "sparse/0" / file
    path.write_bytes(struct.pack("<Q", count) + path.read_bytes()[8:])
    with pytest.raises(DataError, match=f"{count} records of .* bytes where .* are left"):
        read_capture(tmp_path)


def test_observations_that_the_file_cannot_hold(tmp_path: Path) -> None:
    write_colmap_binary(tmp_path, make_scene(1))
    path = tmp_path / "sparse/0/images.bin"
    path.write_bytes(path.read_bytes()[:-8] + struct.pack("<Q", 2**60))
    with pytest.raises(DataError, match=r"observations of photo_00\.png"):
        read_capture(tmp_path)


def test_an_unknown_model_number(tmp_path: Path) -> None:
    write_colmap_binary(tmp_path, make_scene(3))
    path = tmp_path / "sparse/0/cameras.bin"
    path.write_bytes(path.read_bytes()[:12] + struct.pack("<i", 99) + path.read_bytes()[16:])
    with pytest.raises(DataError, match="model number 99"):
        read_capture(tmp_path)


@pytest.mark.parametrize("file", ["cameras.txt", "images.txt", "points3D.txt"])
def test_a_bad_line_is_named(tmp_path: Path, file: str) -> None:
    write_colmap_text(tmp_path, make_scene(3))
    path = tmp_path / "sparse/0" / file
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace(" ", " x", 2)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=f"{file}, line 2: expected"):
        read_capture(tmp_path)


def test_text_that_is_no_text(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene(3))
    (tmp_path / "sparse/0/cameras.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_capture(tmp_path)


def test_the_largest_sub_model_is_taken_and_said(tmp_path: Path) -> None:
    write_colmap_binary(tmp_path, make_scene(3), "sparse/0")
    write_colmap_text(tmp_path, make_scene(7), "sparse/1")
    write_colmap_binary(tmp_path, make_scene(2), "sparse/2")
    capture = read_capture(tmp_path)
    assert len(capture.views) == 7
    assert capture.notes == ("3 sub-models: took 1 with 7 images, left 0 with 3, 2 with 2",)


@pytest.mark.parametrize("place", [".", "sparse", "sparse/0"])
def test_the_model_may_lie_in_three_places(tmp_path: Path, place: str) -> None:
    write_colmap_binary(tmp_path, make_scene(4), place)
    assert len(read_capture(tmp_path).views) == 4


def test_a_model_without_points(tmp_path: Path) -> None:
    write_colmap_binary(tmp_path, make_scene(4))
    (tmp_path / "sparse/0/points3D.bin").unlink()
    assert read_capture(tmp_path).points is None


def test_photos_without_a_camera_are_named(tmp_path: Path) -> None:
    scene = make_scene(4)
    write_colmap_text(tmp_path, scene)
    (tmp_path / "images/extra.png").write_bytes((tmp_path / "images/photo_00.png").read_bytes())
    (tmp_path / "images/notes.txt").touch()
    capture = read_capture(tmp_path)
    assert len(capture.views) == 4
    assert capture.warnings == ("1 photos in images have no camera and are not used: extra.png",)


def test_an_image_of_a_camera_that_is_not_there(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene(4))
    path = tmp_path / "sparse/0/images.txt"
    path.write_text(path.read_text().replace(" 7 photo_02", " 8 photo_02"))
    capture = read_capture(tmp_path)
    assert len(capture.views) == 3
    assert "skipped photo_02.png: camera 8 is not in cameras" in capture.warnings


def test_a_panorama_beside_photos_is_skipped(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene(4))
    cameras, images = tmp_path / "sparse/0/cameras.txt", tmp_path / "sparse/0/images.txt"
    cameras.write_text(cameras.read_text() + "8 EQUIRECTANGULAR 40 30 40 30\n")
    images.write_text(images.read_text().replace(" 7 photo_02", " 8 photo_02"))
    capture = read_capture(tmp_path)
    assert len(capture.views) == 3
    assert "EQUIRECTANGULAR: a panorama" in capture.warnings[0]


def test_a_wrong_number_of_parameters(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene(4))
    cameras = tmp_path / "sparse/0/cameras.txt"
    cameras.write_text(cameras.read_text().replace("PINHOLE", "OPENCV"))
    with pytest.raises(DataError, match="4 parameters, and OPENCV has 8"):
        read_capture(tmp_path)


def test_a_distorted_camera_is_undone_and_said(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene(4))
    cameras = tmp_path / "sparse/0/cameras.txt"
    line = cameras.read_text().rstrip()
    cameras.write_text(line.replace("PINHOLE", "OPENCV") + " 0.2 0 0 0\n")
    capture = read_capture(tmp_path)
    assert any("distortion (Brown) undone in 4 views" in note for note in capture.notes)
    valid = capture.views[0].photo.valid()
    assert valid is not None
    assert not bool(valid[0, 0])


def test_a_folder_of_smaller_photos(tmp_path: Path) -> None:
    scene = make_scene(4)
    write_colmap_text(tmp_path, scene)
    (tmp_path / "images_2").mkdir()
    for file in (tmp_path / "images").iterdir():
        Image.open(file).resize((20, 15), Image.Resampling.BOX).save(
            tmp_path / "images_2" / file.name
        )
    whole = read_capture(tmp_path)
    assert any("photos from images (of images, images_2)" in note for note in whole.notes)
    small = read_capture(tmp_path, ReadOptions(images="images_2"))
    camera = small.views[0].camera
    assert (camera.width, camera.height) == (20, 15)
    np.testing.assert_allclose(
        [camera.fx, camera.fy, camera.cx, camera.cy],
        np.array([scene.fx, scene.fy, scene.cx, scene.cy]) / 2,
    )
    assert any("20x15 for 40x30" in note for note in small.notes)
    with pytest.raises(DataError, match="there are images, images_2"):
        read_capture(tmp_path, ReadOptions(images="images_8"))


def test_photos_with_another_ending(tmp_path: Path) -> None:
    scene = make_scene(4)
    write_colmap_text(tmp_path, scene)
    for file in list((tmp_path / "images").iterdir())[:3]:
        Image.open(file).save(file.with_suffix(".webp"), lossless=True)
        file.unlink()
    capture = read_capture(tmp_path)
    assert "3 photos have another ending than the model says" in capture.notes
    for view, photo in zip(capture.views, scene.photos, strict=True):
        np.testing.assert_array_equal(view.photo.pixels(), photo)


def test_a_resized_copy_with_other_names(tmp_path: Path) -> None:
    scene = make_scene(5)
    write_colmap_text(tmp_path, scene)
    # One photo was never registered; the copies count it.
    Image.fromarray(scene.photos[0]).save(tmp_path / "images/photo_01b.png")
    (tmp_path / "images_2").mkdir()
    for i, file in enumerate(sorted((tmp_path / "images").iterdir())):
        Image.open(file).reduce(2).save(tmp_path / f"images_2/image{i:03d}.png")
    capture = read_capture(tmp_path, ReadOptions(images="images_2"))
    assert "photos in images_2 have other names: taken in the order of images" in capture.notes
    assert [view.name for view in capture.views] == scene.names
    assert capture.views[2].photo.path.name == "image003.png"  # type: ignore[attr-defined]
    (tmp_path / "images_2/image004.png").unlink()
    with pytest.raises(DataError, match=r"skipped photo_00\.png: .*no such file"):
        read_capture(tmp_path, ReadOptions(images="images_2"))


def test_a_quaternion_of_any_length(tmp_path: Path) -> None:
    scene = make_scene(3)
    write_colmap_text(tmp_path, scene)
    images = tmp_path / "sparse/0/images.txt"
    lines = images.read_text().splitlines()
    words = lines[1].split()
    words[1:5] = [repr(float(word) * 1e300) for word in words[1:5]]
    images.write_text("\n".join([lines[0], " ".join(words), *lines[2:]]) + "\n")
    rotation = read_capture(tmp_path).views[0].camera.world_to_camera[:3, :3]
    np.testing.assert_allclose(rotation, scene.world_to_camera[0][:3, :3], atol=1e-6)


def test_photos_in_folders_name_the_sensors(tmp_path: Path) -> None:
    scene = make_scene(4)
    scene.names[:] = ["left/0.png", "left/1.png", "right/0.png", "right/1.png"]
    write_colmap_binary(tmp_path, scene)
    views = read_capture(tmp_path).views
    assert [view.sensor for view in views] == ["left", "left", "right", "right"]
    assert [view.name for view in views] == scene.names
