"""What every depth prior keeps to, over all that there are."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from priors_made import FRAMES, MAKERS

from recon.errors import DataError
from recon.priors.choose import PRIOR_NAMES, PriorName, choose_prior
from recon.priors.interface import Frame
from recon.types import DepthKind

pytestmark = pytest.mark.usefixtures("one_thread")
RELATIVE = {"depth-anything-s", "depth-anything-b", "depth-anything-l", "siamese"}
LARGER = {name for name in PRIOR_NAMES if name.endswith(("-b", "-l", "bokeh-depth-anything"))}
"""Larger networks of one kind differ in nothing but their weights; and one that is slow enough to
look at one photo only."""
KINDS = [name for name in PRIOR_NAMES if name not in LARGER]
NETWORKS = [name for name in KINDS if name not in ("lidar", "file")]


def test_there_is_a_maker_for_each() -> None:
    assert set(MAKERS) == set(PRIOR_NAMES)


@pytest.mark.parametrize("name", PRIOR_NAMES)
def test_depth_is_of_the_photos_size_and_finite(name: PriorName, tmp_path: Path) -> None:
    prior = choose_prior(MAKERS[name](name, tmp_path, 1))
    assert prior.name == name
    for frame in FRAMES[:1] if name in LARGER else FRAMES:
        before = frame.pixels.clone()
        found = prior.predict(frame)
        depth, trust = found.depth, found.confidence
        assert depth.z.shape == depth.valid.shape == frame.pixels.shape[:2]
        assert depth.z.dtype == torch.float32
        assert bool(depth.z.isfinite().all())
        assert bool(depth.valid.any())
        assert torch.equal(depth.z > 0, depth.valid)
        kind = DepthKind.AFFINE_DISPARITY if name in RELATIVE else DepthKind.METRIC
        assert depth.kind is kind
        if trust is not None:
            assert trust.shape == depth.z.shape
            assert trust.dtype == torch.float32
            assert bool(((trust >= 0) & (trust <= 1)).all())
            assert not bool(trust[~depth.valid].any())
        assert torch.equal(frame.pixels, before)


@pytest.mark.parametrize("name", KINDS)
def test_the_same_files_are_the_same_prior(name: PriorName, tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    priors = []
    for place in places:
        place.mkdir()
        priors.append(choose_prior(MAKERS[name](name, place, 1)))
    one, two = priors
    assert one.identity() == two.identity()
    results = [prior.predict(FRAMES[0]) for prior in (one, two, one)]
    for again in results[1:]:
        assert torch.equal(results[0].depth.z, again.depth.z)


@pytest.mark.parametrize("name", KINDS)
def test_a_focal_length_matters_where_it_is_said_to(name: PriorName, tmp_path: Path) -> None:
    prior = choose_prior(MAKERS[name](name, tmp_path, 1))
    frame = FRAMES[0]
    camera = replace(frame.camera, fx=2 * frame.camera.fx, fy=2 * frame.camera.fy)
    depth, other = (prior.predict(one).depth.z for one in (frame, replace(frame, camera=camera)))
    assert torch.equal(depth, other) != prior.uses_focal_length


@pytest.mark.parametrize("name", KINDS)
def test_other_weights_are_another_prior(name: PriorName, tmp_path: Path) -> None:
    one, two = (choose_prior(MAKERS[name](name, tmp_path, seed)) for seed in (1, 2))
    assert one.identity() != two.identity()
    depths = [prior.predict(FRAMES[0]).depth.z for prior in (one, two)]
    assert not torch.equal(*depths)


def test_no_two_priors_are_the_same(tmp_path: Path) -> None:
    """One file given to both variants of a network is still read in two ways."""
    identities = set()
    for name in ("meter-kitti", "meter-nyu", "depth-anything-s", "depth-anything-b"):
        place = tmp_path / name
        place.mkdir()
        identities.add(choose_prior(MAKERS[name](name, place, 1)).identity())
    assert len(identities) == 4


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_damaged_weights_are_named(name: PriorName, tmp_path: Path, damage: str) -> None:
    choice = MAKERS[name](name, tmp_path, 1)
    prior = choose_prior(choice)
    assert choice.weights is not None
    path = choice.weights if choice.weights.is_file() else choice.weights / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"not found\n", "cut": whole[: len(whole) // 2]}[damage]
    )
    with pytest.raises(DataError, match=str(tmp_path)) as refused:
        prior.predict(FRAMES[0])
    assert "expected" in str(refused.value)


def test_a_frames_key_covers_all_that_a_prior_sees() -> None:
    frame = FRAMES[0]
    assert frame.sparse is not None
    camera = frame.camera
    others = [
        Frame("b", frame.pixels, camera, frame.sparse),
        Frame(frame.name, frame.pixels + 1, camera, frame.sparse),
        Frame(frame.name, frame.pixels, FRAMES[1].camera, frame.sparse),
        Frame(frame.name, frame.pixels, camera),
        Frame(frame.name, frame.pixels, camera, frame.sparse.scaled(0.5, 1)),
    ]
    moved = Frame(frame.name, frame.pixels, camera.moved(2 * torch.eye(4)), frame.sparse)
    assert len({other.key() for other in (frame, *others)}) == 6
    assert moved.key() == frame.key()
