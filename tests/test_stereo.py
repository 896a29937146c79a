"""Stereo depth against pairs of pictures whose depth is known exactly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recon.camera import Intrinsics, inside, project, unproject
from recon.datasets.drive_source import DriveOptions
from recon.datasets.images import PhotoFile
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.stereo import StereoDepth
from recon.errors import DataError

WIDTH, HEIGHT, FOCAL, BASELINE = 320, 120, 180.0, 0.5
CX, CY = 161.0, 58.0
WAVES = np.random.default_rng(5).normal(size=(40, 3)) * 6
Plane = tuple[np.ndarray, float]
WALL: Plane = (np.array([-0.5, 0.1, 1.0]), 9.0)
"""normal @ point = distance, in the left camera's axes."""


def hit(plane: Plane, rays: np.ndarray, origin: np.ndarray) -> np.ndarray:
    normal, distance = plane
    return np.asarray((distance - normal @ origin) / (rays @ normal))


def paint(points: np.ndarray) -> np.ndarray:
    """A texture of waves in space, of about a metre to a few centimetres."""
    return np.asarray(127 + 50 * np.sin(points @ WAVES.T).sum(-1) / np.sqrt(len(WAVES) / 2))


def card(points: np.ndarray) -> np.ndarray:
    """Where a ray meets the near card."""
    return np.asarray((np.abs(points[..., 0]) < 0.6) & (np.abs(points[..., 1]) < 0.5))


def look(x: float, near: float | None, cx: float = CX) -> tuple[np.ndarray, np.ndarray]:
    """Render brightness and depth from a camera shifted to the right by x."""
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack([(u - cx) / FOCAL, (v - CY) / FOCAL, np.ones_like(u)], axis=-1)
    origin = np.array([x, 0, 0])
    z = hit(WALL, rays, origin)
    if near is not None:
        front = origin + near * rays
        z = np.where(card(front), near, z)
    return np.clip(paint(origin + rays * z[..., None]), 0, 255).astype(np.uint8), z


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., tuple[StereoDepth, np.ndarray]]:
    def make(near: float | None = None, cx: float = CX) -> tuple[StereoDepth, np.ndarray]:
        left, z = look(0.0, near)
        right, _ = look(BASELINE, near, cx)
        for name, photo in (("left", left), ("right", right)):
            Image.fromarray(photo).save(tmp_path / f"{name}.png")
        paths = (tmp_path / "left.png", tmp_path / "right.png")
        return StereoDepth(*paths, FOCAL * BASELINE, CX - cx), z

    return make


Pair = Callable[..., tuple[StereoDepth, np.ndarray]]


@pytest.mark.parametrize("cx", [CX, CX - 4.0, CX + 2.5])
def test_a_slanted_wall(pair: Pair, cx: float) -> None:
    depth, exact = pair(cx=cx)
    found = depth.read()
    known = found > 0
    disparity = FOCAL * BASELINE / exact
    assert disparity.min() < 5.5 < 14.5 < disparity.max()  # 6 to 17 m.
    off = np.abs(FOCAL * BASELINE / found[known] - disparity[known])
    assert np.median(off) < 0.12
    assert (off < 0.5).mean() > 0.99
    # What the right photo cannot show has no depth; nearly all else has.
    u = np.broadcast_to(np.arange(WIDTH) + 0.5, exact.shape)
    outside = u - disparity - (CX - cx) < 0
    assert outside.mean() > 0.03
    assert known[outside].mean() < 0.05
    assert known[~outside].mean() > 0.95


def test_what_a_near_card_hides_from_the_right_has_no_depth(pair: Pair) -> None:
    depth, exact = pair(near=3.0)
    found = depth.read()
    # By the book: where the right camera's ray to the wall's point passes the card.
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    points = np.stack([(u - CX) / FOCAL, (v - CY) / FOCAL, np.ones_like(u)], -1) * exact[..., None]
    to_left = np.array([BASELINE, 0, 0]) + (points - [BASELINE, 0, 0]) * (3.0 / exact)[..., None]
    hidden = card(to_left) & (exact > 3.5)
    assert hidden.sum() > 300
    assert (found[hidden] > 0).mean() < 0.15
    on_card = exact == 3.0
    right = np.abs(found / 3.0 - 1) < 0.05
    assert right[on_card].mean() > 0.9
    # Nothing floats between card and wall but what the windows at the card's border mix.
    known = found > 0
    assert (np.abs(found / exact - 1) < 0.1)[known].mean() > 0.97


def test_a_smaller_view_takes_depths_of_the_full_one(pair: Pair) -> None:
    depth, _ = pair(near=3.0)
    lens = Intrinsics(WIDTH, HEIGHT, FOCAL, FOCAL, CX, CY)
    photo = PhotoFile(depth.left, lens, WIDTH, HEIGHT, depth_source=depth)
    full, half = photo.depth(), replace(photo, width=WIDTH // 2, height=HEIGHT // 2).depth()
    assert full is not None
    assert half is not None
    assert not full.measured
    assert not half.measured
    assert set(half.z[half.valid].tolist()) <= set(full.z[full.valid].tolist())
    assert abs(half.valid.float().mean() - full.valid.float().mean()) < 0.02


def test_what_is_too_far_for_the_pair_has_no_depth(pair: Pair) -> None:
    depth, exact = pair()
    found = replace(depth, shift=5.0).read()  # As if infinity lay at a disparity of 5 px.
    parallax = FOCAL * BASELINE / exact - 5.0
    assert found.max() <= FOCAL * BASELINE / 4.0
    assert (found[parallax < 3.8] > 0).mean() < 0.02
    inside_both = (parallax > 4.2) & (np.arange(WIDTH) > 16)
    assert (found[inside_both] > 0).mean() > 0.95


def test_a_pair_of_two_sizes_or_without_its_twin(pair: Pair) -> None:
    depth, _ = pair()
    Image.new("L", (30, 20)).save(depth.right)
    with pytest.raises(DataError, match=r"right\.png: 30x20 pixels, and .*left\.png has 320x120"):
        depth.read()
    depth.right.unlink()
    with pytest.raises(DataError, match=r"right\.png: no such photo"):
        depth.check()


def test_the_real_clips_depth_agrees_from_frame_to_frame(shared: Path) -> None:
    """There is no measured depth: what is seen at one place is seen there 3.6 m later."""
    options = DriveOptions(frames=(15, 18), stride=3)
    folder = shared / "data" / "kitti_odom_clip1"
    capture = read_capture(folder, ReadOptions(format="kitti", drive=options))
    assert any("0.537 m" in note and "not measured" in note for note in capture.notes)
    first, second = capture.views
    a, b = first.photo.depth(), second.photo.depth()
    assert a is not None
    assert b is not None
    assert not a.measured
    assert 0.6 < a.valid.float().mean() < 0.9
    rows, columns = torch.nonzero(a.valid, as_tuple=True)
    pixels = torch.stack([columns, rows], dim=-1).float() + 0.5
    moved, depth = project(second.camera, unproject(first.camera, pixels, a.z[rows, columns]))
    seen = inside(second.camera, moved, depth) & (depth > 3)
    column, row = moved[seen].long().T
    both = b.valid[row, column]
    ratio = b.z[row, column][both] / depth[seen][both]
    assert len(ratio) > 100_000
    # The poses are off by a fifth of a degree, which the road shows as a few per cent.
    assert (ratio - 1).abs().median() < 0.04
    assert ((ratio - 1).abs() < 0.1).float().mean() > 0.75
