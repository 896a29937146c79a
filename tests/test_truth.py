"""LiDAR as truth, against rays cast through the same exact drive; and the parts of photos."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drives import CAR_SIZE, FAR, HOUSE, car_pose, make_drive, other_car
from photos import MemoryPhoto
from scipy.spatial import cKDTree

from recon.datasets.drive_source import DriveOptions
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.waymo_write_v2 import write_v2
from recon.drive_types import Boxes, Returns, Sweep, moving_tracks
from recon.errors import DataError
from recon.moving import in_boxes
from recon.regions import completed, regions_of
from recon.truth import OWN, Truth, Truths, TruthSource
from recon.types import Camera, Capture, DepthKind, DepthMap, View

HELD = 5
LASER = np.array([1.4, 0.0, 2.2])
"""In the car's frame; the front camera stands 1.5 m ahead and 2.1 m high."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive")
    write_v2(folder, make_drive(12))
    return folder


@pytest.fixture(scope="module")
def capture(folder: Path) -> Capture:
    return read_capture(folder, ReadOptions(hold_every=HELD))


def moving(capture: Capture) -> list[Boxes]:
    tracks = moving_tracks(capture.boxes)
    return [frame.only(tracks) for frame in capture.boxes]


def distances(origin: np.ndarray, rays: np.ndarray, car: np.ndarray | None) -> np.ndarray:
    """How far along rays road, house and car are; inf beyond 60 m. From `FAR`."""
    boxes = [HOUSE] if car is None else [HOUSE, (car - CAR_SIZE / 2, car + CAR_SIZE / 2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.where(rays[:, 2] < 0, -origin[2] / rays[:, 2], np.inf)]
        for low, high in boxes:
            first, second = (low - origin) / rays, (high - origin) / rays
            near, far = np.minimum(first, second).max(1), np.maximum(first, second).min(1)
            found.append(np.where((near > 0) & (near < far), near, np.inf))
    nearest = np.min(found, axis=0)
    return np.where(nearest < 60, nearest, np.inf)


def depth_at(capture: Capture, view: View, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What stands, along rays through places of a view."""
    camera = view.camera
    local = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x)])
    rays = local.T @ camera.world_to_camera[:3, :3].double().numpy()
    origin = capture.to_source.apply(camera.position[None])[0].numpy() - FAR
    return distances(origin, rays, None)


class MemorySweep(Sweep):
    def shown(self) -> Returns:
        return self.returns()


@dataclass(frozen=True, eq=False)
class Turn(MemorySweep):
    """A whole turn at one moment, dense enough to say what hides what; nothing is recorded."""

    offset: np.ndarray

    def returns(self) -> Returns:
        azimuth, height = np.meshgrid(np.radians(np.arange(0, 360, 0.25)),
                                      np.radians(np.arange(-25, 5, 0.25)))  # fmt: skip
        level = np.cos(height)
        local = [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(height)]
        pose = car_pose(self.time)
        rays = np.stack(local, axis=-1).reshape(-1, 3) @ pose[:3, :3].T
        origin = (pose[:3, :3] @ LASER + pose[:3, 3]) - FAR
        away = distances(origin, rays, other_car(self.time)[:3, 3] - FAR)
        hit = np.isfinite(away)
        points = origin + away[hit, None] * rays[hit]
        count = len(points)
        return Returns(
            torch.from_numpy(points + FAR - self.offset).float(),
            torch.zeros(count),
            torch.ones(count, dtype=torch.uint8),
            torch.zeros(count, dtype=torch.uint8),
            torch.zeros(count, dtype=torch.bool),
            torch.zeros(count, 2, dtype=torch.uint8),
            torch.full((count, 2, 2), torch.nan),
        )


def turn_of(capture: Capture, view: View) -> Turn:
    assert view.step is not None
    offset = capture.to_source.translation.numpy()
    return Turn(view.time, view.step, ("TOP",), (), offset)


def spread_of(capture: Capture, view: View, truth: Truth, reach: float) -> tuple[np.ndarray, ...]:
    """True depths, and the least and largest exact depth around their pixels' middles."""
    row, column = truth.depth.valid.nonzero().numpy().T
    around = np.stack(
        [
            depth_at(capture, view, column + 0.5 + x, row + 0.5 + y)
            for x in np.linspace(-reach, reach, 5)
            for y in np.linspace(-reach, reach, 5)
        ]
    )
    return truth.depth.z[row, column].double().numpy(), around.min(axis=0), around.max(axis=0)


def test_lidar_truth_is_the_exact_depth_of_what_stands(capture: Capture) -> None:
    held = capture.test
    assert {view.step for view in held} == {5, 10}
    for view in held:
        truths = Truths([turn_of(capture, view)], moving(capture), capture.views)
        truth = truths.of(view, view.photo.valid())
        assert truth is not None
        assert truth.sparse
        assert truth.source is TruthSource.LIDAR
        z, low, high = spread_of(capture, view, truth, 0.5)
        assert len(z) > 300
        off = np.maximum(low - z, z - high).clip(0) / z
        # Neither the car that moves nor what it or the house hides from the camera is left.
        assert off.max() < 1e-3
        # Where the house ends, the road behind it still is: both sides of its edges count.
        if view.sensor == "FRONT" and (high > 1.3 * low).any():
            assert truth.edges.any()


def test_recorded_pixels_are_where_the_truth_is(capture: Capture) -> None:
    truths = Truths(capture.lidar, moving(capture), capture.views)
    for view in capture.test:
        truth = truths.of(view, view.photo.valid())
        assert truth is not None
        # Waymo records whole pixels of the bent photo; a few second returns pass through walls.
        z, low, high = spread_of(capture, view, truth, 1.5)
        right = (z > 0.98 * low) & (z < 1.02 * high)
        assert len(z) > 20
        assert right.mean() > 0.9
    assert truths.problems == []


def test_returns_from_the_moving_car_are_no_truth(capture: Capture) -> None:
    view = next(view for view in capture.test if view.name == "FRONT/0005")
    turn = turn_of(capture, view)
    without = Truths([turn]).of(view, None)
    truth = Truths([turn], moving(capture)).of(view, None)
    assert without is not None
    assert truth is not None
    z, _, high = spread_of(capture, view, without, 0.5)
    assert (z > 1.01 * high).sum() == 0  # Only what stands before the rest is wrong.
    points = turn.returns().positions.numpy()
    frame = next(frame for frame in moving(capture) if frame.step == 5)
    assert in_boxes(points, frame.poses.numpy(), frame.sizes.numpy()).sum() > 50
    lost = without.depth.valid & ~truth.depth.valid
    row, column = lost.nonzero().numpy().T
    exact = depth_at(capture, view, column + 0.5, row + 0.5)
    assert (without.depth.z[lost].numpy() < 0.9 * exact).mean() > 0.3
    z, low, high = spread_of(capture, view, truth, 0.5)
    assert (z > 0.99 * low).all()


WIDTH, HEIGHT = 160, 120
CAMERA = Camera(torch.eye(4), 100.0, 100.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


@dataclass(frozen=True, eq=False)
class Points(MemorySweep):
    """Some points before a camera that looks along z."""

    positions: torch.Tensor
    unlabeled: torch.Tensor | None = None

    def returns(self) -> Returns:
        count = len(self.positions)
        unlabeled = torch.zeros(count, dtype=torch.bool)
        return Returns(
            self.positions,
            torch.zeros(count),
            torch.ones(count, dtype=torch.uint8),
            torch.zeros(count, dtype=torch.uint8),
            unlabeled if self.unlabeled is None else self.unlabeled,
            torch.zeros(count, 2, dtype=torch.uint8),
            torch.full((count, 2, 2), torch.nan),
        )


@dataclass(frozen=True, eq=False)
class Damaged(MemorySweep):
    def returns(self) -> Returns:
        raise DataError("lidar.parquet: row 7 is damaged")


def deep(depth: DepthMap | None = None, sky: torch.Tensor | None = None) -> MemoryPhoto:
    """A photo that brings its own depth."""
    pixels = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8)
    return MemoryPhoto(pixels, depth=depth, sky=sky)


def view_of(photo: MemoryPhoto, camera: Camera = CAMERA, name: str = "a") -> View:
    return View(name, camera, photo, step=3)


def truth_of(points: list[list[float]], **more: object) -> DepthMap:
    sweep = Points(0.0, 3, ("TOP",), (), torch.tensor(points), **more)
    truth = Truths([sweep]).of(view_of(deep()), None)
    assert truth is not None
    return truth.depth


def test_the_nearest_return_in_a_pixel_wins_and_zones_without_labels_do_not_count() -> None:
    depth = truth_of([[0.01, 0.01, 9.0], [0.01, 0.01, 6.0], [1.0, 0.0, 10.0], [-2.0, 0.0, -5.0]])
    assert depth.valid.sum() == 2
    assert depth.z[60, 80] == 6
    assert depth.z[60, 90] == 10
    both = [[0.01, 0.01, 9.0], [1.0, 0.0, 10.0]]
    zone = truth_of(both, unlabeled=torch.tensor([True, False]))
    assert zone.valid.nonzero().tolist() == [[60, 90]]


def test_returns_behind_a_panel_are_hidden_and_beside_it_are_not() -> None:
    grid = [[x / 10, y / 10, 8.0] for x in range(-20, 21) for y in range(-20, 21)]
    depth = truth_of([*grid, [0.5, 0.5, 30.0], [9.0, 0.0, 30.0]])
    assert depth.z[60, 110] == 30
    assert (depth.z == 30).sum() == 1
    assert (depth.z == 8).sum() > 1000


def test_the_rigs_own_car_is_no_truth() -> None:
    beside = replace(CAMERA, world_to_camera=torch.eye(4))
    beside.world_to_camera[:3, 3] = torch.tensor([-2.0, 0, -2.0])  # It stands at (2, 0, 2).
    points = torch.tensor(
        [
            [0.0, 0.5, 2.0],  # The hood.
            [0.0, 0.0, 1.0],  # As near to this camera as only its own car is.
            [1.5, 0.0, 2.5],  # As near to the other one.
            [0.0, 0.0, 4.0],
            [0.5, 1.42, 2.4],  # The road.
            [0.0, 1.0, 2.6],
        ]
    )
    sweep = Points(0.0, 3, ("TOP",), (), points)
    here = view_of(deep())
    truth = Truths([sweep], rig=[here, view_of(deep(), beside, "b")]).of(here, None)
    alone = Truths([sweep]).of(here, None)
    assert truth is not None
    assert alone is not None
    assert (points[2] - torch.tensor([2.0, 0, 2.0])).norm() < OWN
    assert sorted(truth.depth.z[truth.depth.valid].tolist()) == pytest.approx([2.4, 2.6, 4.0])
    assert int(alone.depth.valid.sum()) == 4


def test_measured_depth_goes_before_lidar_and_lidar_before_matching() -> None:
    z = torch.full((HEIGHT, WIDTH), 7.0)
    known = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    measured = DepthMap(z, known)
    matched = replace(measured, measured=False)
    prior = replace(measured, kind=DepthKind.SCALE)
    sweep = Points(0.0, 3, ("TOP",), (), torch.tensor([[0.0, 0.0, 9.0]]))
    expected = {
        (measured, True): TruthSource.FILES,
        (matched, True): TruthSource.LIDAR,
        (prior, True): TruthSource.LIDAR,
        (None, True): TruthSource.LIDAR,
        (matched, False): TruthSource.STEREO,
    }
    for (depth, swept), source in expected.items():
        truths = Truths([sweep] if swept else [])
        truth = truths.of(view_of(deep(depth)), None)
        assert truth is not None
        assert truth.source is source
    assert Truths().of(view_of(deep(prior)), None) is None
    # Pixels that do not count have no truth, whoever knows it.
    left = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    left[:, :40] = True
    for depth in (measured, None):
        truth = Truths([sweep]).of(view_of(deep(depth)), left)
        assert truth is not None
        assert not (truth.depth.valid & ~left).any()
        assert not (truth.edges & ~left).any()


def test_a_damaged_sweep_costs_its_own_truth_only() -> None:
    truths = Truths([Damaged(0.0, 3, ("TOP",), ())])
    for _ in range(2):
        assert truths.of(view_of(deep()), None) is None
    assert truths.problems == ["lidar.parquet: row 7 is damaged"]


def test_sparse_depth_is_spread_to_the_nearest_pixels() -> None:
    random = np.random.default_rng(0)
    valid = random.random((HEIGHT, WIDTH)) < 0.01
    z = np.where(valid, random.uniform(5, 60, valid.shape), 0).astype(np.float32)
    found = completed(DepthMap(torch.from_numpy(z), torch.from_numpy(valid)), 5.0)
    tree = cKDTree(np.argwhere(valid))
    places = np.stack(np.mgrid[:HEIGHT, :WIDTH], axis=-1).reshape(-1, 2)
    away, which = tree.query(places)
    # The image's distances are rounded: places just as far from two depths may take either.
    clear = np.abs(away - 5) > 0.3
    np.testing.assert_array_equal(found.valid.numpy().reshape(-1)[clear], (away < 5)[clear])
    second = tree.query(places, k=2)[0][:, 1]
    sure = (away < 4.7) & (second > away + 0.5)
    expected = z[valid][which]
    np.testing.assert_array_equal(found.z.numpy().reshape(-1)[sure], expected[sure])
    nothing = DepthMap(torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.bool))
    assert not completed(nothing, 5.0).valid.any()


def test_parts_of_photos(capture: Capture, folder: Path) -> None:
    z = torch.full((HEIGHT, WIDTH), 19.9)
    z[:, 50:] = 20.0
    z[:, 90:] = 79.0
    z[:, 120:] = 300.0
    sky = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    sky[:30] = True
    photo = deep(DepthMap(z, ~sky), sky)
    truth = Truths().of(view_of(photo), None)
    parts = regions_of(view_of(photo), truth, None)
    assert sorted(parts) == ["far", "mid", "near", "non_sky"]
    assert torch.equal(parts["non_sky"], ~sky)
    columns = {name: parts[name][40:].all(dim=0).nonzero()[:, 0] for name in parts}
    assert (int(columns["near"][-1]), int(columns["mid"][0])) == (49, 50)
    assert columns["far"].tolist() == list(range(90, 120))
    assert not (parts["near"] & sky).any()
    assert regions_of(view_of(deep()), None, None) == {}
    kept = read_capture(folder, ReadOptions(hold_every=HELD, drive=DriveOptions(moving="keep")))
    frames = {frame.step: frame for frame in moving(kept)}
    for view, masked in zip(kept.test, capture.test, strict=True):
        assert view.step is not None
        part = regions_of(view, None, frames[view.step])["moving"]
        left, whole = masked.photo.valid(), view.photo.valid()
        everything = torch.ones_like(part)
        seen = everything if whole is None else whole
        assert torch.equal(seen & ~part, everything if left is None else left)
