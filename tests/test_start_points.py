"""Start points from matches: on the wall, from training photos, or a reason why there are none."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from captures import write_transforms
from planes import from_one_place, wall_capture, wall_scene

from recon.match_provider import MatchSettings
from recon.start_points import Start, with_points_from_matches
from recon.types import Capture

pytestmark = pytest.mark.usefixtures("one_thread")

SCENE = wall_scene()


@pytest.mark.parametrize("start", ["points", "matches"])
def test_points_lie_on_the_wall_and_come_from_training_photos(start: Start) -> None:
    capture = wall_capture(SCENE, held_out=(2,))
    found = with_points_from_matches(capture, start, MatchSettings())
    assert found.points is not None
    count = len(found.points)
    assert count > 200
    assert float(found.points.positions[:, 2].abs().median()) < 0.004
    assert float(found.points.positions[:, 2].abs().quantile(0.95)) < 0.04
    assert found.notes[0].startswith(f"{count:,} points")
    assert "3 training photos" in found.notes[0]
    assert found.warnings == ()
    assert with_points_from_matches(capture, start, MatchSettings()).points is not None


def test_points_that_are_there_are_kept_unless_matches_are_asked_for() -> None:
    brought = wall_capture(SCENE, held_out=(0, 1, 2, 3), points=True)
    assert with_points_from_matches(brought, "points", MatchSettings()) is brought
    brought = wall_capture(SCENE, points=True)
    found = with_points_from_matches(brought, "matches", MatchSettings())
    assert found.points is not None
    assert brought.points is not None
    assert len(found.points) != len(brought.points)


def test_random_ones_are_random() -> None:
    capture = wall_capture(SCENE, held_out=(0, 1, 2, 3))
    assert with_points_from_matches(capture, "random", MatchSettings()) is capture


def failed(capture: Capture, settings: MatchSettings) -> str:
    found = with_points_from_matches(capture, "matches", settings)
    assert found.points is None
    assert found.notes == capture.notes
    (warning,) = found.warnings
    assert "begins at random" in warning
    return warning


def test_where_none_can_be_had_a_warning_says_why() -> None:
    turning = wall_capture(from_one_place(SCENE))
    assert "from different places" in failed(turning, MatchSettings())
    assert "--matching.matcher none" in failed(wall_capture(SCENE), MatchSettings("none"))
    silent = with_points_from_matches(turning, "points", MatchSettings("none"))
    assert silent is turning


def test_hardly_any_points_are_none() -> None:
    # A corner of the photos, in which a few key points match.
    photos = [photo.copy() for photo in SCENE.photos]
    for photo in photos:
        photo[60:], photo[:, 75:] = 128, 128
    warning = failed(wall_capture(replace(SCENE, photos=photos)), MatchSettings())
    assert "fewer than 30" in warning or "nothing to triangulate" in warning


def test_a_camera_that_only_turns_is_fitted_with_a_warning(tmp_path: Path) -> None:
    write_transforms(tmp_path / "wall", from_one_place(wall_scene(3, 64, 48)))
    done = subprocess.run(
        [sys.executable, "-m", "recon.cli", "fit", "--data", str(tmp_path / "wall"),
         "--start", "matches", "--output", str(tmp_path / "run"), "--hold-every", "0",
         "--steps", "5", "--max-gaussians", "200"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "begins at random: no two of 3 views" in done.stderr
    assert "matches do not supervise this fit: no two of 3 views" in done.stderr
    assert (tmp_path / "run" / "scene.ply").is_file()
