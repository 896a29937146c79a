import pytest
import torch
from rigs import cloud, exact_pairs, ring, seen

from recon.errors import DataError
from recon.matching.cameras import Cameras
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches
from recon.matching.robust import median_by, robust_line
from recon.matching.scale import recover_scale
from recon.matching.sightings import sightings
from recon.types import Camera, DepthKind, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")
CAMERAS, POINTS = ring(5), cloud(200)
FACTORS = torch.tensor([0.4, 0.45, 0.42, 0.5, 0.38], dtype=torch.float64)


def depth_maps(
    cameras: list[Camera], points: torch.Tensor, kind: DepthKind, error: float = 0.0
) -> list[DepthMap]:
    """A prior that knows the points' depth, up to what its kind leaves open, and errs."""
    generator = torch.Generator().manual_seed(7)
    maps = []
    for index, (camera, pixels) in enumerate(zip(cameras, seen(cameras, points), strict=True)):
        truth = (points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3])[:, 2]
        noise = torch.randn(len(points), generator=generator, dtype=torch.float64)
        z = truth * (1 + error * noise)
        factor = FACTORS[index % 5]
        match kind:
            case DepthKind.AFFINE:
                z = (z - 0.5 - 0.1 * index) / factor
            case DepthKind.AFFINE_DISPARITY:
                z = factor / (1 / z - 0.05 - 0.01 * index)
            case _:
                z = z / factor
        depth = torch.zeros(240, 320)
        column, row = pixels.float().long().clamp(torch.zeros(2).long(), torch.tensor([319, 239])).T
        depth[row, column] = z.float()
        maps.append(DepthMap(depth, depth > 0, kind))
    return maps


def one_point_a_pixel(points: torch.Tensor) -> torch.Tensor:
    """Leave out points that share a pixel with another, in any view, or lie outside."""
    keep = torch.ones(len(points), dtype=torch.bool)
    for pixels in seen(CAMERAS, points):
        cell = pixels.float().long()
        keep &= ((cell >= 0) & (cell < torch.tensor([320, 240]))).all(dim=1)
        number = cell[:, 1] * 1000 + cell[:, 0]
        _, where, times = torch.unique(number, return_inverse=True, return_counts=True)
        keep &= times[where] == 1
    return points[keep]


CLEAR = one_point_a_pixel(POINTS)


def with_outliers(pairs: list[PairMatches], share: float) -> list[PairMatches]:
    generator = torch.Generator().manual_seed(3)
    spoiled = []
    for pair in pairs:
        pixels = pair.matches.pixels_b.clone()
        wrong = torch.rand(len(pixels), generator=generator) < share
        pixels[wrong] = pixels[wrong][torch.randperm(int(wrong.sum()), generator=generator)]
        matches = Matches(pair.matches.pixels_a, pixels, pair.matches.confidence)
        spoiled.append(PairMatches(pair.a, pair.b, matches))
    return spoiled


@pytest.mark.parametrize("kind", DepthKind)
def test_exact_matches_give_exact_scales(kind: DepthKind) -> None:
    maps = depth_maps(CAMERAS, CLEAR, kind)
    found = recover_scale(maps, Cameras.of(CAMERAS), exact_pairs(CAMERAS, CLEAR))
    # Factors of metric depth are drawn to one another, against what matches say.
    tolerance = 2e-3 if kind is DepthKind.METRIC else 1e-4
    torch.testing.assert_close(found.factor, FACTORS, rtol=tolerance, atol=0)
    truth = depth_maps(CAMERAS, CLEAR, DepthKind.SCALE)
    for view in range(5):
        corrected = found.apply(view, maps[view])
        valid = truth[view].valid
        assert corrected.kind is DepthKind.METRIC
        expected = truth[view].z[valid] * FACTORS[view].float()
        torch.testing.assert_close(corrected.z[valid], expected, rtol=2 * tolerance, atol=0)
    assert found.disagreement.max() < 2 * tolerance


@pytest.mark.parametrize("kind", DepthKind)
def test_noise_and_outliers_move_scales_little(kind: DepthKind) -> None:
    """A tenth of error in the prior, half a pixel in the matches, 30 % of them wrong."""
    maps = depth_maps(CAMERAS, CLEAR, kind, error=0.1)
    pairs = with_outliers(exact_pairs(CAMERAS, CLEAR, noise=0.5), 0.3)
    found = recover_scale(maps, Cameras.of(CAMERAS), pairs)
    truth = depth_maps(CAMERAS, CLEAR, DepthKind.SCALE)
    ratios = []
    for view in range(5):
        valid = truth[view].valid & maps[view].valid
        corrected = found.apply(view, maps[view]).z[valid]
        ratios.append((corrected / (truth[view].z[valid] * FACTORS[view].float())).median())
    assert torch.stack(ratios).sub(1).abs().max() < 0.03


def test_a_photo_that_matches_none_takes_the_others_factor_if_depth_is_metric() -> None:
    maps = [
        *depth_maps(CAMERAS, CLEAR, DepthKind.METRIC),
        DepthMap(torch.ones(9, 9), torch.ones(9, 9) > 0),
    ]
    cameras = Cameras.of([*CAMERAS, CAMERAS[0]])
    found = recover_scale(maps, cameras, exact_pairs(CAMERAS, CLEAR))
    assert found.matches[5] == 0
    assert FACTORS.min() < found.factor[5] < FACTORS.max()
    other = [
        *depth_maps(CAMERAS, CLEAR, DepthKind.SCALE),
        DepthMap(torch.ones(9, 9), torch.ones(9, 9) > 0, DepthKind.SCALE),
    ]
    found = recover_scale(other, cameras, exact_pairs(CAMERAS, CLEAR))
    assert found.factor[5].isnan()
    assert not found.apply(5, other[5]).valid.any()


@pytest.mark.parametrize("kind", [DepthKind.SCALE, DepthKind.AFFINE_DISPARITY])
def test_a_photo_taken_beside_another_has_its_scale_from_that_ones_depth(kind: DepthKind) -> None:
    pose = CAMERAS[0].world_to_camera.clone()
    pose[0, 3] += 1e-3
    cameras = [*CAMERAS, CAMERAS[0].moved(pose)]
    pairs = [p for p in exact_pairs(cameras, CLEAR) if p.b < 5 or p.a == 0]
    maps = depth_maps(cameras, CLEAR, kind)
    found = recover_scale(maps, Cameras.of(cameras), pairs)
    assert found.matches[5] == 0
    corrected, truth = found.apply(5, maps[5]), found.apply(0, maps[0])
    both = corrected.valid & truth.valid
    torch.testing.assert_close(corrected.z[both], truth.z[both], rtol=5e-3, atol=0)


def test_photos_without_depth_are_skipped() -> None:
    maps: list[DepthMap | None] = list(depth_maps(CAMERAS, CLEAR, DepthKind.SCALE))
    maps[2] = None
    found = recover_scale(maps, Cameras.of(CAMERAS), exact_pairs(CAMERAS, CLEAR))
    torch.testing.assert_close(found.factor[[0, 1, 3, 4]], FACTORS[[0, 1, 3, 4]], rtol=1e-4, atol=0)
    assert found.factor[2].isnan()


def test_cameras_that_only_turn_give_no_scale_and_the_reason() -> None:
    cameras = [CAMERAS[0], CAMERAS[0], CAMERAS[0]]
    maps = depth_maps(cameras, CLEAR, DepthKind.METRIC)
    with pytest.raises(DataError, match=r"0 are seen under.*some way apart"):
        recover_scale(maps, Cameras.of(cameras), exact_pairs(cameras, CLEAR))


def test_depth_of_a_match_is_where_its_rays_meet() -> None:
    maps = depth_maps(CAMERAS, CLEAR, DepthKind.METRIC)
    found = sightings(maps, Cameras.of(CAMERAS), exact_pairs(CAMERAS, CLEAR))
    depth, sine = found.triangulated()
    torch.testing.assert_close(depth, found.depth * FACTORS[found.view], rtol=1e-4, atol=0)
    assert (sine > 0).all()
    assert len(found) == 2 * 10 * len(CLEAR)


def test_a_line_is_found_among_outliers() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(400, generator=generator, dtype=torch.float64)
    y = 0.7 * x + 2 + 0.01 * torch.randn(400, generator=generator, dtype=torch.float64)
    y[:100] = 5 * torch.rand(100, generator=generator).double()
    factor, offset = robust_line(x, y)
    assert float(factor) == pytest.approx(0.7, abs=0.02)
    assert float(offset) == pytest.approx(2, abs=0.01)


def test_medians_are_taken_group_by_group() -> None:
    values = torch.tensor([1.0, 5, 2, 7, 3], dtype=torch.float64)
    found = median_by(values, torch.tensor([0, 2, 0, 2, 0]), 3)
    assert found[[0, 2]].tolist() == [2.0, 5.0]
    assert found[1].isnan()
