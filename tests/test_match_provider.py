"""Matches as evidence: of training photos only; where there are none, a reason and silence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from planes import from_one_place, wall_capture, wall_depth, wall_scene

from recon.errors import UsageError
from recon.evidence.interface import Evidence, Need
from recon.evidence.store import FOLDER
from recon.match_provider import MatchProvider, MatchSettings
from recon.matching.cameras import Cameras
from recon.matching.sift import Sift
from recon.providers import PriorSettings, providers_for
from recon.types import Capture

pytestmark = pytest.mark.usefixtures("one_thread")

SCENE, SIFT = wall_scene(), Sift(most=1000)


def test_training_views_get_the_walls_depth_and_test_photos_are_not_looked_at() -> None:
    capture = wall_capture(SCENE, held_out=(1,))
    provider = MatchProvider(capture.train, SIFT)
    assert provider.prepare() == ()
    cameras = Cameras.of([view.camera for view in capture.views])
    for index in capture.split.train:
        known = provider.add(Evidence(), capture.views[index]).matches
        assert known is not None
        assert len(known.depth) > 100
        rays = cameras.rays(torch.full((len(known.depth),), index), known.pixels)
        truth = wall_depth(torch.from_numpy(SCENE.world_to_camera[index]), rays)
        assert float((known.depth / truth - 1).abs().median()) < 0.001
    assert provider.add(Evidence(), capture.views[1]).matches is None


def moved(index: int, by: float) -> Capture:
    poses = [pose.copy() for pose in SCENE.world_to_camera]
    poses[index][1, 3] += by
    return wall_capture(replace(SCENE, world_to_camera=poses))


def unlike() -> Capture:
    random = np.random.default_rng(0)
    noise = [random.integers(0, 256, photo.shape, dtype=np.uint8) for photo in SCENE.photos]
    return wall_capture(replace(SCENE, photos=noise))


@pytest.mark.parametrize(
    ("capture", "reason"),
    [
        (unlike(), "no pixels match"),
        (wall_capture(from_one_place(SCENE)), "from different places"),
        (wall_capture(SCENE, held_out=(0, 1, 2)), "no two of 1 views"),
    ],
    ids=["noise", "turning", "alone"],
)
def test_without_matches_it_says_why_once_and_adds_nothing(capture: Capture, reason: str) -> None:
    provider = MatchProvider(capture.train, SIFT)
    (warning,) = provider.prepare()
    assert reason in warning
    assert provider.prepare() == ()
    assert provider.knows_nothing
    assert provider.add(Evidence(), capture.train[0]).matches is None


def test_wrong_poses_are_warned_of_and_the_rest_is_used() -> None:
    capture = moved(3, 0.3)
    provider = MatchProvider(capture.train, SIFT)
    (warning,) = provider.prepare()
    assert "wall_3.png" in warning.split("Worst:")[1].split(",")[0]
    assert not provider.knows_nothing


def test_a_cache_that_cannot_be_written_leaves_the_fit_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER, str(tmp_path / "file" / "cache"))
    (warning,) = MatchProvider(wall_capture(SCENE).train, SIFT).prepare()
    assert FOLDER in warning


def test_the_setting_decides_who_matches() -> None:
    capture, prior = wall_capture(SCENE), PriorSettings()
    needs = frozenset({Need.MATCHES})
    assert providers_for(needs, capture, prior, MatchSettings("none")) == ()
    assert providers_for(needs, capture, prior, MatchSettings(most=1)) == ()
    (one,) = providers_for(needs, capture, prior, MatchSettings())
    assert one.gives is Need.MATCHES
    for name in ("none", "sift"):
        with pytest.raises(UsageError, match="weights"):
            providers_for(needs, capture, prior, MatchSettings(name, Path("x")))
