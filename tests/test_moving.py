"""What photos show of moving objects, against rays cast at boxes one by one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drives import CAR_SIZE, NAME, make_drive, other_car
from hypothesis import example, given, settings
from hypothesis import strategies as st
from photos import MemoryPhoto
from scipy.spatial.transform import Rotation

from recon.datasets.drive_source import DriveOptions
from recon.datasets.moving import MaskedPhoto, without_moving
from recon.datasets.reader import ReadOptions, identify, read_capture
from recon.datasets.waymo_write_v2 import write_v2
from recon.drive_types import Boxes, moving_tracks
from recon.errors import UsageError
from recon.moving import MARGIN, NEAREST, TAKEN, covered, in_boxes, outlines
from recon.types import Camera, Capture, View

WIDTH, HEIGHT = 24, 16


def boxes(
    pose: np.ndarray,
    size: list[float],
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    track: str = "a",
    step: int = 0,
) -> Boxes:
    return Boxes(
        0.0,
        step,
        (track,),
        ("vehicle",),
        torch.from_numpy(pose)[None].float(),
        torch.tensor([size]),
        torch.tensor([velocity]),
    )


def rays(camera: Camera, per_pixel: int) -> np.ndarray:
    """Directions with depth 1 in the working frame, `per_pixel` by `per_pixel` for each pixel."""
    parts = (np.arange(per_pixel) + 0.5) / per_pixel
    x, y = (
        (np.arange(count)[:, None] + parts).reshape(-1) for count in (camera.width, camera.height)
    )
    x, y = np.meshgrid((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy)
    local = np.stack([x, y, np.ones_like(x)], axis=-1)
    return local @ camera.world_to_camera[:3, :3].double().numpy()


def hits(camera: Camera, directions: np.ndarray, pose: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Whether rays meet a box beyond the near plane, by slabs."""
    origin = (camera.position.double().numpy() - pose[:3, 3]) @ pose[:3, :3]
    along = directions @ pose[:3, :3]
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    first, second = (-half - origin) / along, (half - origin) / along
    near, far = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
    return np.maximum(near, NEAREST) < far


def by_pixel(found: np.ndarray, per_pixel: int) -> np.ndarray:
    rows, columns = found.shape
    return found.reshape(rows // per_pixel, per_pixel, columns // per_pixel, per_pixel).any(
        axis=(1, 3)
    )


def spread(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    rows, columns = mask.shape
    shifted = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.any(shifted, axis=0)


@given(
    st.tuples(st.floats(-6, 6), st.floats(-3, 3), st.floats(-3, 12)),
    st.tuples(st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1)),
    st.tuples(st.floats(0.2, 6), st.floats(0.2, 3), st.floats(0.2, 3)),
)
@example((0.5, 0.0, 0.0), (0.4, 0.0, 0.0), (5.0, 2.0, 2.0))  # Around the camera.
@example((1.5625, 0.0, 0.0), (1.5, 0.0, 0.0), (1.0625, 2.25, 1.0))
@settings(max_examples=100)
def test_outlines_cover_what_rays_meet_and_little_else(
    where: tuple[float, ...], turn: tuple[float, ...], size: tuple[float, ...]
) -> None:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), where
    camera = Camera(torch.eye(4), 20.0, 21.0, 11.5, 8.2, WIDTH, HEIGHT)
    mask = covered(outlines(camera, boxes(pose, list(size))), WIDTH, HEIGHT)
    half = np.array(size) / 2 + MARGIN
    seen = by_pixel(hits(camera, rays(camera, 5), pose, half), 5)
    assert not (seen & ~mask).any()
    # Five rays a pixel may pass a tip by, so the box is a little wider, and its neighbours count.
    near = spread(by_pixel(hits(camera, rays(camera, 5), pose, half + 0.05), 5))
    assert not (mask & ~near).any()


def test_boxes_grow_by_how_far_their_objects_move_meanwhile() -> None:
    pose = np.eye(4)
    pose[2, 3] = 10.0
    camera = Camera(torch.eye(4), 100.0, 100.0, 100.0, 50.0, 200, 100)
    still = covered(outlines(camera, boxes(pose, [2.0, 2.0, 2.0])), 200, 100)
    moved = covered(outlines(camera, boxes(pose, [2.0, 2.0, 2.0], (20.0, 0, 0))), 200, 100)
    nearest = 10 - 1 - MARGIN
    reach = (1 + MARGIN) * 100 / nearest
    grown = (1 + MARGIN + 20 * TAKEN) * 100 / nearest
    assert still.any(axis=0).sum() == 2 * np.ceil(reach)
    assert moved.any(axis=0).sum() == 2 * np.ceil(grown)
    assert (still.any(axis=1) == moved.any(axis=1)).all()
    unknown = boxes(pose, [2.0, 2.0, 2.0], (np.nan, np.nan, np.nan))
    assert (covered(outlines(camera, unknown), 200, 100) == still).all()


def test_points_in_boxes() -> None:
    pose = np.eye(4)
    pose[:3, 3] = [100, -50, 3]
    points = np.array([[100, -50, 3], [102.1, -50, 3], [102.3, -50, 3], [100, -50, 9]])
    sizes = np.array([[4.0, 2.0, 1.5]])
    assert in_boxes(points, pose[None], sizes).tolist() == [True, True, False, False]
    assert not in_boxes(points, pose[None][:0], sizes[:0]).any()


def test_what_waits_and_drives_on_moves_and_what_nobody_timed_stands() -> None:
    pose, size = np.eye(4), [4.0, 2.0, 1.5]
    frames = [
        boxes(pose, size, (0.0, 0.0, 0.0), track="waits"),
        boxes(pose, size, (0.8, 0.0, 0.7), track="waits", step=1),
        boxes(pose, size, (0.9, 0.0, 0.0), track="slow", step=2),
        boxes(pose, size, (np.nan, np.nan, np.nan), track="unknown", step=3),
    ]
    assert moving_tracks(frames) == {"waits"}
    pose[2, 3] = 5.0
    camera = Camera(torch.eye(4), 20.0, 20.0, 12.0, 8.0, WIDTH, HEIGHT)
    photo = MemoryPhoto(torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8))
    views = [View(f"{step}", camera, photo, step=step) for step in range(4)]
    notes: list[str] = []
    masked = without_moving(views, frames, moving_tracks(frames), notes)
    assert [view.photo is photo for view in masked] == [False, False, True, True]
    assert "1 of 3, 1 of unknown speed taken as still" in notes[0]
    assert "left out of 2 of 4 photos" in notes[0]
    assert without_moving(views, frames, frozenset(), notes) == tuple(views)
    assert len(notes) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drive")
    write_v2(folder, make_drive(12))
    return folder


def used(view: View) -> torch.Tensor:
    valid = view.photo.valid()
    camera = view.camera
    return torch.ones(camera.height, camera.width, dtype=torch.bool) if valid is None else valid


def car_pixels(capture: Capture, view: View, wider: float) -> np.ndarray:
    """Where a photo, taken at the view's time, shows the car that overtakes."""
    pose = other_car(view.time)
    pose[:3, 3] -= capture.to_source.translation.numpy()
    return by_pixel(hits(view.camera, rays(view.camera, 3), pose, CAR_SIZE / 2 + wider), 3)


def test_the_overtaking_car_is_masked_where_photos_show_it(folder: Path) -> None:
    capture = read_capture(folder)
    kept = read_capture(folder, ReadOptions(drive=DriveOptions(moving="keep")))
    assert any("--drive.moving keep" in note for note in capture.notes)
    assert not any("moving" in note for note in kept.notes)
    shown = 0
    for view, whole in zip(capture.views, kept.views, strict=True):
        before, after = used(whole), used(view)
        sees = torch.from_numpy(car_pixels(capture, view, 0.0))
        shown += int((before & sees).sum())
        assert not (after & sees).any()
        # At most what a box would cover that is wider by the margin and by half a sweep's motion.
        widest = torch.from_numpy(spread(car_pixels(capture, view, MARGIN + 2 * 12 * TAKEN)))
        assert bool((after == before)[~widest].all())
        assert torch.equal(view.photo.pixels(), whole.photo.pixels())
        assert isinstance(view.photo, MaskedPhoto) or torch.equal(before, after)
    assert shown > 100


def test_lidar_points_of_what_moves_start_no_fit(folder: Path) -> None:
    def in_car(options: DriveOptions) -> int:
        capture = read_capture(folder, ReadOptions(drive=options))
        assert capture.points is not None
        positions = capture.points.positions.double().numpy()
        moving = [frame.only({"overtaker"}) for frame in capture.boxes]
        return sum(
            int(in_boxes(positions, frame.poses.numpy(), frame.sizes.numpy()).sum())
            for frame in moving
        )

    assert in_car(DriveOptions(moving="keep")) > in_car(DriveOptions())


def test_photos_can_be_of_an_exact_size(folder: Path) -> None:
    capture = read_capture(folder, ReadOptions(size=(50, 31)))
    for view in capture.views:
        assert (view.camera.width, view.camera.height) == (50, 31)
        assert tuple(view.photo.pixels().shape) == (31, 50, 3)
        assert view.camera.fx == pytest.approx(1.1 * 50)
    with pytest.raises(UsageError, match="--downscale"):
        read_capture(folder, ReadOptions(size=(50, 31), downscale=2))


def test_waymo_captures_are_known_by_their_segment(folder: Path) -> None:
    assert identify(folder, ReadOptions()) == ("waymo-v2", NAME)
