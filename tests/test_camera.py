import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon.camera import Intrinsics, inside, look_at, project, unproject
from recon.distortion import Brown
from recon.types import Camera

number = st.floats(-3, 3)


def camera(rotation: list[float], translation: list[float]) -> Camera:
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.from_numpy(Rotation.from_rotvec(rotation).as_matrix())
    pose[:3, 3] = torch.tensor(translation)
    return Camera(pose, 50.0, 60.0, 31.0, 22.0, 64, 48)


three = st.lists(number, min_size=3, max_size=3)


@given(three, three, st.floats(0, 64), st.floats(0, 48), st.floats(0.1, 100))
def test_unproject_inverts_project(
    rotation: list[float], translation: list[float], u: float, v: float, z: float
) -> None:
    eye = camera(rotation, translation)
    pixels = torch.tensor([[u, v]], dtype=torch.float64)
    depth = torch.tensor([z], dtype=torch.float64)
    back, depth_back = project(eye, unproject(eye, pixels, depth))
    torch.testing.assert_close(back, pixels, atol=1e-8, rtol=0)
    torch.testing.assert_close(depth_back, depth)


def test_project_by_hand() -> None:
    eye = camera([0, 0, 0], [0, 0, 2])
    pixels, depth = project(eye, torch.tensor([[1.0, -1.0, 2.0]], dtype=torch.float64))
    assert depth.tolist() == [4.0]
    assert pixels.tolist() == [[50 * 0.25 + 31, 60 * -0.25 + 22]]


def test_inside_needs_depth_and_photo() -> None:
    eye = camera([0, 0, 0], [0, 0, 0])
    points = torch.tensor([[0.0, 0, 1], [0, 0, -1], [5, 0, 1]], dtype=torch.float64)
    assert inside(eye, *project(eye, points)).tolist() == [True, False, False]


def test_a_resize_keeps_every_ray() -> None:
    lens = Intrinsics(100, 80, 90.0, 91.0, 52.0, 37.0, Brown(-0.1))
    small = lens.resized(25, 16)
    x, y = lens.undistortion_maps()
    u, v = small.undistortion_maps()
    # The centre of a small pixel is the middle of the pixels it averages.
    np.testing.assert_allclose(u * 4, x.reshape(16, 5, 25, 4).mean((1, 3)), atol=2e-2)
    np.testing.assert_allclose(v * 5, y.reshape(16, 5, 25, 4).mean((1, 3)), atol=2e-2)


@given(three, three)
def test_look_at_sees_the_target_in_the_middle(position: list[float], target: list[float]) -> None:
    p, t = torch.tensor(position).double(), torch.tensor(target).double()
    up = torch.tensor([0.0, -1.0, 0.0]).double()
    away = t - p
    if not float(torch.linalg.cross(away, up).norm()) > 1e-3:
        return
    pose = look_at(p, t, up)
    local = pose[:3, :3] @ t + pose[:3, 3]
    expected = torch.tensor([0.0, 0.0, float(away.norm())]).double()
    torch.testing.assert_close(local, expected, atol=1e-6, rtol=0)
    assert float(torch.linalg.det(pose[:3, :3])) == pytest.approx(1)
    assert float((pose[:3, :3] @ up)[1]) < 0  # Up in the world is up in the photo: minus y.


def test_look_at_refuses_its_own_up() -> None:
    with pytest.raises(ValueError, match="up direction"):
        look_at(torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))


lenses = st.builds(
    Brown,
    k1=st.floats(-0.1, 0.1),
    k2=st.floats(-0.1, 0.1),
    p1=st.floats(-2e-3, 2e-3),
    p2=st.floats(-2e-3, 2e-3),
)


@given(lenses)
def test_undistorted_inverts_the_maps(lens: Brown) -> None:
    intrinsics = Intrinsics(64, 48, 70.0, 71.0, 33.0, 23.0, lens)
    x, y = intrinsics.undistortion_maps()
    kept = np.isfinite(x)
    rows, columns = np.nonzero(kept)
    found = intrinsics.undistorted(np.stack([x[kept], y[kept]], axis=-1))
    expected = np.stack([columns + 0.5, rows + 0.5], axis=-1)
    # Some rays at the border of the lens' domain cannot be told from those beyond it.
    good = np.isfinite(found).all(axis=1)
    assert good.mean() > 0.95
    np.testing.assert_allclose(found[good], expected[good], atol=1e-3)


def test_undistorted_agrees_with_opencv() -> None:
    lens = Brown(k1=0.04, k2=-0.33, p1=0.001, p2=-0.0016)
    intrinsics = Intrinsics(1920, 1280, 2044.5, 2044.5, 949.6, 633.2, lens)
    pixels = np.random.default_rng(0).uniform([0, 0], [1920, 1280], (500, 2))
    matrix = np.array([[2044.5, 0, 949.6], [0, 2044.5, 633.2], [0, 0, 1.0]])
    numbers = np.array([lens.k1, lens.k2, lens.p1, lens.p2, lens.k3])
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-12)
    expected = cv2.undistortPoints(pixels[:, None], matrix, numbers, None, None, matrix, criteria)[
        :, 0
    ]
    np.testing.assert_allclose(intrinsics.undistorted(pixels), expected, atol=1e-4)


def test_beyond_the_lens_there_is_no_ray() -> None:
    intrinsics = Intrinsics(64, 48, 40.0, 40.0, 32.0, 24.0, Brown(k1=-0.3))
    found = intrinsics.undistorted(np.array([[32.0, 24.0], [900.0, 24.0]]))
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    pinhole = Intrinsics(64, 48, 40.0, 40.0, 32.0, 24.0)
    np.testing.assert_array_equal(pinhole.undistorted(found[:1]), found[:1])
    assert intrinsics.undistorted(np.zeros((0, 2))).shape == (0, 2)
