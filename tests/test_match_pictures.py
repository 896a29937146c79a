import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from captures import write_transforms
from photos import MemoryPhoto
from planes import wall_scene
from rigs import cloud, exact_pairs, ring

from recon.commands.inspect import Inspect
from recon.match_facts import match_facts
from recon.match_pictures import (
    PHOTO_WIDTH,
    agreement_picture,
    chosen_pairs,
    coverage_picture,
    pair_picture,
    write_match_pictures,
)
from recon.matching.cameras import Cameras
from recon.matching.choose import MatcherOptions
from recon.matching.epipolar import Agreement, agreement
from recon.matching.filters import believed
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches
from recon.matching.survey import Comparison, triangulated
from recon.types import View

pytestmark = pytest.mark.usefixtures("one_thread")
GREEN, RED = np.array([0, 255, 63]), np.array([255, 0, 63])


def comparison(pairs: list[PairMatches] | None = None) -> Comparison:
    views = [
        View(f"photo_{i}", camera, MemoryPhoto(torch.full((240, 320, 3), 90, dtype=torch.uint8)))
        for i, camera in enumerate(ring(4))
    ]
    cameras = Cameras.of([view.camera for view in views])
    pairs = exact_pairs(ring(4), cloud(60)) if pairs is None else pairs
    agreements = tuple(agreement(cameras, pair) for pair in pairs)
    kept = believed(cameras, pairs)
    return Comparison(tuple(views), cameras, "sift", 0.01, tuple(pairs), agreements, kept, ())


def near(picture: np.ndarray, place: tuple[float, float], color: np.ndarray) -> bool:
    x, y = (round(value) for value in place)
    patch = picture[y - 1 : y + 2, x - 1 : x + 2].astype(int)
    return bool((np.abs(patch - color).max(axis=-1) < 30).any())


def test_right_matches_are_green_and_wrong_ones_red() -> None:
    pair = exact_pairs(ring(4), cloud(60))[0]
    pixels = pair.matches.pixels_b.clone()
    pixels[7] = torch.tensor([20.0, 230.0])
    spoiled = PairMatches(0, 1, replace(pair.matches, pixels_b=pixels))
    picture = pair_picture(comparison(), spoiled)
    factor, caption = PHOTO_WIDTH / 320, 20
    for index in (0, 1, 2, 7):
        color = RED if index == 7 else GREEN
        x, y = (factor * pair.matches.pixels_a[index]).tolist()
        assert near(picture, (x, y + caption), color)
        x, y = (factor * pixels[index]).tolist()
        assert near(picture, (x + PHOTO_WIDTH + 4, y + caption), color)


def test_agreement_shows_each_pair_in_its_square() -> None:
    pairs = [
        Agreement(0, 1, 100, 0.0, 1.0, 0.0),
        Agreement(1, 2, 100, 9.0, 0.0, 9.0),
        Agreement(0, 2, 0, float("nan"), float("nan"), float("nan")),
    ]
    picture = agreement_picture(pairs, 3)[20:]
    assert np.array_equal(picture[30, 6], GREEN)
    assert np.array_equal(picture[6, 30], GREEN)
    assert np.array_equal(picture[54, 30], RED)
    assert np.array_equal(picture[54, 6], [90, 90, 90])
    assert (picture[6, 6] < 30).all(), "no view is matched with itself"


def test_the_worst_and_the_best_pair_are_drawn() -> None:
    medians = [float(i) for i in range(40)]
    chosen = chosen_pairs([Agreement(0, 1, 9, m, 0.0, m) for m in medians])
    assert (chosen[0], chosen[-1]) == (39, 0)
    assert len(set(chosen)) == len(chosen) == 12
    assert chosen_pairs([]) == []


def test_coverage_marks_points_where_they_are_seen() -> None:
    found = triangulated(comparison())
    picture = coverage_picture(found, " m")
    assert picture.shape[0] == 20 + 240
    tracks = found.points.tracks
    x, y = tracks.pixels[tracks.view == 0][0].tolist()
    patch = picture[20 + round(y) - 1 : 20 + round(y) + 2, round(x) - 1 : round(x) + 2].astype(int)
    assert (np.ptp(patch, axis=-1) > 60).any(), "a colour on grey"


def test_facts_count_what_there_is() -> None:
    pairs = exact_pairs(ring(4), cloud(60))[:3]
    facts = match_facts(comparison([*pairs, PairMatches(1, 2, Matches.none())]), None)
    assert (facts.pairs, facts.matches, facts.kept, facts.within_a_pixel) == (4, 180, 180, 1.0)
    assert facts.points is None
    alone = match_facts(comparison(pairs[:1]), None).alone
    assert alone == ("photo_2", "photo_3")
    full = comparison()
    points = match_facts(full, triangulated(full)).points
    assert points is not None
    assert (points.count, points.views) == (60, 4.0)


def test_pictures_are_written_whole(tmp_path: Path) -> None:
    full = comparison()
    paths = write_match_pictures(full, triangulated(full), tmp_path / "new", " m")
    names = {path.name for path in paths}
    assert {"agreement.png", "coverage.png", "pair_0000_0001.png"} <= names
    assert all(cv2.imread(str(path)) is not None for path in paths)
    assert {path.name for path in (tmp_path / "new").iterdir()} == names


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECON_WEIGHTS", raising=False)


@pytest.mark.usefixtures("cache")
def test_inspect_says_and_draws_how_a_capture_matches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_transforms(tmp_path / "wall", wall_scene(3))
    inspect = Inspect(
        tmp_path / "wall", matches=tmp_path / "out", matcher=MatcherOptions("sift"), json=True
    )
    inspect()
    found = json.loads(capsys.readouterr().out)
    assert found["matches"]["matcher"] == "sift"
    assert found["matches"]["median_distance"] < 0.5
    assert found["matches"]["points"]["count"] > 100
    assert found["warnings"] == []
    assert (tmp_path / "out" / "coverage.png").is_file()
    replace(inspect, json=False)()
    assert "off their epipolar lines" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.usefixtures("cache")
def test_inspect_warns_where_nothing_matches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = wall_scene(3)
    grey = [np.full_like(photo, 100) for photo in scene.photos]
    write_transforms(tmp_path / "wall", replace(scene, photos=grey))
    Inspect(tmp_path / "wall", matches=tmp_path / "out", json=True)()
    found = json.loads(capsys.readouterr().out)
    assert found["matches"]["matches"] == 0
    assert any("nothing to triangulate" in warning for warning in found["warnings"])
