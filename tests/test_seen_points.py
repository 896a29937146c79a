"""Where photos show LiDAR points, against OpenCV's projection and exact geometry."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from recon.camera import Intrinsics
from recon.datasets.seen_points import projected, seen_points
from recon.datasets.source import SourceView
from recon.distortion import Brown, Fisheye
from recon.occlusion import hidden

LENS = Intrinsics(640, 400, 500.0, 510.0, 322.5, 195.0)
BENT = Brown(k1=-0.3, k2=0.09, p1=0.001, p2=-0.002, k3=-0.01)


def pose(rotation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ centre
    return matrix


@given(st.integers(0, 2**32 - 1), st.sampled_from([None, BENT, Fisheye(0.05, -0.01, 0.002, 0.0)]))
def test_projection_is_opencvs(seed: int, lens: Brown | Fisheye | None) -> None:
    random = np.random.default_rng(seed)
    rotation = Rotation.random(rng=random).as_matrix()
    centre = random.uniform(-4e4, 4e4, 3)
    local = random.uniform([-9, -6, -3], [9, 6, 30], (60, 3))
    camera = Intrinsics(640, 400, 500.0, 510.0, 322.5, 195.0, lens)
    pixels, depth = projected(local @ rotation + centre, pose(rotation, centre), camera)
    matrix = np.array([[500.0, 0, 322.5], [0, 510.0, 195], [0, 0, 1]])
    zero = np.zeros(3)
    if isinstance(lens, Fisheye):
        bent = np.array([lens.k1, lens.k2, lens.k3, lens.k4])
        found = cv2.fisheye.projectPoints(local[:, None], zero, zero, matrix, bent)[0]
    else:
        bent = np.zeros(5) if lens is None else np.array([-0.3, 0.09, 0.001, -0.002, -0.01])
        found = cv2.projectPoints(local, zero, zero, matrix, bent)[0]
    found = found.reshape(-1, 2)
    on = depth > 0
    np.testing.assert_allclose(pixels[on], found[on], atol=1e-5)
    np.testing.assert_allclose(depth[on], local[on, 2], atol=1e-9)
    inside = ((found >= 0) & (found < [640, 400])).all(axis=1) & (local[:, 2] > 0.1)
    # OpenCV's polynomial turns back far outside of the photo and shows things there again.
    wide = np.abs(local[:, :2]).max(axis=1) > 1.2 * local[:, 2]
    np.testing.assert_array_equal(on[~wide], inside[~wide])


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 4.0))
def test_no_plane_hides_itself(seed: int, distance: float) -> None:
    random = np.random.default_rng(seed)
    normal = random.normal(size=3)
    normal /= np.linalg.norm(normal)
    pixels = random.uniform(0, [640, 400], (40000, 2))
    rays = np.concatenate([(pixels - [322.5, 195]) / [500, 510], np.ones((len(pixels), 1))], axis=1)
    depth = distance / (rays @ normal)
    before = (depth > 0.1) & (depth < 1e5)
    assert not hidden(pixels[before], depth[before], 500.0).any()


def test_what_is_behind_a_panel_is_hidden() -> None:
    """A scanner 0.8 m above the camera looks over a panel; the camera does not."""
    scanner = np.array([0.0, -0.8, 0.0])
    azimuth, elevation = np.meshgrid(
        np.radians(np.arange(-25, 25, 0.2)), np.radians(np.arange(-20, 20, 0.3))
    )
    rays = np.stack([np.tan(azimuth), np.tan(elevation), np.ones_like(azimuth)], -1).reshape(-1, 3)
    near, far = scanner + 8 * rays, scanner + 30 * rays
    low, high = np.array([-1.5, -0.5]), np.array([1.5, 1.2])  # The panel, 8 m ahead.
    on_panel = ((near[:, :2] >= low) & (near[:, :2] <= high)).all(axis=1)
    points = np.where(on_panel[:, None], near, far)
    pixels, depth = projected(points, np.eye(4), LENS)
    seen = depth > 0
    points, pixels, depth, on_panel = points[seen], pixels[seen], depth[seen], on_panel[seen]
    crossing = points[:, :2] * 8 / points[:, 2:]
    margin = 8 * np.radians(0.5)
    deep = ~on_panel & ((crossing > low + margin) & (crossing < high - margin)).all(axis=1)
    near_it = ((crossing > low - margin) & (crossing < high + margin)).all(axis=1)
    found = hidden(pixels, depth, 500.0)
    assert deep.sum() > 100
    assert found[deep].all()
    assert not found[on_panel | ~near_it].any()


def view(folder: Path, sensor: str, size: tuple[int, int], right: float) -> SourceView:
    file = folder / f"{sensor}.png"
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(file)
    matrix = pose(np.eye(3), np.array([right, 0.0, 0.0]))
    return SourceView(sensor, file, matrix, LENS, sensor=sensor)


def test_up_to_two_cameras_in_their_order(tmp_path: Path) -> None:
    views = [view(tmp_path, name, (640, 400), x) for name, x in (("A", 0.0), ("B", 2), ("C", 4))]
    points = np.array([[2.0, 0, 10], [-5.5, 0, 10], [7.5, 0, 10], [0, 0, -10]])
    cameras, pixels = seen_points(points, views, ("C", "B", "A", "D"))
    assert cameras.tolist() == [[3, 2], [3, 0], [2, 1], [0, 0]]
    np.testing.assert_allclose(pixels[0], [[422.5, 195], [322.5, 195]], atol=1e-4)
    np.testing.assert_allclose(pixels[2, 1], [497.5, 195], atol=1e-4)


def test_pixels_are_those_of_the_photo_as_stored(tmp_path: Path) -> None:
    half = view(tmp_path, "A", (320, 200), 0.0)
    cameras, pixels = seen_points(np.array([[2.0, 1, 10]]), [half], ("A",))
    assert cameras.tolist() == [[1, 0]]
    np.testing.assert_allclose(pixels[0, 0], [422.5 / 2, 246 / 2], atol=1e-4)


@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_photo_that_cannot_be_read_sees_nothing(tmp_path: Path, content: bytes | None) -> None:
    broken = view(tmp_path, "A", (640, 400), 0.0)
    (tmp_path / "A.png").unlink()
    if content is not None:
        (tmp_path / "A.png").write_bytes(content)
    cameras, _ = seen_points(np.array([[0.0, 0, 10]]), [broken], ("A",))
    assert not cameras.any()
