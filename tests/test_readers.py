"""What every reader owes, and what real captures hold."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from captures import WRITERS, Scene, make_scene, write_colmap_text, write_llff, write_transforms

from recon.camera import inside, project, unproject
from recon.datasets.reader import READERS, ReadOptions, read_capture
from recon.errors import DataError, UsageError
from recon.types import Capture


@pytest.fixture(params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Scene, Path, str]:
    scene = make_scene()
    if request.param in {"llff", "blender"}:
        scene = scene.centred()
    WRITERS[request.param](tmp_path, scene)
    return scene, tmp_path, request.param.partition("-")[0]


def stem(name: str) -> str:
    return PurePosixPath(name).stem


def test_every_reader_has_a_writer_here() -> None:
    written = {name.partition("-")[0] for name in WRITERS}
    # See test_waymo, test_kitti, test_dgp and test_drivestudio.
    drives = {"waymo-v1", "waymo-v2", "kitti", "dgp", "drivestudio"}
    assert written | drives == {reader.name for reader in READERS}


def test_cameras_come_back(written: tuple[Scene, Path, str]) -> None:
    scene, path, name = written
    capture = read_capture(path)
    assert capture.format == name
    assert len(capture.views) == len(scene.names)
    assert not capture.warnings
    assert [v.name for v in capture.views] == sorted(v.name for v in capture.views)
    poses = {stem(n): p for n, p in zip(scene.names, scene.world_to_camera, strict=True)}
    for view in capture.views:
        camera, pose = view.camera, poses[stem(view.name)]
        found = [camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height]
        expected = [scene.fx, scene.fy, scene.cx, scene.cy, scene.width, scene.height]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(camera.world_to_camera[:3, :3], pose[:3, :3], atol=1e-6)
        centre = capture.to_source.apply(camera.position[None])[0]
        np.testing.assert_allclose(centre, np.linalg.inv(pose)[:3, 3], atol=1e-4)


def test_cameras_stand_around_the_origin(written: tuple[Scene, Path, str]) -> None:
    capture = read_capture(written[1])
    centres = torch.stack([view.camera.position for view in capture.views])
    np.testing.assert_allclose(centres.mean(0), 0, atol=1e-5)
    assert capture.to_source.scale == 1
    assert torch.equal(capture.to_source.rotation, torch.eye(3, dtype=torch.float64))


def test_points_come_back(written: tuple[Scene, Path, str]) -> None:
    scene, path, name = written
    points = read_capture(path).points
    if name in {"llff", "blender"}:
        assert points is None
        return
    assert points is not None
    capture = read_capture(path)
    back = capture.to_source.apply(points.positions)
    np.testing.assert_allclose(back, scene.points, atol=1e-4)
    np.testing.assert_array_equal(points.colors, scene.colors)
    pixels, depth = project(capture.views[0].camera, points.positions)
    local = scene.points @ scene.world_to_camera[0][:3, :3].T + scene.world_to_camera[0][:3, 3]
    np.testing.assert_allclose(depth, local[:, 2], atol=1e-4)
    np.testing.assert_allclose(
        pixels[:, 0], scene.fx * local[:, 0] / local[:, 2] + scene.cx, atol=1e-2
    )


def test_photos_come_back(written: tuple[Scene, Path, str]) -> None:
    scene, path, name = written
    photos = {stem(n): p for n, p in zip(scene.names, scene.photos, strict=True)}
    capture = read_capture(path)
    for view in capture.views:
        expected = photos[stem(view.name)].copy()
        if name == "blender":
            expected[: scene.height // 2] = 255
            assert capture.background == (1.0, 1.0, 1.0)
        np.testing.assert_array_equal(view.photo.pixels(), expected)
        assert view.photo.valid() is None
        assert view.photo.depth() is None


def test_downscale_averages_areas_and_keeps_rays(written: tuple[Scene, Path, str]) -> None:
    scene, path, _ = written
    full = read_capture(path).views[1]
    half = read_capture(path, ReadOptions(downscale=2.0)).views[1]
    assert (half.camera.width, half.camera.height) == (scene.width // 2, scene.height // 2)
    found = [half.camera.fx, half.camera.fy, half.camera.cx, half.camera.cy]
    expected = [full.camera.fx, full.camera.fy, full.camera.cx, full.camera.cy]
    np.testing.assert_allclose(found, np.array(expected) / 2)
    blocks = full.photo.pixels().double().reshape(15, 2, 20, 2, 3).mean((1, 3))
    np.testing.assert_allclose(half.photo.pixels().double(), blocks, atol=0.5001)


def test_splits_are_disjoint_and_sorted(written: tuple[Scene, Path, str]) -> None:
    _, path, name = written
    capture = read_capture(path, ReadOptions(hold_every=4))
    assert not set(capture.split.train) & set(capture.split.test)
    if name == "blender":
        assert {view.name.split("/")[0] for view in capture.test} == {"test"}
        assert {view.name.split("/")[0] for view in capture.train} == {"train"}
        assert capture.split.rule == "the files' own"
    else:
        assert capture.split.test == (0, 4, 8)
        assert capture.split.train == (1, 2, 3, 5, 6, 7)
    assert len(read_capture(path, ReadOptions(hold_every=0)).train) == len(capture.views)


def test_a_view_without_its_photo_is_skipped_by_name(written: tuple[Scene, Path, str]) -> None:
    _, path, name = written
    lost = sorted(path.rglob("photo_04.png"))[0]
    lost.unlink()
    if name == "llff":  # Rows belong to photos by order, so nothing can be guessed.
        with pytest.raises(DataError, match=r"poses_bounds\.npy: 9 poses for 8 photos"):
            read_capture(path)
        return
    capture = read_capture(path)
    assert len(capture.views) == 8
    (warning,) = capture.warnings
    assert "photo_04" in warning
    assert str(lost.with_suffix("")) in warning


def test_a_truncated_photo_is_skipped_by_name(written: tuple[Scene, Path, str]) -> None:
    _, path, _ = written
    file = sorted(path.rglob("photo_04.png"))[0]
    file.write_bytes(file.read_bytes()[:-300])
    capture = read_capture(path)
    assert len(capture.views) == 8
    (warning,) = capture.warnings
    assert str(file) in warning
    assert "copy it again" in warning


def test_no_photos_at_all_is_an_error(written: tuple[Scene, Path, str]) -> None:
    _, path, _ = written
    for file in path.rglob("*.png"):
        file.unlink()
    with pytest.raises(DataError, match=str(path)):
        read_capture(path)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folder is empty") as error:
        read_capture(tmp_path)
    for reader in READERS:
        assert reader.needs in str(error.value)


def test_a_strange_folder_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "video.mp4").touch()
    (tmp_path / "frames").mkdir()
    with pytest.raises(DataError, match=r"It holds frames/, video\.mp4\."):
        read_capture(tmp_path)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_capture(tmp_path / "nowhere")


def test_the_first_format_wins_and_says_so(tmp_path: Path) -> None:
    scene = make_scene().centred()
    for write in (write_llff, write_transforms, write_colmap_text):
        write(tmp_path, scene)
    capture = read_capture(tmp_path)
    assert capture.format == "colmap"
    assert "also there: transforms, llff" in capture.notes[0]
    for name in ("colmap", "transforms", "llff"):
        chosen = read_capture(tmp_path, ReadOptions(format=name))
        assert chosen.format == name
        assert not any("also there" in note for note in chosen.notes)
    assert read_capture(tmp_path / "transforms.json").format == "transforms"


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_a_format_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        read_capture(tmp_path, ReadOptions(format=name))


@pytest.mark.parametrize(
    "options", [ReadOptions(format="nerf"), ReadOptions(downscale=0.5), ReadOptions(hold_every=-1)]
)
def test_options_out_of_range(tmp_path: Path, options: ReadOptions) -> None:
    write_transforms(tmp_path, make_scene())
    with pytest.raises(UsageError, match="--"):
        read_capture(tmp_path, options)


def poses(capture: Capture) -> torch.Tensor:
    return torch.stack([view.camera.world_to_camera for view in capture.views])


@pytest.mark.parametrize("name", ["llff_fern_504", "ngp_fox_540", "strecha_fountain-P11"])
def test_real_colmap_and_transforms_agree(shared: Path, name: str) -> None:
    folder = shared / "data" / name
    colmap = read_capture(folder)
    other = read_capture(folder, ReadOptions(format="transforms"))
    assert colmap.format == "colmap"
    assert not colmap.warnings + other.warnings
    assert [v.name for v in colmap.views] == [stem_of(v.name) for v in other.views]
    torch.testing.assert_close(poses(colmap), poses(other), atol=2e-5, rtol=0)
    for a, b in zip(colmap.views, other.views, strict=True):
        numbers = [[c.fx, c.fy, c.cx, c.cy] for c in (a.camera, b.camera)]
        np.testing.assert_allclose(*numbers, atol=1e-6)
        assert a.photo.pixels().shape == (a.camera.height, a.camera.width, 3)


def stem_of(name: str) -> str:
    return PurePosixPath(name).name


@pytest.mark.parametrize("name", ["llff_fern_504", "ngp_fox_540", "strecha_fountain-P11"])
def test_real_points_project_into_the_photos(shared: Path, name: str) -> None:
    capture = read_capture(shared / "data" / name)
    assert capture.points is not None
    seen = torch.zeros(len(capture.points), dtype=torch.bool)
    for view in capture.views:
        seen |= inside(view.camera, *project(view.camera, capture.points.positions))
    assert seen.float().mean() > 0.995


def test_real_llff_agrees_with_colmap(shared: Path) -> None:
    folder = shared / "data" / "llff_fern_504"
    llff, colmap = read_capture(folder, ReadOptions(format="llff")), read_capture(folder)
    torch.testing.assert_close(poses(llff), poses(colmap), atol=1e-5, rtol=0)
    assert llff.views[0].camera.fx == pytest.approx(colmap.views[0].camera.fx)
    assert any("504x378 for 4032x3024" in note for note in llff.notes)


@pytest.mark.parametrize(
    ("name", "views", "sensors", "size"),
    [
        ("kitti_odom_clip1", 102, {"image_l", "image_r"}, (1226, 370)),
        ("rgbd_7scenes_tsdf", 40, {""}, (640, 480)),
        ("dgp_scene_01", 9, {"CAMERA_01", "CAMERA_05", "CAMERA_06"}, (1936, 1216)),
    ],
)
def test_real_transforms(
    shared: Path, name: str, views: int, sensors: set[str], size: tuple[int, int]
) -> None:
    capture = read_capture(shared / "data" / name)
    assert capture.format == "transforms"
    assert len(capture.views) == views
    assert {view.sensor for view in capture.views} == sensors
    assert {(v.camera.width, v.camera.height) for v in capture.views} == {size}
    assert not capture.warnings


def test_real_stereo_has_its_baseline(shared: Path) -> None:
    capture = read_capture(shared / "data" / "kitti_odom_clip1")
    left, right = (
        torch.stack([v.camera.position for v in capture.views if v.sensor == sensor])
        for sensor in ("image_l", "image_r")
    )
    np.testing.assert_allclose((left - right).norm(dim=-1), 0.537, atol=1e-3)


def test_real_depth_agrees_between_views(shared: Path) -> None:
    capture = read_capture(shared / "data" / "rgbd_7scenes_tsdf", ReadOptions(downscale=4.0))
    first, second = capture.views[0], capture.views[1]
    a, b = first.photo.depth(), second.photo.depth()
    assert a is not None
    assert b is not None
    rows, columns = torch.nonzero(a.valid, as_tuple=True)
    pixels = torch.stack([columns, rows], dim=-1).float() + 0.5
    points = unproject(first.camera, pixels, a.z[rows, columns])
    moved, depth = project(second.camera, points)
    seen = inside(second.camera, moved, depth)
    column, row = moved[seen].floor().long().T
    column, row = column.clamp(max=b.z.shape[1] - 1), row.clamp(max=b.z.shape[0] - 1)
    both = b.valid[row, column]
    error = (b.z[row, column] - depth[seen])[both].abs()
    assert len(error) > 5000
    assert error.median() < 0.03  # Metres, of a Kinect.
