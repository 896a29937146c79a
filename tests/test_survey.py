from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import Scene, write_transforms
from planes import wall_depth, wall_scene

from recon.datasets.reader import read_capture
from recon.errors import DataError
from recon.evidence.store import Store
from recon.matching.sift import Sift
from recon.matching.survey import Survey, compare, survey
from recon.types import Capture

pytestmark = pytest.mark.usefixtures("one_thread")

SCENE, SIFT = wall_scene(), Sift(most=1000)


def capture_of(folder: Path, scene: Scene) -> Capture:
    write_transforms(folder, scene)
    return read_capture(folder)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    folder = tmp_path_factory.mktemp("wall")
    capture = capture_of(folder / "capture", SCENE)
    return survey(capture.views, SIFT, Store(folder / "cache"))


def test_depth_of_a_wall_is_exact_to_a_tenth_of_a_percent(found: Survey) -> None:
    errors = []
    for index in range(len(SCENE.names)):
        known = found.known_depth(index)
        rays = found.comparison.cameras.rays(torch.full((len(known.depth),), index), known.pixels)
        truth = wall_depth(torch.from_numpy(SCENE.world_to_camera[index]), rays)
        errors.append((known.depth / truth - 1).abs())
        assert ((known.weight > 0) & (known.weight <= 1)).all()
    relative = torch.cat(errors)
    assert len(relative) > 1000
    assert relative.median() < 0.001
    assert relative.quantile(0.95) < 0.01


def test_its_poses_are_not_warned_of_and_its_points_have_the_photos_colours(found: Survey) -> None:
    assert found.comparison.warnings == ()
    cloud = found.cloud()
    assert len(cloud) == len(found.points) > 300
    index = int(found.points.tracks.track[0])
    view = int(found.points.tracks.view[0])
    column, row = found.points.tracks.pixels[0].long().tolist()
    photo = found.comparison.views[view].photo.pixels()
    assert (cloud.colors[index].int() - photo[row, column].int()).abs().max() < 40


def moved(scene: Scene, index: int, by: float) -> Scene:
    poses = [pose.copy() for pose in scene.world_to_camera]
    poses[index][1, 3] += by
    return replace(scene, world_to_camera=poses)


def test_a_wrong_pose_is_named_by_its_photo(tmp_path: Path) -> None:
    capture = capture_of(tmp_path / "capture", moved(SCENE, 3, 0.3))
    (warning,) = compare(capture.views, SIFT, Store(tmp_path / "cache")).warnings
    assert "wall_3.png" in warning.split("Worst:")[1].split(",")[0]


def test_photos_that_show_nothing_in_common_are_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, photo.shape, dtype=np.uint8) for photo in SCENE.photos]
    capture = capture_of(tmp_path / "capture", replace(SCENE, photos=noise))
    with pytest.raises(DataError, match="nothing to triangulate: no pixels match"):
        survey(capture.views, SIFT, Store(tmp_path / "cache"))


def test_views_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    poses = [pose.copy() for pose in SCENE.world_to_camera]
    for i, pose in enumerate(poses):
        pose[0, 3] += 100.0 * i
    capture = capture_of(tmp_path / "capture", replace(SCENE, world_to_camera=poses))
    assert capture.points is not None
    store, points = Store(tmp_path / "cache"), capture.points.positions
    with pytest.raises(DataError, match="no two of 4 views see the same"):
        survey(capture.views, SIFT, store, points=points)


def test_views_from_one_place_are_refused(tmp_path: Path) -> None:
    poses = []
    for pose in SCENE.world_to_camera:
        here = pose.copy()
        here[:3, 3] = -here[:3, :3] @ np.array([0.0, 0.0, -4.0])
        poses.append(here)
    capture = capture_of(tmp_path / "capture", replace(SCENE, world_to_camera=poses))
    with pytest.raises(DataError, match="from different places"):
        survey(capture.views, SIFT, Store(tmp_path / "cache"))
