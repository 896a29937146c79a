"""A drive written as a DGP scene reads back as its own exact geometry."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from dgp_scenes import (
    AXES,
    MIDDLE,
    intensities,
    lidar_points,
    middle,
    stamp,
    world_boxes,
    write_dgp,
)  # fmt: skip
from drives import car_pose, make_drive
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from recon.camera import inside, project
from recon.datasets.dgp_calibration import DgpCalibration
from recon.datasets.dgp_sweep import read_cloud
from recon.datasets.drive_source import DriveOptions
from recon.datasets.reader import ReadOptions, read_capture
from recon.drive_types import Boxes, Returns
from recon.errors import DataError, UsageError
from recon.inspect import inspect_capture
from recon.types import Capture

STEPS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dgp")
    write_dgp(folder, STEPS)
    return folder


@pytest.fixture(scope="module")
def capture(folder: Path) -> Capture:
    return read_capture(folder)


def changed(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_cameras_have_their_own_poses_and_times(capture: Capture) -> None:
    drive = make_drive(12)
    assert (capture.format, capture.metric, capture.warnings) == ("dgp", True, ())
    assert len(capture.views) == 2 * STEPS
    views = {view.name: view for view in capture.views}
    first = min(middle(drive.frames[0], "FRONT"), MIDDLE)
    for step, frame in enumerate(drive.frames):
        for sensor, rig in drive.cameras.items():
            view, seconds = views[f"rgb/{sensor}/{step:04d}.jpg"], middle(frame, sensor)
            assert (view.sensor, view.step) == (sensor, step)
            assert view.time == pytest.approx(seconds - first, abs=1e-6)
            expected = car_pose(seconds) @ rig.camera_to_vehicle @ AXES
            centre = capture.to_source.apply(view.camera.position[None])[0]
            np.testing.assert_allclose(centre, expected[:3, 3], atol=1e-5)
            turned = view.camera.world_to_camera[:3, :3].double().numpy() @ expected[:3, :3]
            np.testing.assert_allclose(turned, np.eye(3), atol=1e-6)
            lens = rig.intrinsics
            found = [view.camera.fx, view.camera.fy, view.camera.cx, view.camera.cy]
            assert found == [lens.fx, lens.fy, lens.cx, lens.cy]


def test_points_are_where_the_laser_hit(capture: Capture) -> None:
    drive = make_drive(12)
    for step in (0, 7):
        sweep = capture.lidar[step]
        returns = sweep.returns()
        expected = lidar_points(drive.frames[step], step)
        found = capture.to_source.apply(returns.positions)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(returns.intensity, intensities(len(expected)))
        assert sweep.time == pytest.approx(0.1 * step, abs=2e-2)
        assert (sweep.step, sweep.lasers, sweep.recorded) == (step, ("LIDAR",), False)


def test_points_are_found_in_the_photos_they_project_to(capture: Capture) -> None:
    views = {(view.sensor, view.step): view for view in capture.views}
    for sweep in capture.lidar[::4]:
        returns = sweep.returns()
        for number, sensor in enumerate(sweep.sensors, start=1):
            camera = views[sensor, sweep.step].camera
            pixels, depth = project(camera, returns.positions)
            here = returns.sensors == number
            found = returns.pixels[here]
            off = (found - pixels[here.any(dim=1)]).norm(dim=-1)
            assert len(found) > 5
            assert off.max() < 1e-2
            # The lens shows no less than the undistorted photo's middle.
            well = inside(camera, pixels, depth)
            edge = torch.tensor([camera.width, camera.height]) / 6
            well &= ((pixels > edge) & (pixels < 5 * edge)).all(dim=1)
            # All but what lies behind the house or the car.
            assert here.any(dim=1)[well].float().mean() > 0.9
    assert inspect_capture(capture).drive is not None


@pytest.mark.parametrize("fisheye", [False, True])
def test_lenses_are_opencvs(tmp_path: Path, fisheye: bool) -> None:
    names = (
        ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
    )
    numbers = np.random.default_rng(1).uniform(-0.02, 0.02, len(names))
    lens = {"fx": 50.0, "fy": 55.0, "cx": 30.0, "cy": 20.0, "fisheye": fisheye}
    lens |= dict(zip(names, numbers.tolist(), strict=True))
    file = tmp_path / "cal.json"
    file.write_text(json.dumps({"names": ["A"], "intrinsics": [lens]}))
    found = DgpCalibration(file).lens("A", 60, 40)
    assert found.distortion is not None
    x, y = np.random.default_rng(2).uniform(-0.5, 0.5, (2, 30))
    points, zero = np.stack([x, y, np.ones(30)], axis=-1)[:, None], np.zeros(3)
    project_points = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
    expected = project_points(points, zero, zero, np.eye(3), numbers)[0].reshape(-1, 2)
    np.testing.assert_allclose(np.stack(found.distortion.distort(x, y), -1), expected, atol=1e-9)


def test_boxes_and_their_velocities(capture: Capture) -> None:
    assert [boxes.step for boxes in capture.boxes] == list(range(STEPS))
    for boxes in capture.boxes:
        assert (boxes.tracks, boxes.kinds) == (("70", "71"), ("vehicle", "sign"))
        for i, (_, _, pose, size) in enumerate(world_boxes(boxes.step)):
            centre = capture.to_source.apply(boxes.poses[i, None, :3, 3])[0]
            np.testing.assert_allclose(centre, pose[:3, 3], atol=1e-5)
            np.testing.assert_allclose(boxes.poses[i, :3, :3], pose[:3, :3], atol=1e-6)
            np.testing.assert_allclose(boxes.sizes[i], size, atol=1e-6)
        np.testing.assert_allclose(boxes.velocities, [[12, 0, 0], [0, 0, 0]], atol=1e-3)


def test_velocities_do_not_need_the_steps_that_are_read(folder: Path) -> None:
    capture = read_capture(folder, ReadOptions(drive=DriveOptions(frames=(3, 3))))
    (boxes,) = capture.boxes
    np.testing.assert_allclose(boxes.speeds, [12, 0], atol=1e-3)
    write_dgp(alone := folder.parent / "alone", 1)
    (boxes,) = read_capture(alone).boxes
    assert boxes.speeds.isnan().all()


def test_cameras_steps_and_tracks_can_be_chosen(folder: Path) -> None:
    options = DriveOptions(cameras=("SIDE_LEFT",), frames=(2, 9), stride=3)
    capture = read_capture(folder, ReadOptions(hold_every=2, drive=options))
    assert [view.name for view in capture.views] == [
        f"rgb/SIDE_LEFT/{step:04d}.jpg" for step in (2, 5, 8)
    ]
    assert [sweep.step for sweep in capture.lidar] == [2, 5, 8]
    assert capture.lidar[0].sensors == ("SIDE_LEFT",)
    assert (capture.split.test, capture.split.sweeps) == ((2,), (0, 1))
    none = read_capture(folder, ReadOptions(drive=DriveOptions(lidar="A")))
    assert none.points is None
    assert len(none.lidar) == STEPS
    with pytest.raises(UsageError, match="--drive"):
        read_capture(folder, ReadOptions(drive=DriveOptions(frames=(40, 50))))


def test_points_begin_with_the_photos_colours(capture: Capture) -> None:
    assert capture.points is not None
    # Photos are gradients with little blue, and what no photo shows has no part in the fit.
    assert capture.points.colors[:, 2].max() < 60
    assert len(capture.points) > 50


def test_a_data_set_with_one_scene_and_with_more(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "ddad"
    root.mkdir()
    (root / "000000").symlink_to(folder)
    splits: dict[str, Any] = {"0": {"filenames": ["000000/scene_1a2b.json"]}, "1": {}}
    splits["1"]["filenames"] = ["000000/scene_1a2b.json"]
    (root / "scene_dataset_v1.0.json").write_text(json.dumps({"scene_splits": splits}))
    capture = read_capture(root)
    assert (capture.format, len(capture.views)) == ("dgp", 2 * STEPS)
    assert any("000000, 12 of 12 time steps" in note for note in capture.notes)
    splits["1"]["filenames"] = [f"{i:06d}/scene_{i}.json" for i in range(20)]
    (root / "scene_dataset_v1.0.json").rename(root / "ddad.json")
    (root / "ddad.json").write_text(json.dumps({"scene_splits": splits}))
    with pytest.raises(DataError, match=r"21 scenes \(000000/scene_0\.json.* and 9 more.*000000\."):
        read_capture(root)
    splits["1"]["filenames"] = ["../../scene_1.json"]
    (root / "ddad.json").write_text(json.dumps({"scene_splits": splits}))
    with pytest.raises(DataError, match=r"filenames\[0\].*expected a path below"):
        read_capture(root)


def test_older_ontologies_and_none(tmp_path: Path) -> None:
    file = write_dgp(tmp_path, 2)
    (tmp_path / "ontology/names.json").write_text('{"name_to_id": {"Person": "2", "Bicycle": 8}}')
    assert read_capture(tmp_path).boxes[0].kinds == ("pedestrian", "cyclist")
    (tmp_path / "ontology/names.json").unlink()
    capture = read_capture(tmp_path)
    assert capture.boxes[0].kinds == ("unknown", "unknown")
    assert any("names.json: no such file" in note for note in capture.notes)
    changed(file, lambda scene: scene.pop("ontologies"))
    assert read_capture(tmp_path).boxes[0].kinds == ("unknown", "unknown")


def test_a_scene_without_lidar(tmp_path: Path) -> None:
    file = write_dgp(tmp_path, 3)

    def without(scene: Any) -> None:
        scene["data"] = [d for d in scene["data"] if "image" in d["datum"]]
        for sample in scene["samples"]:
            sample["datum_keys"] = [k for k in sample["datum_keys"] if "cloud" not in k]

    changed(file, without)
    capture = read_capture(tmp_path)
    assert (len(capture.views), capture.lidar, capture.boxes) == (6, (), ())
    assert capture.points is None
    assert any("no LiDAR" in note for note in capture.notes)


def test_two_lidars(tmp_path: Path) -> None:
    file = write_dgp(tmp_path, 2)

    def twice(scene: Any) -> None:
        for i, sample in enumerate(scene["samples"]):
            other = json.loads(
                json.dumps(next(d for d in scene["data"] if d["key"] == f"cloud{i}"))
            )
            other["key"], other["id"]["name"] = f"other{i}", "REAR"
            other["id"]["timestamp"] = stamp(0.1 * i + 0.07)
            scene["data"].append(other)
            sample["datum_keys"].append(f"other{i}")

    changed(file, twice)
    capture = read_capture(tmp_path)
    assert [(s.step, s.lasers) for s in capture.lidar] == [
        (0, ("LIDAR",)), (0, ("REAR",)), (1, ("LIDAR",)), (1, ("REAR",)),
    ]  # fmt: skip
    assert [len(boxes) for boxes in capture.boxes] == [2, 2]


def test_arrays_that_name_their_columns(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, y, z, i = random.normal(size=(4, 9))
    expected = np.stack([x, y, z, i], axis=-1)
    file = tmp_path / "a.npz"
    named = np.zeros(9, dtype=[("RING", "u1"), ("INTENSITY", "f8"), *((c, "f8") for c in "ZYX")])
    named["INTENSITY"], named["X"], named["Y"], named["Z"] = i, x, y, z
    np.savez(file, data=named)
    np.testing.assert_array_equal(read_cloud(file, ()), expected)
    np.savez(file, data=np.stack([i, z, y, x], axis=-1))
    np.testing.assert_array_equal(read_cloud(file, ("INTENSITY", "Z", "Y", "X")), expected)
    np.savez(file, data=expected[:, :3].astype(np.float32))
    np.testing.assert_allclose(
        read_cloud(file, ("X", "Y", "Z")), expected * [1, 1, 1, 0], rtol=1e-6
    )


def test_points_that_are_nowhere_are_left_out(tmp_path: Path) -> None:
    write_dgp(tmp_path, 1)
    file = tmp_path / "point_cloud/LIDAR/0000.npz"
    data = np.load(file)["data"]
    count = len(data)
    data[3, 1], data[5, 0] = np.nan, np.inf
    np.savez(file, data=data)
    returns = read_capture(tmp_path).lidar[0].returns()
    assert len(returns) == count - 2
    assert returns.positions.isfinite().all()


@pytest.fixture(scope="module")
def real(shared: Path) -> Path:
    return shared / "data/dgp_scene_01"


@pytest.fixture(scope="module")
def real_capture(real: Path) -> Capture:
    return read_capture(real, ReadOptions(format="dgp"))


def test_real_cameras_agree_with_transforms(real: Path, real_capture: Capture) -> None:
    other = read_capture(real, ReadOptions(format="transforms"))
    assert (other.format, real_capture.format) == ("transforms", "dgp")
    for a, b in zip(real_capture.views, other.views, strict=True):
        assert (a.name, a.sensor) == (b.name, b.sensor)
        torch.testing.assert_close(
            a.camera.world_to_camera, b.camera.world_to_camera, atol=1e-6, rtol=0
        )
        inner = [(c.fx, c.fy, c.cx, c.cy, c.width, c.height) for c in (a.camera, b.camera)]
        assert inner[0] == inner[1]


def matrix(pose: Any) -> np.ndarray:
    turn, place = pose["rotation"], pose["translation"]
    found = np.eye(4)
    order = [turn[k] for k in ("qx", "qy", "qz", "qw")]
    found[:3, :3] = Rotation.from_quat(order).as_matrix()
    found[:3, 3] = [place[k] for k in "xyz"]
    return found


def test_real_points_project_as_the_rigs_calibration_says(
    real: Path, real_capture: Capture
) -> None:
    """The car stands still, so its extrinsics, which are not read, lead from LiDAR to camera."""
    calibration = json.loads(next(real.glob("calibration/*.json")).read_text())
    rig = dict(zip(calibration["names"], map(matrix, calibration["extrinsics"]), strict=True))
    files = sorted(real.glob("point_cloud/LIDAR/*.npz"))
    for sweep, file in zip(real_capture.lidar, files, strict=True):
        raw, returns = np.load(file)["data"][:, :3], sweep.returns()
        assert len(raw) == len(returns)
        for number, sensor in enumerate(sweep.sensors, start=1):
            view = next(v for v in real_capture.views if v.sensor == sensor)
            to_camera = np.linalg.inv(rig[sensor]) @ rig["LIDAR"]
            x, y, z = (raw @ to_camera[:3, :3].T + to_camera[:3, 3]).T
            camera = view.camera
            expected = np.stack(
                [camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], axis=-1
            )
            here, pixels = (returns.sensors == number).numpy(), returns.pixels.numpy()
            off = np.linalg.norm(pixels[here] - expected[here.any(axis=1)], axis=-1)
            assert len(off) > 4000
            assert off.max() < 0.005  # px


def held(boxes: Boxes, returns: Returns, sizes: torch.Tensor) -> list[int]:
    """Count the points in each box."""
    local = torch.einsum(
        "bji,bnj->bni", boxes.poses[:, :3, :3], returns.positions - boxes.poses[:, None, :3, 3]
    )
    return (local.abs() <= sizes[:, None] / 2).all(dim=2).sum(dim=1).tolist()


def test_real_boxes_hold_the_points_that_their_labels_count(
    real: Path, real_capture: Capture
) -> None:
    """Labels count all points of the original cloud, of which the file keeps some."""
    files = sorted(real.glob("bounding_box_3d/LIDAR/*.json"))
    for boxes, sweep, file in zip(real_capture.boxes, real_capture.lidar, files, strict=True):
        labels = json.loads(file.read_text())["annotations"]
        counted = [label["num_points"] for label in labels]
        returns = sweep.returns()
        right = spearmanr(counted, held(boxes, returns, boxes.sizes)).statistic
        swapped = spearmanr(counted, held(boxes, returns, boxes.sizes[:, [1, 0, 2]])).statistic
        assert right > 0.94
        assert right > swapped + 0.08


def test_real_facts(real_capture: Capture) -> None:
    assert not real_capture.warnings
    facts = inspect_capture(real_capture).drive
    assert facts is not None
    assert facts.lidar is not None
    assert (facts.steps, facts.lidar.sweeps, facts.lidar.recorded) == (3, 3, False)
    assert facts.lidar.agreement is None
    assert facts.boxes is not None
    assert (facts.boxes.boxes, facts.boxes.tracks) == (286, 97)
