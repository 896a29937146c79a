from pathlib import Path

import numpy as np
import pytest
import torch
from photos import NoPhoto

from recon.gaussians import HARMONIC_BAND_0
from recon.initialise import (
    ASKED_VIEWS,
    fill_frusta,
    from_points,
    initialise,
    neighbour_distance,
    scene_scale,
)
from recon.types import (
    Camera,
    Capture,
    PointCloud,
    Similarity,
    Split,
    View,
)


def camera(x: float) -> Camera:
    pose = torch.eye(4)
    pose[0, 3] = -x
    return Camera(pose, 80.0, 90.0, 31.0, 25.0, 64, 48)


def capture(points: PointCloud | None, count: int = 3, apart: float = 1.0) -> Capture:
    views = tuple(View(f"{i}", camera(apart * i), NoPhoto()) for i in range(count))
    identity = Similarity.shift(torch.zeros(3))
    split = Split(tuple(range(count)), (), "none")
    return Capture(Path("made"), "made", views, split, points, False, identity)


def cloud(count: int) -> PointCloud:
    generator = torch.Generator().manual_seed(1)
    colors = torch.randint(0, 256, (count, 3), generator=generator).to(torch.uint8)
    return PointCloud(torch.randn(count, 3, generator=generator), colors)


def test_widths_are_the_distances_to_three_neighbours() -> None:
    points = cloud(60).positions
    pairs = torch.cdist(points.double(), points.double()).sort(dim=1).values[:, 1:4]
    expected = pairs.square().mean(1).sqrt()
    limit = 10 * np.quantile(expected.numpy(), 0.9)
    torch.testing.assert_close(
        neighbour_distance(points).double(), expected.clamp(max=limit), rtol=1e-5, atol=0
    )


def test_points_give_their_colours_back() -> None:
    points = cloud(50)
    color = 0.5 + HARMONIC_BAND_0 * from_points(points).sh_base[:, 0]
    torch.testing.assert_close(color, points.colors.float() / 255)


def test_points_that_coincide_get_a_width() -> None:
    same = PointCloud(torch.zeros(10, 3), torch.zeros(10, 3, dtype=torch.uint8))
    assert bool(from_points(same).log_scales.isfinite().all())


def test_thinning_keeps_the_cap_and_repeats_with_the_seed() -> None:
    torch.manual_seed(5)
    first = initialise(capture(cloud(500)), 100, most=40)
    torch.manual_seed(5)
    again = initialise(capture(cloud(500)), 100, most=40)
    assert len(first) == 40
    assert torch.equal(first.means, again.means)


@pytest.mark.parametrize("points", [None, cloud(2)])
def test_without_points_the_frusta_are_filled(points: PointCloud | None) -> None:
    made = initialise(capture(points), 200, most=1000)
    assert len(made) == 200
    local = torch.stack(
        [v.camera.world_to_camera[:3, :3] @ m + v.camera.world_to_camera[:3, 3]
         for v in capture(None).views for m in made.means]
    ).reshape(3, 200, 3)  # fmt: skip
    u = 80 * local[..., 0] / local[..., 2] + 31
    v = 90 * local[..., 1] / local[..., 2] + 25
    seen = (local[..., 2] > 0) & (u >= -0.01) & (u <= 64.01) & (v >= -0.01) & (v <= 48.01)
    assert bool(seen.any(0).all())


@pytest.mark.parametrize("count", [3, 2 * ASKED_VIEWS + 7])
def test_fill_prefers_what_two_views_see(count: int) -> None:
    torch.manual_seed(0)
    drive = capture(None, count, apart=3 / count)
    made = fill_frusta(drive, 50)
    seen = torch.zeros(50)
    for view in drive.views:
        local = made.positions + view.camera.world_to_camera[:3, 3]
        u = 80 * local[:, 0] / local[:, 2] + 31
        v = 90 * local[:, 1] / local[:, 2] + 25
        seen += ((local[:, 2] > 0) & (u >= 0) & (u < 64) & (v >= 0) & (v < 48)).float()
    assert float((seen >= 2).float().mean()) > 0.9


def test_the_scale_is_the_median_depth_of_what_is_seen() -> None:
    depth = torch.tensor([2.0, 3.0, 4.0, 5.0, 6.0])
    ahead = torch.stack([torch.ones(5), torch.zeros(5), depth], -1)
    behind = torch.tensor([[0.0, 0.0, -9.0]] * 20)
    points = torch.cat([ahead, behind])
    seen = PointCloud(points, torch.zeros(25, 3, dtype=torch.uint8))
    assert scene_scale(capture(seen)) == 4.0
    assert scene_scale(capture(None)) == pytest.approx(1.1)
