import math
from dataclasses import replace

import pytest
import torch
from photos import MemoryPhoto
from rigs import cloud, ring

from recon.camera import look_at
from recon.matching.cameras import Cameras
from recon.matching.pair import Pair
from recon.matching.pairs import PairOptions, pair_scores, select_pairs
from recon.matching.scene_depth import scene_depths
from recon.types import Camera, View

pytestmark = pytest.mark.usefixtures("one_thread")

PHOTO = MemoryPhoto(torch.zeros(240, 320, 3, dtype=torch.uint8))


def views_of(cameras: list[Camera]) -> list[View]:
    return [View(f"photo_{i:03d}", camera, PHOTO) for i, camera in enumerate(cameras)]


def forward(x: float, z: float, turned: float = 0.0) -> Camera:
    """A car's camera: at x and z on the road, turned to the right by degrees."""
    place = torch.tensor([x, -1.5, z], dtype=torch.float64)
    angle = math.radians(turned)
    ahead = torch.tensor([math.sin(angle), 0, math.cos(angle)], dtype=torch.float64)
    down = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
    return Camera(look_at(place, place + ahead, down), 200.0, 200.0, 160.0, 120.0, 320, 240)


def test_neighbours_on_an_arc_are_paired_and_the_far_ends_are_not() -> None:
    pairs = select_pairs(views_of(ring(12, arc=2.0)), cloud(300), PairOptions(neighbours=4))
    assert all(abs(pair.a - pair.b) <= 4 for pair in pairs)
    assert {pair.a for pair in pairs} | {pair.b for pair in pairs} == set(range(12))
    assert 12 * 4 / 2 <= len(pairs) <= 12 * 4
    assert list(pairs) == sorted(pairs)
    assert all(pair.a < pair.b for pair in pairs)


def test_the_number_of_pairs_is_capped() -> None:
    views = views_of(ring(40, arc=1.0))
    for most in (1, 3):
        assert len(select_pairs(views, None, PairOptions(neighbours=most))) <= 40 * most


def test_cameras_that_only_turn_or_look_elsewhere_make_no_pair() -> None:
    same_place = [forward(0, 0, turned) for turned in (0.0, 5.0, 10.0)]
    assert select_pairs(views_of(same_place), cloud(100) + torch.tensor([0.0, 0, 8])) == ()
    back_to_back = [forward(0, 0), forward(0, -1, 180)]
    assert select_pairs(views_of(back_to_back)) == ()
    assert select_pairs(views_of(same_place[:1])) == ()
    assert select_pairs([]) == ()


def test_scores_are_symmetric_and_best_where_sights_differ_by_some_degrees() -> None:
    cameras = Cameras.of(ring(30, arc=1.5))
    scores = pair_scores(cameras, cloud(300), PairOptions())
    torch.testing.assert_close(scores, scores.T)
    assert scores.diagonal().abs().max() == 0
    step = 1.5 / 29 * 180 / math.pi  # 3 degrees from camera to camera.
    best = abs(int(scores[15].argmax()) - 15)
    assert 1.2 < best * step < 8


def test_a_drive_pairs_steps_in_time_and_cameras_of_the_rig() -> None:
    points = cloud(400) * torch.tensor([12.0, 2.0, 15.0]) + torch.tensor([0.0, -1, 25])
    views = [
        replace(view, sensor=sensor, step=step)
        for step in range(8)
        for sensor, side in (("left", -0.3), ("right", 0.3))
        for view in views_of([forward(side, 1.0 * step)])
    ]
    pairs = set(select_pairs(views, points, PairOptions(neighbours=3, angle=0.05)))
    for index in range(14):
        assert Pair(index, index + 2) in pairs, "the next step of the same camera"
    across = [pair for pair in pairs if views[pair.a].sensor != views[pair.b].sensor]
    assert {pair.a for pair in across} | {pair.b for pair in across} == set(range(16))


def test_depth_is_that_of_the_points_seen() -> None:
    cameras = Cameras.of([forward(0, 0), forward(0, 10)])
    points = torch.rand(5000, 3, generator=torch.Generator().manual_seed(0)).double()
    points = points * torch.tensor([2.0, 2, 20]) + torch.tensor([-1.0, -2.5, 20])
    near, middle, far = scene_depths(cameras, points)[0].tolist()
    assert (near, middle, far) == pytest.approx((22, 30, 38), abs=0.5)
    assert scene_depths(cameras, points)[1, 1] == pytest.approx(20, abs=0.5)


def test_without_points_depth_is_where_the_axes_meet() -> None:
    depths = scene_depths(Cameras.of(ring(6, radius=4.0)), None)
    assert depths[0, 1] == pytest.approx(4.0, rel=0.02)


def test_without_points_a_drive_sees_some_steps_ahead() -> None:
    depths = scene_depths(Cameras.of([forward(0, 1.5 * i) for i in range(9)]), None)
    assert (depths[:, 1] > 10).all()
    assert (depths[:, 1] < 40).all()
