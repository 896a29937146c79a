"""Thinning, colours and what is left out of the points a fit begins with."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from drives import MemoryImage
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from recon.datasets.drive_source import SourceBoxes, SourceReturns, SourceSweep
from recon.datasets.lidar_points import GREY, SWEEPS, lidar_points, standing, thinned


def returns_of(positions: np.ndarray, sensors: np.ndarray, pixels: np.ndarray) -> SourceReturns:
    count = len(positions)
    return SourceReturns(
        positions,
        np.ones(count, np.float32),
        np.ones(count, np.uint8),
        np.zeros(count, np.uint8),
        np.zeros(count, np.bool_),
        sensors.astype(np.uint8),
        pixels.astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class MemorySweep(SourceSweep):
    found: SourceReturns

    def read(self) -> SourceReturns:
        return self.found


def sweep(found: SourceReturns, step: int = 0) -> MemorySweep:
    return MemorySweep(0.1 * step, step, ("TOP",), ("LEFT", "RIGHT"), found)


def halves() -> MemoryImage:
    """Red on the left, blue on the right."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:, :48, 0] = 255
    pixels[:, 48:, 2] = 255
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "JPEG", quality=95, subsampling=0)
    return MemoryImage(encoded.getvalue())


def boxes(pose: np.ndarray, speed: float) -> SourceBoxes:
    size, velocity = np.array([[4.0, 2.0, 1.5]]), np.array([[speed, 0, 0]])
    return SourceBoxes(0.0, 0, ("a",), ("vehicle",), pose[None], size, velocity)


def place(count: int, where: float = 0.0) -> np.ndarray:
    """Points a metre apart."""
    return np.stack([np.arange(count) + where, np.zeros(count), np.zeros(count)], axis=1)


@given(
    arrays(np.float64, st.tuples(st.integers(0, 40), st.just(3)), elements=st.floats(-50, 50)),
    st.floats(0.1, 5),
)
def test_one_point_in_each_voxel(positions: np.ndarray, voxel: float) -> None:
    kept = thinned(positions, np.zeros(len(positions), np.bool_), voxel)
    cells = {tuple(cell) for cell in np.floor(positions / voxel).astype(int)}
    found = [tuple(cell) for cell in np.floor(positions[kept] / voxel).astype(int)]
    assert len(found) == len(set(found))
    assert set(found) == cells
    assert (np.diff(kept) > 0).all()


def test_points_with_colours_are_preferred() -> None:
    kept = thinned(np.full((3, 3), 0.5), np.array([False, True, False]), 1.0)
    assert kept.tolist() == [1]


def test_colours_come_from_the_recorded_pixel_of_the_first_camera_that_has_a_photo() -> None:
    sensors = np.array([[1, 0], [1, 0], [2, 1], [2, 0], [0, 0]])
    pixels = np.zeros((5, 2, 2))
    pixels[0, 0], pixels[1, 0], pixels[2, 1] = [10.5, 30.5], [90.5, 30.5], [95.9, 63.9]
    warnings: list[str] = []
    found = lidar_points(
        [sweep(returns_of(place(5), sensors, pixels))], {}, {("LEFT", 0): halves()}, 0.5, warnings
    )
    assert found is not None
    # What no photo shows is left out: the last two.
    np.testing.assert_array_equal(found.positions, place(3))
    np.testing.assert_allclose(found.colors, [[254, 0, 0], [0, 0, 254], [0, 0, 254]], atol=3)
    assert not warnings


def test_without_any_pixels_points_are_grey() -> None:
    bare = returns_of(place(3), np.zeros((3, 2)), np.zeros((3, 2, 2)))
    found = lidar_points([sweep(bare)], {}, {("LEFT", 0): halves()}, 0.5, [])
    assert found is not None
    assert (found.colors == GREY).all()


def test_a_photo_of_another_time_gives_no_colour() -> None:
    late = returns_of(place(2), np.array([[1, 0], [1, 0]]), np.full((2, 2, 2), 5.0))
    found = lidar_points([sweep(late, step=1)], {}, {("LEFT", 0): halves()}, 0.5, [])
    assert found is not None
    assert (found.colors == GREY).all()


def test_a_photo_that_cannot_be_read_is_a_warning() -> None:
    warnings: list[str] = []
    seen = returns_of(place(2), np.array([[1, 0], [1, 0]]), np.full((2, 2, 2), 5.0))
    found = lidar_points([sweep(seen)], {}, {("LEFT", 0): MemoryImage(b"no photo")}, 0.5, warnings)
    assert found is not None
    assert "no colours from" in warnings[0]


def test_sweeps_overlap_and_are_few() -> None:
    bare = returns_of(place(4), np.zeros((4, 2)), np.zeros((4, 2, 2)))
    found = lidar_points([sweep(bare, step) for step in range(3 * SWEEPS)], {}, {}, 0.5, [])
    assert found is not None
    np.testing.assert_array_equal(found.positions, place(4))
    assert lidar_points([], {}, {}, 0.5, []) is None


@given(st.floats(-3, 3))
def test_points_in_moving_boxes_are_no_part_of_the_scene(heading: float) -> None:
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
    pose[:3, 3] = [100, -50, 3]
    local = np.array([[0, 0, 0], [1.9, 0.9, -0.7], [2.5, 0, 0], [0, 1.5, 0], [0, 0, 1.2]])
    points = local @ pose[:3, :3].T + pose[:3, 3]
    assert standing(points, boxes(pose, 5.0)).tolist() == [False, False, True, True, True]
    assert standing(points, boxes(pose, 5.0).only({"b"})).all()
    assert standing(points, None).all()
