"""Confidence against exact geometry: two cameras before a wall with a box, and errors we made."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.evidence.confidence import Trust, agreement, combined, trust_by_points, trust_by_views
from recon.evidence.interface import SparseDepth
from recon.types import Camera, DepthMap

WIDTH, HEIGHT, FOCAL = 80, 60, 70.0
TRUST = Trust()


def camera(x: float) -> Camera:
    """Return a camera that looks along z from (x, 0, 0)."""
    pose = torch.eye(4)
    pose[0, 3] = -x
    return Camera(pose, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def scene(x: float) -> DepthMap:
    """Return what that camera sees: a box's face at 4, |X| < 0.6, |Y| < 0.6, in front of a wall."""
    columns, rows = torch.arange(WIDTH) + 0.5, torch.arange(HEIGHT) + 0.5
    across = x + (columns - WIDTH / 2) / FOCAL * 4
    down = ((rows - HEIGHT / 2) / FOCAL * 4)[:, None]
    box = (across.abs() < 0.6) & (down.abs() < 0.6)
    z = torch.where(box, 4.0, 8.0)
    return DepthMap(z, torch.ones_like(box))


def changed(depth: DepthMap, region: tuple[slice, slice], factor: float) -> DepthMap:
    z = depth.z.clone()
    z[region] *= factor
    return DepthMap(z, depth.valid)


def at(rows: list[int], columns: list[int], z: list[float]) -> SparseDepth:
    pixels = torch.tensor([columns, rows]).T + 0.5
    return SparseDepth(pixels, torch.tensor(z), torch.ones(len(z)))


@given(st.floats(0.1, 100), st.floats(0.01, 100))
def test_agreement_is_a_capped_gaussian_of_the_relative_error(z: float, ratio: float) -> None:
    one, other = torch.tensor([z]).double(), torch.tensor([z * ratio]).double()
    error = min(abs(math.log(ratio)), math.log(1.3))
    exact = math.exp(-0.5 * (error / math.log(1.1)) ** 2)
    assert float(agreement(one, other, TRUST)) == pytest.approx(exact, rel=1e-5)
    torch.testing.assert_close(agreement(one, other, TRUST), agreement(other, one, TRUST))


def test_one_point_speaks_for_its_surroundings_in_closed_form() -> None:
    prior = DepthMap(torch.full((HEIGHT, WIDTH), 5.0), torch.ones(HEIGHT, WIDTH, dtype=torch.bool))
    trust = trust_by_points(prior, at([30], [40], [5.5]), TRUST)
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    squared = (rows - 30.0) ** 2 + (columns - 40.0) ** 2
    sigma = TRUST.reach * WIDTH
    weight = torch.exp(-0.5 * squared / sigma**2)
    agreed = math.exp(-0.5)
    exact = (weight * agreed + TRUST.doubt * TRUST.unknown) / (weight + TRUST.doubt)
    torch.testing.assert_close(trust, exact, atol=2e-4, rtol=0)


def test_a_wrong_region_is_distrusted_and_the_rest_is_not() -> None:
    truth = scene(0.0)
    region = (slice(0, 60), slice(0, 20))
    wrong = changed(truth, region, 1.5)
    rows, columns = [5, 25, 45] * 8, [c for c in range(4, 80, 10) for _ in range(3)]
    sparse = at(rows, columns, [float(truth.z[r, c]) for r, c in zip(rows, columns, strict=True)])
    trust = trust_by_points(wrong, sparse, Trust(reach=0.06))
    among = slice(0, 50)
    assert float(trust[among, :12].max()) < 0.4
    assert float(trust[among, 28:].min()) > 0.6


@pytest.mark.parametrize("factor", [1.31, 5.0, 1000.0, 1e-3])
def test_how_wrong_a_wrong_depth_is_does_not_matter(factor: float) -> None:
    truth = scene(0.0)
    sparse = at([30], [40], [4.0])
    by_points = [
        trust_by_points(changed(truth, (slice(28, 33), slice(38, 43)), f), sparse)
        for f in (2.0, factor)
    ]
    torch.testing.assert_close(*by_points)


def test_points_beside_the_prior_and_far_from_it_say_nothing() -> None:
    truth = scene(0.0)
    half = DepthMap(truth.z * (torch.arange(WIDTH) < 40), truth.valid & (torch.arange(WIDTH) < 40))
    trust = trust_by_points(half, at([30, 30], [70, 75], [8.0, math.nan]))
    assert bool((trust[:, :40] == TRUST.unknown).all())
    assert not bool(trust[:, 40:].any())
    none = SparseDepth(torch.zeros(0, 2), torch.zeros(0), torch.zeros(0))
    assert bool((trust_by_points(truth, none) == TRUST.unknown).all())


def test_views_that_see_the_same_agree() -> None:
    trust = trust_by_views(
        camera(0), scene(0), [(camera(0.5), scene(0.5)), (camera(-0.5), scene(-0.5))]
    )
    full = (2 + TRUST.doubt * TRUST.unknown) / (2 + TRUST.doubt)
    # Inside the box' face, away from its rim, both views see it where it is.
    torch.testing.assert_close(trust[22:38, 33:47], torch.full((16, 14), full), atol=1e-5, rtol=0)
    assert float(trust.max()) <= full + 1e-6


def test_an_error_of_one_view_is_found_by_another() -> None:
    region = (slice(24, 36), slice(35, 45))
    for factor in (0.5, 0.7):
        wrong = changed(scene(0), region, factor)
        trust = trust_by_views(camera(0), wrong, [(camera(0.5), scene(0.5))])
        assert float(trust[region].max()) < 0.2
        assert float(trust[5:15, 60:75].min()) > 0.8


def test_what_a_neighbour_cannot_see_stays_unknown() -> None:
    """The box hides some of the wall from a neighbour, and some lies outside of its photo."""
    offset = 0.5
    trust = trust_by_views(camera(0), scene(0), [(camera(offset), scene(offset))])
    # A point of the wall at X is hidden from (0.5, 0, 0) by the box, |X| < 0.6 at half the depth:
    # its ray passes z = 4 at (X + 0.5) / 2.
    columns = torch.arange(WIDTH) + 0.5
    x = (columns - WIDTH / 2) / FOCAL * 8
    at_the_box = (x + offset) / 2
    seen_in_row = (x - offset) / 8 * FOCAL + WIDTH / 2
    row = 30
    on_the_wall = scene(0).z[row] == 8.0
    clear = 4 / FOCAL
    hidden = on_the_wall & (at_the_box.abs() < 0.6 - clear)
    outside = seen_in_row < 0
    assert bool(hidden.any())
    assert bool(outside.any())
    assert bool((trust[row][hidden | outside] == TRUST.unknown).all())
    free = (
        on_the_wall
        & (at_the_box.abs() > 0.6 + clear)
        & (seen_in_row > 1)
        & (seen_in_row < WIDTH - 1)
    )
    assert float(trust[row][free].min()) > 0.8


@settings(max_examples=30)
@given(st.floats(0.05, 20), st.floats(-2, 2), st.booleans())
def test_any_priors_give_finite_confidence(factor: float, x: float, behind: bool) -> None:
    other = camera(x)
    if behind:
        pose = other.world_to_camera.clone()
        pose[:3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0])) @ pose[:3]
        other = other.moved(pose)
    neighbour = changed(scene(x), (slice(None), slice(0, 40)), factor)
    gap = DepthMap(
        neighbour.z, torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)) > 0.3
    )
    trust = trust_by_views(camera(0), scene(0), [(other, gap)])
    assert bool(((trust >= 0) & (trust <= 1)).all())


def test_without_neighbours_or_depth_nothing_is_claimed() -> None:
    assert bool((trust_by_views(camera(0), scene(0), []) == TRUST.unknown).all())
    empty = DepthMap(torch.zeros(HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH, dtype=torch.bool))
    assert not bool(trust_by_views(camera(0), empty, [(camera(1), scene(1))]).any())
    assert bool((trust_by_views(camera(0), scene(0), [(camera(1), empty)]) == TRUST.unknown).all())


def test_confidences_multiply() -> None:
    one, other = torch.rand(2, 4, 5)
    torch.testing.assert_close(combined([one, other]), one * other)
