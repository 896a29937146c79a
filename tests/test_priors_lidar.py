"""Completed LiDAR against scenes whose depth is known at every pixel."""

import numpy as np
import pytest
import torch
from priors_made import camera

from recon.errors import DataError
from recon.evidence.interface import SparseDepth
from recon.priors.interface import Frame
from recon.priors.lidar import Lidar, LidarSettings

WIDTH, HEIGHT = 120, 80


def photo(bright: torch.Tensor) -> torch.Tensor:
    return (200 * bright.float())[..., None].expand(-1, -1, 3).to(torch.uint8).contiguous()


def rows_of(z: torch.Tensor, every: int) -> SparseDepth:
    """Take a scanner's lines: each n-th row, each second column."""
    rows, columns = torch.meshgrid(
        torch.arange(every // 2, HEIGHT, every), torch.arange(0, WIDTH, 2), indexing="ij"
    )
    cells = torch.stack([columns.flatten(), rows.flatten()], dim=-1)
    return sure(cells + 0.5, z[cells[:, 1], cells[:, 0]])


def sure(pixels: torch.Tensor, depth: torch.Tensor) -> SparseDepth:
    return SparseDepth(pixels, depth, torch.ones(len(depth)))


def complete(
    z: torch.Tensor, pixels: torch.Tensor, sparse: SparseDepth, settings: LidarSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    found = Lidar(settings).predict(Frame("a", pixels, camera(WIDTH, HEIGHT, 100.0), sparse))
    assert found.confidence is not None
    return found.depth.z, found.confidence


def test_a_slanted_plane_comes_back() -> None:
    """Inverse depth is linear in the photo on a plane, and so is its average over neighbours."""
    x, y = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5
    z = 1 / (0.05 + 0.0004 * x + 0.001 * y[:, None])
    flat = photo(torch.ones(HEIGHT, WIDTH))
    found, _ = complete(z, flat, rows_of(z, 4), LidarSettings(reach=0.05))
    error = (found / z - 1).abs()
    # Half a line's distance is 2 px: 2 * 0.001 of at least 0.05.
    assert float(error[2:-2, 2:-2].max()) < 0.04
    assert float(error.median()) < 0.01


def test_edges_of_colour_are_edges_of_depth() -> None:
    """The post is narrower than the lines are apart; its colour carries its depth to its rim."""
    post = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    post[:, 50:61] = True
    z = torch.where(post, 5.0, 20.0)
    settings = LidarSettings(reach=0.05)
    found, _ = complete(z, photo(post), rows_of(z, 8), settings)
    # No depth is made up: each pixel is on one of the two surfaces.
    assert bool(((found - 5).abs().lt(1e-3) | (found - 20).abs().lt(1e-3)).all())
    wrong = (found - z).abs() > 1
    assert float(wrong.float().mean()) < 0.01
    blind, _ = complete(z, photo(torch.ones(HEIGHT, WIDTH)), rows_of(z, 8), settings)
    assert int(wrong.sum()) < int(((blind - z).abs() > 1).sum())


def test_confidence_is_a_gaussian_of_the_distance_to_the_nearest_return() -> None:
    sparse = sure(torch.tensor([[30.5, 40.5], [90.5, 20.5]]), torch.tensor([4.0, 8.0]))
    flat = photo(torch.ones(HEIGHT, WIDTH))
    z, trust = complete(flat[..., 0].float(), flat, sparse, LidarSettings(reach=0.1))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    away = np.min([np.hypot(columns - 30, rows - 40), np.hypot(columns - 90, rows - 20)], axis=0)
    expected = np.where(away <= 36, np.exp(-0.5 * (away / 12) ** 2), 0)
    np.testing.assert_allclose(trust.numpy(), expected, atol=1e-5)
    np.testing.assert_array_equal(z.numpy() > 0, away <= 36)
    assert float(z[40, 30]) == pytest.approx(4)
    assert float(z[20, 90]) == pytest.approx(8)


def test_of_two_returns_in_a_pixel_the_nearer_counts() -> None:
    sparse = sure(torch.tensor([[30.2, 40.2], [30.7, 40.9]]), torch.tensor([9.0, 4.0]))
    flat = photo(torch.ones(HEIGHT, WIDTH))
    z, _ = complete(flat[..., 0].float(), flat, sparse, LidarSettings(reach=0.1))
    assert float(z[40, 30]) == pytest.approx(4)


@pytest.mark.parametrize("sparse", [None, sure(torch.zeros(0, 2), torch.zeros(0))])
def test_without_returns_the_view_is_named(sparse: SparseDepth | None) -> None:
    pixels = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"front/7\.jpg: no LiDAR return"):
        Lidar().predict(Frame("front/7.jpg", pixels, camera(WIDTH, HEIGHT, 100.0), sparse))
