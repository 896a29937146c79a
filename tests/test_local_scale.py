import numpy as np
import pytest
import torch

from recon.evidence.interface import SparseDepth
from recon.matching.local_scale import RestoreOptions, restore
from recon.types import DepthKind, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")
HEIGHT, WIDTH = 120, 160
Y, X = torch.meshgrid(
    (torch.arange(HEIGHT) + 0.5) / HEIGHT, (torch.arange(WIDTH) + 0.5) / WIDTH, indexing="ij"
)
TRUTH = torch.where((X > 0.4) & (X < 0.6) & (Y > 0.3), 3.0, 6 + 4 * Y)
"""A slope with a box before it."""
WARP = 1 + 0.3 * torch.sin(3 * X + 1) * torch.cos(2.5 * Y)


def map_of(depth: torch.Tensor) -> DepthMap:
    return DepthMap(depth, torch.ones_like(depth, dtype=torch.bool))


def known(count: int, noise: float = 0.0, wrong: float = 0.0, seed: int = 0) -> SparseDepth:
    """The truth at random pixels, some of them far off."""
    random = torch.Generator().manual_seed(seed)
    pixels = torch.rand(count, 2, generator=random) * torch.tensor([WIDTH, HEIGHT])
    column, row = pixels.long().T
    depth = TRUTH[row, column] * (1 + noise * torch.randn(count, generator=random))
    off = torch.rand(count, generator=random) < wrong
    depth[off] = 2 + 10 * torch.rand(int(off.sum()), generator=random)
    return SparseDepth(pixels, depth, torch.ones(count))


def relative(depth: DepthMap) -> torch.Tensor:
    return (depth.z / TRUTH - 1).abs()


def test_a_warped_prior_is_bent_back() -> None:
    prior = map_of(TRUTH * WARP)
    found = restore(prior, known(600, noise=0.01))
    assert relative(prior).mean() > 0.1
    assert relative(found.depth).mean() < 0.02
    assert found.error.mean() < 0.03
    assert found.depth.kind is DepthKind.METRIC


def test_outliers_bend_it_little() -> None:
    found = restore(map_of(TRUTH * WARP), known(600, noise=0.02, wrong=0.25))
    assert relative(found.depth).mean() < 0.05


def test_edges_stay_sharp_and_cells_show_no_borders() -> None:
    found = restore(map_of(TRUTH * WARP), known(600)).depth.z
    row = found[60]
    inside = (X[60] > 0.4) & (X[60] < 0.6)
    assert (row[~inside].min() - row[inside].max()) > 3
    factor = (found / TRUTH)[:, :60]  # Left of the box the truth is smooth, and so is the result.
    assert factor.diff(dim=0).abs().max() < 0.01
    assert factor.diff(dim=1).abs().max() < 0.01


def test_where_nothing_is_known_nothing_changes_and_the_error_is_one() -> None:
    prior = map_of(TRUTH * WARP)
    nothing = SparseDepth(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    found = restore(prior, nothing)
    torch.testing.assert_close(found.depth.z, prior.z)
    assert (found.error == 1).all()
    left = known(600)
    left = SparseDepth(left.pixels * torch.tensor([0.2, 1.0]), left.depth, left.weight)
    found = restore(prior, left, RestoreOptions(largest=30))
    torch.testing.assert_close(found.depth.z[:, 80:], prior.z[:, 80:])
    assert (found.error[:, 80:] == 1).all()


def test_a_right_prior_stays_as_it_is() -> None:
    found = restore(map_of(TRUTH), known(300))
    torch.testing.assert_close(found.depth.z, TRUTH, rtol=1e-5, atol=0)
    assert found.error.max() < 1e-5


def test_one_cell_is_a_ridge_regression() -> None:
    """Eq. 35 to 37, solved by NumPy; no point is an outlier."""
    points = known(200, noise=0.01)
    prior = map_of((TRUTH - 1) / 1.2)
    options = RestoreOptions(largest=1000, smallest=1000, bend=1e6)
    found = restore(prior, points, options)
    column, row = points.pixels.long().T
    x, y = prior.z[row, column].numpy(), points.depth.numpy()
    design = np.stack([x, np.ones_like(x)], axis=1) / y[:, None]
    factor, offset = np.linalg.lstsq(design, np.ones_like(y), rcond=None)[0]
    assert factor == pytest.approx(1.2, rel=0.02)
    expected = torch.from_numpy(factor * prior.z.numpy() + offset)
    torch.testing.assert_close(found.depth.z, expected, rtol=2e-3, atol=0)


def test_weights_say_who_is_believed() -> None:
    right, wrong = known(300, seed=1), known(300, seed=2)
    both = SparseDepth(
        torch.cat([right.pixels, wrong.pixels]),
        torch.cat([right.depth, 1.3 * wrong.depth]),
        torch.cat([torch.ones(300), torch.full((300,), 1e-3)]),
    )
    assert relative(restore(map_of(TRUTH * WARP), both).depth).mean() < 0.02


def test_pixels_without_depth_stay_without() -> None:
    prior = DepthMap(TRUTH * WARP * (X > 0.5), X > 0.5)
    found = restore(prior, known(600))
    assert torch.equal(found.depth.valid, prior.valid)
    assert (found.depth.z[X < 0.5] == 0).all()
    assert (found.error[X < 0.5] == 1).all()
    assert relative(found.depth)[X > 0.5].mean() < 0.02
