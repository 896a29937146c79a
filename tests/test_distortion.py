import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.camera import Intrinsics
from recon.datasets.colmap_cameras import BY_NAME, MODELS, intrinsics
from recon.datasets.colmap_model import ColmapCamera
from recon.datasets.undistort import share_kept
from recon.distortion import Brown, Division, FieldOfView, Fisheye
from recon.errors import DataError

PRISM = [0.002, -0.003, 0.001, -0.002, 0.0015, -0.0005]

# Pixels of the points (0.5, -0.3, 1) and (-0.7, 0.6, 1), as pycolmap 4.2.1's
# `Camera.img_from_cam` gives them for a 640x480 camera with these parameters.
PYCOLMAP = {
    "SIMPLE_PINHOLE": ([500, 320, 240], [[570.0, 90.0], [-30.0, 540.0]]),
    "PINHOLE": ([500, 510, 320, 240], [[570.0, 87.0], [-30.0, 546.0]]),
    "SIMPLE_RADIAL": ([500, 320, 240, -0.1], [[561.5, 95.1], [-0.25, 514.5]]),
    "RADIAL": ([500, 320, 240, -0.1, 0.03], [[562.367, 94.5798], [-7.83625, 521.0025]]),
    "OPENCV": (
        [500, 510, 320, 240, -0.1, 0.03, 0.002, -0.003],
        [[560.807, 92.660796], [-11.42125, 529.50915]],
    ),
    "OPENCV_FISHEYE": (
        [500, 510, 320, 240, 0.03, -0.02, 0.01, -0.004],
        [[547.918053, 100.514152], [33.90691, 490.127102]],
    ),
    "FULL_OPENCV": (
        [500, 510, 320, 240, -0.1, 0.03, 0.002, -0.003, 0.01, 0.02, -0.01, 0.005],
        [[559.49736, 93.462296], [-9.385575, 527.729389]],
    ),
    "FOV": ([500, 510, 320, 240, 0.9], [[564.396396, 90.429406], [13.066946, 508.347184]]),
    "SIMPLE_RADIAL_FISHEYE": (
        [500, 320, 240, 0.03],
        [[548.226071, 103.064358], [32.542207, 486.392394]],
    ),
    "RADIAL_FISHEYE": (
        [500, 320, 240, 0.03, -0.02],
        [[547.87453, 103.275282], [34.28251, 484.900706]],
    ),
    "THIN_PRISM_FISHEYE": (
        [500, 510, 320, 240, 0.03, -0.02, 0.002, -0.003, 0.01, -0.004, 0.001, -0.002],
        [[546.778764, 101.040847], [31.844558, 491.445179]],
    ),
    "RAD_TAN_THIN_PRISM_FISHEYE": (
        [500, 510, 320, 240, 0.03, -0.02, 0.01, -0.004, 0.002, -0.001, *PRISM],
        [[549.05233, 99.793974], [35.91172, 488.320348]],
    ),
    "SIMPLE_DIVISION": (
        [500, 320, 240, -0.1],
        [[562.033116, 94.78013], [-4.437009, 518.088865]],
    ),
    "DIVISION": ([500, 510, 320, 240, -0.1], [[562.033116, 91.875733], [-4.437009, 523.650643]]),
    "SIMPLE_FISHEYE": ([500, 320, 240], [[546.333863, 104.199682], [37.247879, 482.358961]]),
    "FISHEYE": ([500, 510, 320, 240], [[546.333863, 101.483676], [37.247879, 487.20614]]),
    "EUCM": (
        [500, 510, 320, 240, 0.6, 1.1],
        [[546.591618, 101.32593], [36.513264, 487.848404]],
    ),
}


def pixels(lens: Intrinsics, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if lens.distortion is not None:
        x, y = lens.distortion.distort(x, y)
    return np.stack([lens.fx * x + lens.cx, lens.fy * y + lens.cy], axis=-1)


def test_every_model_is_known_to_pycolmap_or_refused() -> None:
    assert set(BY_NAME) - set(PYCOLMAP) == {"EQUIRECTANGULAR"}
    assert [model.number for model in MODELS] == list(range(18))


@pytest.mark.parametrize("name", PYCOLMAP)
def test_projection_agrees_with_pycolmap(name: str) -> None:
    parameters, expected = PYCOLMAP[name]
    lens = intrinsics(ColmapCamera(1, name, 640, 480, tuple(map(float, parameters))))
    found = pixels(lens, np.array([0.5, -0.7]), np.array([-0.3, 0.6]))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_panorama_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="EQUIRECTANGULAR: a panorama"):
        intrinsics(ColmapCamera(1, "EQUIRECTANGULAR", 640, 320, (640.0, 320.0)))


coefficient = st.floats(-0.05, 0.05)
coordinate = st.floats(-1.0, 1.0)


@given(st.lists(coefficient, min_size=8, max_size=8), coordinate, coordinate)
def test_brown_agrees_with_opencv(k: list[float], x: float, y: float) -> None:
    points = np.array([[[x, y, 1.0]]])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), np.array(k))
    found = Brown(*k).distort(np.array([x]), np.array([y]))
    np.testing.assert_allclose(np.ravel(found), expected.ravel(), atol=1e-12)


@given(st.lists(coefficient, min_size=4, max_size=4), coordinate, coordinate)
def test_fisheye_agrees_with_opencv(k: list[float], x: float, y: float) -> None:
    expected = cv2.fisheye.distortPoints(np.array([[[x, y]]]), np.eye(3), np.array(k))
    found = Fisheye(*k).distort(np.array([x]), np.array([y]))
    np.testing.assert_allclose(np.ravel(found), expected.ravel(), atol=1e-9)


@given(st.floats(0.01, 2.5), coordinate, coordinate)
def test_field_of_view_inverts(omega: float, x: float, y: float) -> None:
    distorted = np.hypot(*FieldOfView(omega).distort(np.array([x]), np.array([y])))
    # Devernay and Faugeras, equation 14: the way back.
    back = np.tan(distorted * omega) / (2 * np.tan(omega / 2))
    np.testing.assert_allclose(back, np.hypot(x, y), atol=1e-9)


@given(st.floats(-0.5, 0.1), coordinate, coordinate)
def test_division_inverts(k: float, x: float, y: float) -> None:
    u, v = Division(k).distort(np.array([x]), np.array([y]))
    scale = 1 + k * (u * u + v * v)
    np.testing.assert_allclose([u / scale, v / scale], [[x], [y]], atol=1e-9)


def test_division_has_no_answer_beyond_its_domain() -> None:
    x, _ = Division(0.5).distort(np.array([0.5, 2.0]), np.array([0.0, 0.0]))
    assert np.isfinite(x[0])
    assert np.isnan(x[1])


def test_the_limit_is_where_a_polynomial_turns_back() -> None:
    # r (1 - 0.3 r²) grows until 1 - 0.9 r² = 0.
    assert Brown(k1=-0.3).limit(2.0) == pytest.approx(1 / np.sqrt(0.9), abs=2e-3)
    assert Brown(k1=0.3).limit(2.0) == 2.0


def test_maps_do_not_fold_the_border_back_into_the_photo() -> None:
    lens = Intrinsics(200, 100, 60.0, 60.0, 100.0, 50.0, Brown(k1=-0.3))
    x, _ = lens.undistortion_maps()
    row = x[50]
    seen = np.isfinite(row)
    assert (np.diff(row[seen]) > 0).all()
    assert not seen[0]
    assert seen[100]


def test_the_share_kept_by_a_fisheye() -> None:
    # An equidistant lens of half angle 1.2: a pinhole of the same focal length and size sees the
    # angle atan(1.2), so of a square photo it keeps about what lies within; checked by counting.
    lens = Intrinsics(240, 240, 100.0, 100.0, 120.0, 120.0, Fisheye())
    v, u = np.meshgrid(np.arange(240) + 0.5 - 120, np.arange(240) + 0.5 - 120)
    theta = np.hypot(u, v) / 100
    scale = np.tan(theta) / np.maximum(theta, 1e-9)
    seen = (np.abs(u * scale) < 120) & (np.abs(v * scale) < 120) & (theta < np.pi / 2)
    assert share_kept(lens) == pytest.approx(seen.mean(), abs=0.01)
    assert 0.4 < share_kept(lens) < 0.7


def test_maps_agree_with_opencv() -> None:
    k = [-0.1, 0.02, 0.001, -0.002, 0.003]
    lens = Intrinsics(64, 48, 70.0, 71.0, 30.5, 25.0, Brown(*k))
    x, y = lens.undistortion_maps()
    # OpenCV puts the first pixel's centre at (0, 0), so its principal point is half a pixel less.
    matrix = np.array([[70.0, 0, 30.0], [0, 71.0, 24.5], [0, 0, 1]])
    u, v = cv2.initUndistortRectifyMap(
        matrix, np.array(k), np.eye(3), matrix, (64, 48), cv2.CV_32FC1
    )
    np.testing.assert_allclose(x - 0.5, u, atol=1e-4)
    np.testing.assert_allclose(y - 0.5, v, atol=1e-4)
