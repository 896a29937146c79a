import pytest
import torch
from rigs import cloud, exact_pairs, ring, seen
from scipy.optimize import least_squares

from recon.errors import DataError
from recon.matching.cameras import Cameras
from recon.matching.tracks import Tracks, build_tracks
from recon.matching.triangulate import (
    TriangulationOptions,
    linear,
    triangulate,
    widest_angle,
)
from recon.types import Camera

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERAS, POINTS = ring(5), cloud(80)


def tracks_of(cameras: list[Camera], points: torch.Tensor, noise: float = 0.0) -> Tracks:
    """Every point in every view."""
    generator = torch.Generator().manual_seed(5)
    pixels = seen(cameras, points).permute(1, 0, 2).reshape(-1, 2)
    pixels = pixels + noise * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    views = len(cameras)
    track = torch.arange(len(points)).repeat_interleave(views)
    return Tracks(track, torch.arange(views).repeat(len(points)), pixels, torch.ones(len(pixels)))


def test_exact_tracks_give_exact_points() -> None:
    tracks, cameras = tracks_of(CAMERAS, POINTS), Cameras.of(CAMERAS)
    torch.testing.assert_close(linear(tracks, cameras), POINTS)
    found = triangulate(tracks, cameras)
    torch.testing.assert_close(found.positions, POINTS)
    assert found.error.max() < 1e-9
    expected = torch.stack([cameras.project(torch.full((80,), v), POINTS)[1] for v in range(5)])
    torch.testing.assert_close(found.depth, expected.T.flatten())


def test_matches_in_single_precision_suffice() -> None:
    found = triangulate(build_tracks(exact_pairs(CAMERAS, POINTS), 0.01), Cameras.of(CAMERAS))
    distance = torch.cdist(found.positions, POINTS).min(dim=1).values
    assert len(found) == 80
    assert distance.max() < 1e-4


def test_points_minimise_the_reprojection_error() -> None:
    """As SciPy's minimiser finds it."""
    tracks, cameras = tracks_of(CAMERAS, POINTS[:6], noise=0.4), Cameras.of(CAMERAS)
    found = triangulate(tracks, cameras)
    for index in range(6):
        pixels, view = tracks.pixels[tracks.track == index], torch.arange(5)

        def residual(point, pixels=pixels, view=view):  # type: ignore[no-untyped-def]
            there, _ = cameras.project(view, torch.from_numpy(point).expand(5, 3))
            return (there - pixels).flatten().numpy()

        best = least_squares(residual, POINTS[index].numpy(), xtol=1e-14, ftol=1e-14)
        torch.testing.assert_close(
            found.positions[index], torch.from_numpy(best.x), atol=1e-6, rtol=0
        )


def test_deviations_are_those_of_many_noisy_trials() -> None:
    point, trials = POINTS[:1], 2000
    tracks = tracks_of(CAMERAS, point.expand(trials, 3), noise=0.5)
    found = triangulate(tracks, Cameras.of(CAMERAS), TriangulationOptions(error=100.0))
    assert found.noise == pytest.approx(0.5, rel=0.05)
    spread = (found.positions - point).T @ (found.positions - point) / trials
    torch.testing.assert_close(found.covariance.mean(dim=0), spread, rtol=0.15, atol=2e-7)
    for view in range(5):
        depth = found.depth[found.tracks.view == view]
        expected = found.deviation[found.tracks.view == view].mean()
        assert float(depth.std()) == pytest.approx(float(expected), rel=0.1)


def test_a_wider_baseline_makes_depth_surer() -> None:
    near = triangulate(tracks_of(ring(2, arc=0.1), POINTS, 0.2), Cameras.of(ring(2, arc=0.1)))
    wide = triangulate(tracks_of(ring(2, arc=0.8), POINTS, 0.2), Cameras.of(ring(2, arc=0.8)))
    assert near.deviation.median() > 5 * wide.deviation.median()
    assert near.certainty().median() < wide.certainty().median()
    assert ((wide.certainty() > 0) & (wide.certainty() <= 1)).all()


def test_one_wrong_observation_is_left_out_and_the_point_stays() -> None:
    tracks = tracks_of(CAMERAS, POINTS, noise=0.2)
    pixels = tracks.pixels.clone()
    pixels[::5] += torch.tensor([40.0, -25.0])
    spoiled = Tracks(tracks.track, tracks.view, pixels, tracks.confidence)
    found = triangulate(spoiled, Cameras.of(CAMERAS))
    assert len(found) == 80
    assert not (found.tracks.view == 0).any()
    assert (found.tracks.lengths == 4).double().mean() > 0.95
    assert (found.positions - POINTS).norm(dim=1).max() < 0.03


def test_points_behind_the_cameras_are_left_out() -> None:
    """Their pixels fit them exactly: only the sign of their depth gives them away."""
    cameras, behind = ring(3, arc=0.4), POINTS[:30] - torch.tensor([0.0, 0.0, 12.0])
    found = triangulate(tracks_of(cameras, torch.cat([POINTS, behind])), Cameras.of(cameras))
    assert len(found) == 80
    assert (found.depth > 0).all()
    with pytest.raises(DataError, match="no two photos agree on a point in front"):
        triangulate(tracks_of(cameras, behind), Cameras.of(cameras))


def test_points_seen_under_too_small_an_angle_are_left_out() -> None:
    cameras, far = ring(2, arc=0.2), cloud(20) + torch.tensor([0.0, 0.0, 60.0])
    both = torch.cat([POINTS, far])
    found = triangulate(tracks_of(cameras, both), Cameras.of(cameras))
    assert len(found) == 80
    assert found.angle.min() > 1


def test_angles_are_those_between_the_sights() -> None:
    tracks, cameras = tracks_of(CAMERAS, POINTS), Cameras.of(CAMERAS)
    sight = POINTS[:, None] - cameras.positions
    sight = sight / sight.norm(dim=2, keepdim=True)
    expected = torch.acos((sight @ sight.transpose(1, 2)).clamp(-1, 1)).amax(dim=(1, 2)).rad2deg()
    torch.testing.assert_close(
        widest_angle(POINTS, tracks, cameras), expected, rtol=1e-4, atol=1e-4
    )


def test_cameras_that_only_turn_are_refused_with_the_reason() -> None:
    one = ring(1)[0]
    angle = torch.linspace(-0.2, 0.2, 4, dtype=torch.float64)
    zero, one_ = torch.zeros(4).double(), torch.ones(4).double()
    rows = [angle.cos(), zero, angle.sin(), zero, one_, zero, -angle.sin(), zero, angle.cos()]
    turns = torch.stack(rows, dim=1).reshape(4, 3, 3)
    poses = one.world_to_camera.repeat(4, 1, 1)
    poses[:, :3] = turns @ poses[:, :3]
    cameras = [one.moved(pose) for pose in poses]
    with pytest.raises(DataError, match=r"only turn.*places further apart"):
        triangulate(tracks_of(cameras, POINTS, noise=0.3), Cameras.of(cameras))


def test_no_tracks_are_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="no pixels match"):
        triangulate(build_tracks([], 0.01), Cameras.of(CAMERAS))
