import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon.camera import look_at, resized
from recon.errors import DataError
from recon.paths import interpolated, spin, wobble
from recon.types import Camera


def at(position: list[float], target: list[float]) -> Camera:
    pose = look_at(
        *(torch.tensor(v, dtype=torch.float64) for v in (position, target, [0.0, 0.0, 1.0]))
    )
    return Camera(pose.float(), 100.0, 110.0, 60.0, 40.0, 120, 80)


def ring(
    count: int,
    radius: float = 3.0,
    center: tuple[float, float] = (5.0, -2.0),
    arc: float = 1.6 * np.pi,
) -> list[Camera]:
    x, y = center
    angles = np.linspace(0, arc, count)
    return [
        at([x + radius * np.cos(a), y + radius * np.sin(a), 1.0 + 0.1 * i], [x, y, 0.5])
        for i, a in enumerate(angles)
    ]


def positions(cameras: list[Camera]) -> np.ndarray:
    return np.stack([camera.position.numpy() for camera in cameras])


def assert_rigid(cameras: list[Camera]) -> None:
    for camera in cameras:
        r = camera.world_to_camera[:3, :3].double()
        torch.testing.assert_close(r @ r.T, torch.eye(3).double(), atol=1e-5, rtol=0)
        assert torch.linalg.det(r) > 0
        assert camera.world_to_camera[3].tolist() == [0, 0, 0, 1]


@given(st.integers(2, 8), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_interpolation_gives_the_frames_asked_for(count, frames):
    path = interpolated(ring(count), frames)
    assert len(path) == frames
    assert_rigid(path)


def test_interpolation_passes_through_every_camera_in_order():
    keys = ring(7)
    path = interpolated(keys, 50)
    distances = np.linalg.norm(positions(path)[:, None] - positions(keys)[None], axis=2)
    hits = distances.argmin(0)
    assert distances.min(0).max() < 1e-5
    assert (np.diff(hits) > 0).all()
    assert hits[0] == 0
    assert hits[-1] == 49
    for hit, key in zip(hits, keys, strict=True):
        torch.testing.assert_close(
            path[hit].world_to_camera, key.world_to_camera, atol=1e-5, rtol=0
        )


def test_interpolation_keeps_to_a_circle_at_an_even_speed():
    steps = np.linalg.norm(np.diff(positions(interpolated(ring(12), 200)), axis=0), axis=1)
    assert steps.max() < 1.5 * steps.min()
    radii = np.linalg.norm(positions(interpolated(ring(12), 200))[:, :2] - [5, -2], axis=1)
    np.testing.assert_allclose(radii, 3, rtol=0.02)


def test_rotations_between_two_cameras_turn_evenly():
    a = at([0, 0, 0], [1, 0, 0])
    turn = Rotation.from_rotvec([0, 0, 1.2])
    b = a.moved(a.world_to_camera.clone())
    b.world_to_camera[:3, :3] = (
        a.world_to_camera[:3, :3] @ torch.from_numpy(turn.as_matrix()).float()
    )
    path = interpolated([a, b], 5)
    first = Rotation.from_matrix(path[0].world_to_camera[:3, :3].numpy())
    angles = [
        (Rotation.from_matrix(c.world_to_camera[:3, :3].numpy()) * first.inv()).magnitude()
        for c in path
    ]
    np.testing.assert_allclose(angles, [0, 0.3, 0.6, 0.9, 1.2], atol=1e-5)
    np.testing.assert_allclose(positions(path), 0, atol=1e-6)


def test_one_camera_stays_where_it_is():
    (camera,) = ring(1)
    path = interpolated([camera], 9)
    assert len(path) == 9
    for other in path:
        torch.testing.assert_close(other.world_to_camera, camera.world_to_camera)


def test_a_capture_that_stands_still_is_no_trouble():
    camera = ring(1)[0]
    path = interpolated([camera] * 3, 7)
    assert len(path) == 7
    np.testing.assert_allclose(positions(path), positions([camera] * 7), atol=1e-6)


def test_intrinsics_change_along_the_way_and_sizes_do_not():
    a = ring(2)[0]
    b = resized(ring(2)[1], 240, 160)
    path = interpolated([a, b], 5)
    assert {(c.width, c.height) for c in path} == {(120, 80)}
    np.testing.assert_allclose([c.fx for c in path], 100)


def test_resizing_leaves_the_directions_of_the_corners():
    a, b = ring(1)[0], resized(ring(1)[0], 300, 77)
    for x, y in ((0.0, 0.0), (1.0, 1.0), (0.5, 0.25)):
        assert (x * 300 - b.cx) / b.fx == pytest.approx((x * 120 - a.cx) / a.fx)
        assert (y * 77 - b.cy) / b.fy == pytest.approx((y * 80 - a.cy) / a.fy)


def test_a_spin_looks_at_the_centre_from_one_distance_and_closes():
    path = spin(ring(9), 24)
    assert len(path) == 24
    assert_rigid(path)
    center = np.array([5, -2, 0.5])
    offsets = positions(path) - center
    np.testing.assert_allclose(np.linalg.norm(offsets[:, :2], axis=1), 3, rtol=0.01)
    np.testing.assert_allclose(offsets[:, 2], offsets[0, 2], atol=0.05)
    for camera, offset in zip(path, offsets, strict=True):
        axis = camera.world_to_camera[2, :3].numpy()
        np.testing.assert_allclose(axis, -offset / np.linalg.norm(offset), atol=0.02)
    gaps = np.linalg.norm(np.diff(positions([*path, path[0]]), axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps[0], rtol=1e-3)
    # It begins at the azimuth of the first camera.
    np.testing.assert_allclose(positions(path)[0, :2], positions(ring(9))[0, :2], atol=0.05)


@pytest.mark.parametrize("arc", [0.5 * np.pi, 1.4 * np.pi])
def test_a_spin_stays_where_cameras_have_been(arc):
    places = positions(spin(ring(9, arc=arc), 40)) - np.array([5, -2, 0])
    angles = np.unwrap(np.arctan2(places[:, 1], places[:, 0]))
    assert angles.min() == pytest.approx(0, abs=0.03)
    assert angles.max() == pytest.approx(arc, abs=0.03)
    assert angles[0] == pytest.approx(arc / 2, abs=0.03)
    assert np.abs(np.diff(np.append(angles, angles[0]))).max() < 0.2 * arc


def test_cameras_that_look_in_parallel_or_apart_cannot_be_spun_around():
    parallel = [at([float(i), 0, 0], [float(i), 9, 0.0]) for i in range(4)]
    apart = [
        at([np.cos(a), np.sin(a), 0.1], [2 * np.cos(a), 2 * np.sin(a), 0.1])
        for a in np.linspace(0, 5, 6)
    ]
    for cameras in (parallel, apart):
        with pytest.raises(DataError, match="nothing to spin around"):
            spin(cameras, 10)


def test_a_wobble_stays_near_and_keeps_its_eyes_on_one_point():
    camera = ring(1)[0]
    path = wobble(camera, 16, radius=0.2, distance=3.0)
    assert_rigid(path)
    offsets = positions(path) - camera.position.numpy()
    local = offsets @ camera.world_to_camera[:3, :3].numpy().T
    np.testing.assert_allclose((local[:, 0] / 0.2) ** 2 + (local[:, 1] / 0.1) ** 2, 1, rtol=1e-3)
    np.testing.assert_allclose(local[:, 2], 0, atol=1e-5)
    target = camera.position + 3 * camera.world_to_camera[2, :3]
    for other in path:
        seen = other.world_to_camera[:3, :3] @ target + other.world_to_camera[:3, 3]
        np.testing.assert_allclose(seen[:2], 0, atol=1e-4)


def test_a_wobble_of_no_width_is_the_camera_itself():
    camera = ring(1)[0]
    for other in wobble(camera, 4, radius=0.0, distance=2.0):
        torch.testing.assert_close(other.world_to_camera, camera.world_to_camera, atol=1e-6, rtol=0)
