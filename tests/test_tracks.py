import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rigs import cloud, exact_pairs, ring, seen

from recon.matching.cameras import Cameras
from recon.matching.filters import FilterOptions, believed, robust_limit
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches
from recon.matching.tracks import Tracks, build_tracks

pytestmark = pytest.mark.usefixtures("one_thread")

CAMERAS, POINTS = ring(5), cloud(60)


def pair(
    a: int, b: int, matches: list[tuple[float, float]], confidence: float = 0.5
) -> PairMatches:
    """Matches of pixels on one line, by their x."""
    x = torch.tensor(matches, dtype=torch.float32).reshape(-1, 2)
    pixels = [torch.stack([side, torch.full_like(side, 7.5)], dim=1) for side in x.T]
    return PairMatches(a, b, Matches(*pixels, torch.full((len(x),), confidence)))


def members(tracks: Tracks) -> set[frozenset[tuple[int, float]]]:
    """Each track as views and x."""
    return {
        frozenset(
            (int(v), round(float(x), 3))
            for t, v, x in zip(tracks.track, tracks.view, tracks.pixels[:, 0], strict=True)
            if t == index
        )
        for index in range(len(tracks))
    }


def test_all_pairs_of_exact_views_give_one_track_for_each_point() -> None:
    tracks = build_tracks(exact_pairs(CAMERAS, POINTS), 0.01)
    assert len(tracks) == 60
    assert (tracks.lengths == 5).all()
    expected = seen(CAMERAS, POINTS).float()
    for index in range(60):
        pixels = tracks.pixels[tracks.track == index]
        assert (expected - pixels[:, None]).abs().amax(dim=(0, 2)).min() < 1e-3


def test_chains_connect_views_that_were_never_matched() -> None:
    tracks = build_tracks([pair(0, 1, [(10, 20)]), pair(1, 2, [(20, 30)])], 0.01)
    assert members(tracks) == {frozenset({(0, 10.0), (1, 20.0), (2, 30.0)})}


def test_no_track_has_two_pixels_of_a_view_and_the_surest_matches_stay() -> None:
    sure = [pair(0, 1, [(10, 20)], 0.9), pair(1, 2, [(20, 30)], 0.8)]
    tracks = build_tracks([pair(0, 2, [(11, 30)], 0.3), *sure], 0.01)
    assert members(tracks) == {frozenset({(0, 10.0), (1, 20.0), (2, 30.0)})}
    assert tracks.confidence.tolist() == pytest.approx([0.9, 0.9, 0.8])


def test_pixels_closer_than_the_merge_distance_are_one_and_count_as_their_mean() -> None:
    pairs = [pair(0, 1, [(10, 20.1)]), pair(1, 2, [(20.3, 30)])]
    assert members(build_tracks(pairs, 1.0)) == {frozenset({(0, 10.0), (1, 20.2), (2, 30.0)})}
    assert len(build_tracks(pairs, 0.01)) == 2


def test_nothing_gives_nothing() -> None:
    assert len(build_tracks([], 0.01)) == 0
    assert len(build_tracks([pair(0, 1, [])], 0.01)) == 0


edge = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 4))


@given(st.lists(st.tuples(edge, st.floats(0, 1, width=32)), max_size=25))
def test_whatever_the_matches_tracks_are_proper(edges: list[tuple[tuple[int, ...], float]]) -> None:
    links = [
        ((min(a, b), float(x)), (max(a, b), float(y)), sure)
        for (a, b, x, y), sure in edges
        if a != b
    ]
    tracks = build_tracks([pair(a, b, [(x, y)], sure) for (a, x), (b, y), sure in links], 0.01)
    order = tracks.track * 4 + tracks.view
    assert (order.diff() > 0).all(), "sorted, and each view once"
    assert (tracks.lengths >= 2).all()
    ends = {(one, other) for one, other, _ in links} | {(other, one) for one, other, _ in links}
    for track in members(tracks):  # Each hangs together by matches that were given.
        reached, last = {min(track)}, 0
        while len(reached) > last:
            last = len(reached)
            reached |= {other for one, other in ends if one in reached and other in track}
        assert reached == track


def test_leaving_out_observations_renumbers_tracks() -> None:
    tracks = build_tracks([pair(0, 1, [(1, 2), (3, 4)]), pair(1, 2, [(4, 5)])], 0.01)
    left, kept = tracks.where(tracks.view != 0)
    assert kept.tolist() == [False, True]
    assert members(left) == {frozenset({(1, 4.0), (2, 5.0)})}
    assert left.track.tolist() == [0, 0]


def test_matches_that_contradict_the_poses_are_left_out() -> None:
    cameras = Cameras.of(CAMERAS)
    generator = torch.Generator().manual_seed(0)
    wrong = torch.rand(60, generator=generator) < 0.6
    spoiled = []
    for exact in exact_pairs(CAMERAS, POINTS, noise=0.2):
        pixels = exact.matches.pixels_b.clone()
        pixels[wrong] = 240 * torch.rand(int(wrong.sum()), 2, generator=generator)
        matches = Matches(exact.matches.pixels_a, pixels, exact.matches.confidence)
        spoiled.append(PairMatches(exact.a, exact.b, matches))
    kept = believed(cameras, spoiled)
    assert len(kept) == len(spoiled)
    for pair_kept, given_pair in zip(kept, spoiled, strict=True):
        right = (given_pair.matches.pixels_a[~wrong][:, None] == pair_kept.matches.pixels_a).all(2)
        assert right.any(dim=1).double().mean() > 0.95, "right matches stay"
        assert len(pair_kept.matches) < 24 + 4, "few wrong ones lie on their line"


def test_a_pair_with_hardly_a_match_left_is_left_out() -> None:
    few = believed(Cameras.of(CAMERAS), exact_pairs(CAMERAS, POINTS[:8]), FilterOptions(fewest=9))
    assert few == ()


def test_the_limit_follows_the_matches_within_bounds() -> None:
    assert robust_limit(torch.tensor([0.01, 0.02, 50.0]).double(), 3.0) == 1.0
    assert robust_limit(torch.tensor([0.4, 0.5, 0.6, 90.0]).double(), 3.0) == pytest.approx(2.2239)
    assert robust_limit(torch.tensor([2.0, 2.5]).double(), 3.0) == 3.0
    assert robust_limit(torch.zeros(0).double(), 3.0) == 3.0
