"""`recon compare` as its user meets it: in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from captures import write_transforms
from PIL import Image
from planes import wall_scene

FLAGS = ("--arms", "plain,steps2x", "--seeds", "2", "--steps", "40", "--max-gaussians", "300")


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recon.cli", "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine 48x32 photos of a painted wall 4 units away, by a camera that moves sideways."""
    folder = tmp_path_factory.mktemp("capture") / "wall"
    (folder / "images").mkdir(parents=True)
    paint = np.random.default_rng(0).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    wide = Image.fromarray(paint).resize((160, 64), Image.Resampling.BICUBIC)
    frames = []
    for i in range(9):
        wide.crop((20 + 5 * i, 8, 68 + 5 * i, 40)).save(folder / "images" / f"{i:02d}.png")
        pose = np.diag([1.0, -1, -1, 1])
        pose[0, 3] = 5 * i / 40 * 4
        frames.append({"file_path": f"images/{i:02d}.png", "transform_matrix": pose.tolist()})
    content = {"fl_x": 40, "fl_y": 40, "cx": 24, "cy": 16, "w": 48, "h": 32, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def compared(wall: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("comparisons") / "first"
    done = compare("--data", wall, "--output", output, "--json", *FLAGS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((output / "compare.json").read_text())
    return output


def numbers(output: Path) -> dict[str, list[tuple[float, float]]]:
    arms = json.loads((output / "compare.json").read_text())["equal_steps"]["arms"]
    return {name: [(r["psnr"], r["ssim"]) for r in arm["runs"]] for name, arm in arms.items()}


def test_every_arm_is_fitted_with_every_seed_and_judged(compared: Path) -> None:
    found = json.loads((compared / "compare.json").read_text())["equal_steps"]
    assert {name: len(arm["runs"]) for name, arm in found["arms"].items()} == {
        "plain": 2,
        "steps2x": 2,
    }
    assert [run["steps"] for run in found["arms"]["steps2x"]["runs"]] == [80, 80]
    assert {v["measure"] for v in found["verdicts"]} == {"psnr", "ssim"}


def test_the_same_comparison_again_gives_the_same_numbers(
    compared: Path, wall: Path, tmp_path: Path
) -> None:
    """Here with half of it taken over from an earlier start."""
    output = tmp_path / "again"
    shutil.copytree(compared, output)
    shutil.rmtree(output / "equal-steps" / "steps2x")
    shutil.rmtree(output / "equal-steps" / "plain" / "seed_1" / "eval")
    kept = (output / "equal-steps" / "plain" / "seed_0" / "scene.ply").stat().st_mtime_ns
    done = compare("--data", wall, "--output", output, "--quiet", *FLAGS)
    assert done.returncode == 0, done.stderr
    assert numbers(output) == numbers(compared)
    assert (output / "equal-steps/plain/seed_0/scene.ply").stat().st_mtime_ns == kept


def test_other_settings_are_not_mixed_in(compared: Path, wall: Path) -> None:
    done = compare("--data", wall, "--output", compared, "--sh-degree", "1", *FLAGS)
    assert done.returncode == 2
    assert "other settings" in done.stderr


def test_an_arm_without_its_evidence_is_refused_before_anything_runs(
    wall: Path, tmp_path: Path
) -> None:
    done = compare("--data", wall, "--output", tmp_path / "x", "--arms", "plain,lidar")
    assert done.returncode == 3
    assert "LiDAR" in done.stderr
    assert not (tmp_path / "x").exists()


def test_an_arm_may_begin_with_other_points(tmp_path: Path) -> None:
    write_transforms(tmp_path / "wall", wall_scene(5, 160, 120))
    flags = ("--seeds", "1", "--steps", "5", "--max-gaussians", "4000", "--hold-every", "5")
    done = compare(
        "--data", tmp_path / "wall", "--output", tmp_path / "out", "--arms", "plain,dense", *flags
    )
    assert done.returncode == 0, done.stderr
    assert "beginning from dense depth helps" in done.stdout
    arms = json.loads((tmp_path / "out" / "compare.json").read_text())["equal_steps"]["arms"]
    few, many = (arms[name]["runs"][0]["gaussians"] for name in ("plain", "dense"))
    assert few + 1_000 < many <= 4_000
