"""Poses of photographs that come without: a painted corner of three walls, seen exactly."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from recon.datasets import structure_from_motion
from recon.datasets.reader import read_capture
from recon.datasets.registration import Model, Pair, Registration
from recon.datasets.structure_from_motion import PoseSettings, find_poses, pairs
from recon.errors import DataError, ResourceError, UsageError

WIDTH, HEIGHT, FOCAL = 320, 240, 300.0
WALL = 6.0
VIEWS = 8


@pytest.fixture(scope="module", autouse=True)
def _needs_pycolmap():
    # Not imported here: beside other users of zlib it aborts the process.
    if find_spec("pycolmap") is None:
        pytest.skip("needs the extra sfm")


def painted(seed):
    """Blobs of all sizes, which have key points from near and from far."""
    random = np.random.default_rng(seed)
    paint = np.zeros((768, 768, 3))
    for size in (24, 48, 96, 192, 384):
        noise = random.normal(size=(size, size, 3))
        paint += cv2.resize(noise, (768, 768), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 35 * paint, 0, 255).astype(np.uint8)


def looking(position, target):
    """Rotation from world to camera; x right, y down, z forward, and z of the world up."""
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def photograph(paints, rotation, position):
    """Follow each pixel's ray to the first of the planes x = 0, y = 0 and z = 0."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack([(x - WIDTH / 2) / FOCAL, (y - HEIGHT / 2) / FOCAL, np.ones_like(x)], -1)
    rays = rays @ rotation
    with np.errstate(divide="ignore"):
        distances = np.where(rays < 0, -position / rays, np.inf)
    wall = distances.argmin(-1)
    hit = position + rays * distances.min(-1, keepdims=True)
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for axis, paint in enumerate(paints):
        u, v = (hit[..., i] / WALL * 768 for i in range(3) if i != axis)
        seen = cv2.remap(
            paint, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        photo[wall == axis] = seen[wall == axis]
    return photo


@pytest.fixture(scope="module")
def corner(tmp_path_factory):
    """A folder of photos, and their exact rotations and positions."""
    folder = tmp_path_factory.mktemp("photographs")
    paints = [painted(seed) for seed in range(3)]
    truth = {}
    for index, angle in enumerate(np.linspace(0.55, 1.05, VIEWS)):
        height = 2.0 + 0.4 * np.sin(2.5 * index)
        position = np.array([5 * np.cos(angle), 5 * np.sin(angle), height])
        rotation = looking(position, np.array([1.0, 1.0, 1.2]))
        name = f"{index}.png"
        cv2.imwrite(str(folder / name), photograph(paints, rotation, position))
        truth[name] = rotation, position
    return folder, truth


@pytest.fixture(scope="module")
def found(corner, tmp_path_factory):
    """Poses of the corner, with a bare wall, a copy and a torn file among the photos."""
    folder, _ = corner
    mixed = tmp_path_factory.mktemp("mixed")
    for path in folder.iterdir():
        (mixed / path.name).write_bytes(path.read_bytes())
    (mixed / "copy.png").write_bytes((folder / "3.png").read_bytes())
    (mixed / "torn.png").write_bytes((folder / "3.png").read_bytes()[:4000])
    cv2.imwrite(str(mixed / "bare.png"), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    told = []
    output = tmp_path_factory.mktemp("poses") / "corner"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure_from_motion, "GLANCE", 0.02)
        outcome = find_poses(mixed, output, PoseSettings(), lambda *line: told.append(line))
    return output, outcome, told


def test_poses_are_the_exact_ones_up_to_a_similarity(found, corner):
    views, truth = read_capture(found[0]).views, corner[1]
    assert {view.name for view in views} == set(truth)
    cameras = [view.camera.world_to_camera.double().numpy() for view in views]
    ours = np.array([-pose[:3, :3].T @ pose[:3, 3] for pose in cameras])
    exact = np.array([truth[view.name][1] for view in views])
    a, b = ours - ours.mean(0), exact - exact.mean(0)
    # Kabsch and Umeyama, 1991: the rotation from the exact frame to ours.
    u, s, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    turn, scale = u @ flip @ vt, np.trace(np.diag(s) @ flip) / (b**2).sum()
    off = np.linalg.norm(scale * b @ turn.T - a, axis=1)
    assert off.max() < 0.01 * np.linalg.norm(a, axis=1).max()
    for view, pose in zip(views, cameras, strict=True):
        left = pose[:3, :3] @ turn @ truth[view.name][0].T
        assert np.degrees(np.arccos(min(1, (np.trace(left) - 1) / 2))) < 1
        assert view.camera.fx == pytest.approx(FOCAL, rel=0.02)


def test_photos_without_a_pose_are_named_with_the_reason(found):
    without = found[1].without
    assert set(without) == {"3.png", "copy.png", "torn.png", "bare.png"} - set(
        found[1].registration.placed
    )
    assert "only 0 key points" in without["bare.png"]
    assert "same file as 3.png" in without["copy.png"]
    assert "cannot be read" in without["torn.png"]


def test_photos_stay_where_they_are_and_nothing_else_is_left(found):
    folder = found[0]
    assert sorted(path.name for path in folder.iterdir()) == ["images", "sparse"]
    assert (folder / "images").is_symlink()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_progress_is_told_in_order(found):
    stages = list(dict.fromkeys(what for what, _, _ in found[2]))
    assert stages == ["key points of photos", "pairs matched", "photos placed"]
    assert all(0 <= done <= total for _, done, total in found[2])


def quiet(*_):
    """Nobody listens."""


def test_a_camera_that_only_turns_is_refused(corner, tmp_path):
    folder, _ = corner
    photos = tmp_path / "turned"
    photos.mkdir()
    photo = cv2.imread(str(folder / "4.png"))
    for i in range(4):
        cv2.imwrite(str(photos / f"{i}.png"), photo[3 * i : 200 + 3 * i, 5 * i : 280 + 5 * i])
    with pytest.raises(DataError, match="none from two places"):
        find_poses(photos, tmp_path / "out", PoseSettings(), quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["turned"]


def test_photos_of_different_places_are_refused(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(2):
        cv2.imwrite(str(photos / f"{seed}.png"), painted(seed)[:240, :320])
    with pytest.raises(DataError, match="no two photos show enough of the same"):
        find_poses(photos, tmp_path / "out", PoseSettings(), quiet)


@pytest.mark.parametrize(
    ("files", "match"), [(0, "no photos"), (1, "one photo shows no depth"), (3, "the same file as")]
)
def test_too_few_photos_are_refused(corner, tmp_path, files, match):
    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(files):
        (photos / f"{i}.png").write_bytes((corner[0] / "0.png").read_bytes())
    with pytest.raises(DataError, match=match):
        find_poses(photos, tmp_path / "out", PoseSettings(), quiet)


def test_a_folder_that_is_not_there_and_one_that_is_full_are_refused(corner, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_poses(tmp_path / "nowhere", tmp_path / "out", PoseSettings(), quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        find_poses(corner[0], tmp_path / "mine", PoseSettings(), quiet)


def test_without_pycolmap_the_message_names_the_extra(corner, tmp_path, monkeypatch):
    monkeypatch.setattr(structure_from_motion, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match=r"defocus-recon\[sfm\]"):
        find_poses(corner[0], tmp_path / "out", PoseSettings(), quiet)


def test_a_worker_that_dies_is_told_with_its_last_words(corner, tmp_path, monkeypatch):
    monkeypatch.setitem(structure_from_motion.LENSES, "radial", "NO_SUCH_LENS")
    with pytest.raises(ResourceError, match="end of its own"):
        find_poses(corner[0], tmp_path / "out", PoseSettings(), quiet)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_command_leaves_no_files(corner, tmp_path):
    words = ("data", "poses", str(corner[0]), "--output", str(tmp_path / "out"))
    with subprocess.Popen(
        [sys.executable, "-m", "recon.cli", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while not (jobs := list(tmp_path.glob(".out.*/work/job.json"))):
            assert process.poll() is None
            time.sleep(0.02)
        work = jobs[0].parent
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 130, process.stderr.read()
    assert not work.exists()
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_to_do_next(corner, tmp_path):
    output = tmp_path / "with space"
    words = ("data", "poses", str(corner[0]), "--output", str(output))
    done = subprocess.run(
        [sys.executable, "-m", "recon.cli", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{VIEWS} of {VIEWS} photos have a pose" in done.stdout
    assert f"recon fit --data '{output}'" in done.stdout
    assert "key points of photos" in done.stderr


REGISTRATION = Registration(
    {"a": 900, "b": 800, "c": 700, "d": 600, "e": 500, "far": 400, "lone": 300, "dark": 4},
    (
        Pair("a", "b", 90, 70),
        Pair("b", "c", 60, 40),
        Pair("d", "e", 50, 30),
        Pair("e", "far", 30, 16),
        Pair("a", "lone", 12, 0),
        Pair("b", "lone", 0, 0),
    ),
    15,
    (Model("0", ("a", "b"), 50, 100, 0.5), Model("1", ("d", "e"), 20, 40, 0.5)),
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c", ("too few matches", "40 with b")),
        ("d", ("not connected", "1 photo", "apart")),
        ("far", ("not connected", "only e")),
        ("lone", ("too few matches", "12 with a", "15")),
        ("dark", ("only 4 key points",)),
        ("gone", ("cannot read it",)),
    ],
)
def test_each_reason_is_told_apart(name, words):
    why = REGISTRATION.why_not(name)
    assert all(word in why for word in words), why


def test_photos_of_a_video_are_matched_with_a_few_that_follow(corner, tmp_path):
    output = tmp_path / "out"
    outcome = find_poses(corner[0], output, PoseSettings(order="video"), quiet)
    steps = [int(p.b[0]) - int(p.a[0]) for p in outcome.registration.pairs]
    assert {abs(step) for step in steps} == {1, 2, 4}
    assert len(steps) == pairs(VIEWS, video=True) == 7 + 6 + 4
    assert pairs(VIEWS, video=False) == 28
    assert outcome.without == {}


def test_photos_share_a_camera_by_folder_and_size(tmp_path):
    grey = iter(range(6))
    for folder, width in (("left", 64), ("left", 80), ("right", 64)):
        (tmp_path / folder).mkdir(exist_ok=True)
        for i in range(2):
            photo = np.full((48, width, 3), next(grey), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{width}_{i}.png"), photo)
    headers, without = structure_from_motion.usable(tmp_path)
    assert without == {}
    shared = structure_from_motion.groups(headers, apart=False)
    assert sorted(map(sorted, shared)) == [
        ["left/64_0.png", "left/64_1.png"],
        ["left/80_0.png", "left/80_1.png"],
        ["right/64_0.png", "right/64_1.png"],
    ]
    assert len(structure_from_motion.groups(headers, apart=True)) == 6
