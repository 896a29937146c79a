from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from rigs import cloud, exact_pairs, ring, seen

from recon.camera import project, unproject
from recon.matching.cameras import Cameras
from recon.matching.epipolar import agreement, epipolar_distances, fundamental, pose_warnings
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches
from recon.types import Camera

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERAS, POINTS = ring(5), cloud(200)


def test_many_cameras_do_what_one_does() -> None:
    cameras, view = Cameras.of(CAMERAS), torch.arange(len(POINTS)) % 5
    pixels, depth = cameras.project(view, POINTS)
    for index, camera in enumerate(CAMERAS):
        expected_pixels, expected_depth = project(camera, POINTS[index::5])
        torch.testing.assert_close(pixels[index::5], expected_pixels)
        torch.testing.assert_close(depth[index::5], expected_depth)
        there = unproject(camera, expected_pixels, expected_depth)
        torch.testing.assert_close(cameras.unproject(view, pixels, depth)[index::5], there)
        torch.testing.assert_close(cameras.positions[index], camera.position)
    direction = POINTS - cameras.positions[view]
    direction = direction / direction.norm(dim=1, keepdim=True)
    torch.testing.assert_close(cameras.directions(view, pixels), direction)


def test_the_fundamental_matrix_is_that_of_opencv() -> None:
    pixels = seen(CAMERAS, POINTS).numpy()
    expected, _ = cv2.findFundamentalMat(pixels[0], pixels[3], cv2.FM_8POINT)
    found = fundamental(Cameras.of(CAMERAS), 0, 3).numpy()
    expected /= np.linalg.norm(expected) * np.sign((expected * found).sum())
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_distances_are_measured_in_pixels_across_the_line() -> None:
    """A pixel moved along its line stays at 0; moved across, it is as far as it was moved."""
    cameras = Cameras.of(CAMERAS)
    pixels = seen(CAMERAS, POINTS)
    along = seen(CAMERAS, cameras.positions[0] + 1.1 * (POINTS - cameras.positions[0]))[3]
    direction = (along - pixels[3]) / (along - pixels[3]).norm(dim=1, keepdim=True)
    across = direction.flip(1) * torch.tensor([1.0, -1.0])
    moved = pixels[3] + 7 * direction + 2.5 * across
    found = epipolar_distances(cameras, 0, 3, Matches(pixels[0], moved, torch.ones(200)))
    torch.testing.assert_close(found[:, 0], torch.full((200,), 2.5, dtype=torch.float64))
    assert (found[:, 1] > 1).all()
    exact = epipolar_distances(cameras, 0, 3, Matches(pixels[0], pixels[3], torch.ones(200)))
    assert exact.max() < 1e-9


def test_where_cameras_only_turn_the_line_is_a_point() -> None:
    turn = torch.linalg.matrix_exp(
        torch.tensor([[0, -0.1, 0.2], [0.1, 0, 0], [-0.2, 0, 0]]).double()
    )
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3] = turn @ CAMERAS[0].world_to_camera[:3]
    pair = [CAMERAS[0], CAMERAS[0].moved(pose)]
    a, b = seen(pair, POINTS)
    shifted = Matches(a, b + torch.tensor([3.0, 4.0]), torch.ones(200))
    found = epipolar_distances(Cameras.of(pair), 0, 1, shifted)
    torch.testing.assert_close(found[:, 0], torch.full((200,), 5.0, dtype=torch.float64))


def disturbed(index: int, shift: float) -> list[Camera]:
    """The cameras, with one of them moved up."""
    cameras = list(CAMERAS)
    pose = cameras[index].world_to_camera.clone()
    pose[1, 3] += shift
    cameras[index] = cameras[index].moved(pose)
    return cameras


NAMES = [f"photo_{i}.jpg" for i in range(5)]


def warnings(cameras: list[Camera], pairs: list[PairMatches]) -> tuple[str, ...]:
    stacked = Cameras.of(cameras)
    return pose_warnings([agreement(stacked, pair) for pair in pairs], NAMES)


def test_good_poses_are_not_warned_of() -> None:
    pairs = exact_pairs(CAMERAS, POINTS, noise=1.0)
    assert warnings(CAMERAS, pairs) == ()
    facts = agreement(Cameras.of(CAMERAS), pairs[0])
    assert facts.count == 200
    assert 0.3 < facts.median < 1.5
    assert 0.3 < facts.within_a_pixel < 0.8


def test_one_wrong_pose_is_named_and_its_neighbours_are_not() -> None:
    (message,) = warnings(disturbed(2, 0.3), exact_pairs(CAMERAS, POINTS, noise=0.5))
    assert "poses of some views look wrong" in message
    assert "photo_2.jpg" in message
    assert "photo_0.jpg" not in message


def test_wrong_axes_are_said_to_be_wrong_in_all_views() -> None:
    flip = torch.diag(torch.tensor([1.0, -1, -1, 1], dtype=torch.float64))
    turned = [camera.moved(flip @ camera.world_to_camera) for camera in CAMERAS]
    (message,) = warnings(turned, exact_pairs(CAMERAS, POINTS, noise=0.5))
    assert "the poses look wrong" in message
    assert "Worst: photo_" in message


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_wrong_matches_are_not_blamed_on_poses(share: float) -> None:
    """Repeated texture: more than half of the matches lie anywhere."""
    generator = torch.Generator().manual_seed(3)
    pairs = []
    for pair in exact_pairs(CAMERAS, POINTS, noise=0.5):
        pixels = pair.matches.pixels_b.clone()
        wrong = torch.rand(200, generator=generator) < share
        pixels[wrong] = torch.rand(int(wrong.sum()), 2, generator=generator) * 240
        pairs.append(PairMatches(pair.a, pair.b, replace(pair.matches, pixels_b=pixels)))
    facts = agreement(Cameras.of(CAMERAS), pairs[0])
    assert facts.median > 5
    assert warnings(CAMERAS, pairs) == ()


def test_no_matches_are_no_evidence() -> None:
    facts = agreement(Cameras.of(CAMERAS), PairMatches(0, 1, Matches.none()))
    assert facts.count == 0
    assert pose_warnings([facts], NAMES) == ()
