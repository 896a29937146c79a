"""The command as its user meets it: in a process of its own, by its exit code and its words."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recon.core import HAS_CORE
from recon.scene_file import read_ply

SMALL = ("--steps", "60", "--max-gaussians", "400", "--checkpoint-every", "20")


def recon(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "recon.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment},
        timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine 48x32 photos of a painted wall 4 units away, by a camera that moves sideways."""
    folder = tmp_path_factory.mktemp("capture") / "wall"
    (folder / "images").mkdir(parents=True)
    wall = np.random.default_rng(0).integers(0, 256, (16, 40, 3), dtype=np.uint8)
    wide = Image.fromarray(wall).resize((160, 64), Image.Resampling.BICUBIC)
    frames = []
    for i in range(9):
        wide.crop((20 + 5 * i, 8, 68 + 5 * i, 40)).save(folder / "images" / f"{i:02d}.png")
        pose = np.eye(4)
        pose[:3, :3] = np.diag([1, -1, -1])
        pose[0, 3] = 5 * i / 40 * 4
        frames.append({"file_path": f"images/{i:02d}.png", "transform_matrix": pose.tolist()})
    content = {"fl_x": 40, "fl_y": 40, "cx": 24, "cy": 16, "w": 48, "h": 32, "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def fitted(scene: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "wall"
    done = recon("fit", "--data", scene, "--output", run, "--json", *SMALL)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["views"] == 2
    return run


def test_a_fit_leaves_everything_it_promises(fitted: Path) -> None:
    assert len(read_ply(fitted / "scene.ply")) <= 400
    assert json.loads((fitted / "config.json").read_text())["steps"] == 60
    environment = json.loads((fitted / "environment.json").read_text())
    assert environment["versions"]["torch"]
    steps = [json.loads(x)["step"] for x in (fitted / "metrics.jsonl").read_text().splitlines()]
    assert steps == [20, 40, 60]
    assert sorted(p.name for p in (fitted / "checkpoints").iterdir()) == [
        "step_0000040",
        "step_0000060",
    ]


def test_eval_prints_one_json_object(fitted: Path) -> None:
    done = recon("eval", fitted, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert {"psnr", "ssim", "gaussians", "seconds", "peak_memory_bytes", "views"} <= set(summary)
    assert 5 < summary["psnr"] < 60
    assert summary["peak_memory_bytes"] > 50e6


def test_inspect_prints_one_json_object(scene: Path) -> None:
    done = recon("inspect", scene, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["format"], found["views"], found["warnings"]) == ("transforms", 9, [])


def test_render_and_export_write_what_they_name(fitted: Path, tmp_path: Path) -> None:
    done = recon("render", fitted, "--output", tmp_path / "r", "--lens.strength", "6")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "r" / "color").glob("*.png"))) == 2
    assert len(list((tmp_path / "r" / "depth").glob("*.png"))) == 2
    kinds = (("splat", "a.splat"), ("compressed-ply", "a.ply"), ("points", "b.ply"))
    for kind, name in kinds:
        done = recon("export", fitted, "--to", kind, "--output", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.skipif(not HAS_CORE, reason="bit-exactness over threads is the native core's")
def test_threads_do_not_change_a_byte(scene: Path, fitted: Path, tmp_path: Path) -> None:
    for threads in ("1", "2", "3"):
        run = tmp_path / threads
        done = recon("fit", "--data", scene, "--output", run, *SMALL, OMP_NUM_THREADS=threads)
        assert done.returncode == 0, done.stderr
        assert (run / "scene.ply").read_bytes() == (fitted / "scene.ply").read_bytes()


def test_photos_that_do_not_fit_into_memory_do_not_change_a_byte(
    scene: Path, fitted: Path, tmp_path: Path
) -> None:
    done = recon(
        "fit", "--data", scene, "--output", tmp_path / "run", *SMALL, "--memory.photos", "1e-5"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "scene.ply").read_bytes() == (fitted / "scene.ply").read_bytes()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_fit_resumes_to_the_same_bytes(
    scene: Path, fitted: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "recon.cli", "fit", "--data", scene, "--output", run, *SMALL]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(run.glob("checkpoints/step_*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(kind)
    _, words = process.communicate(timeout=120)
    if kind == signal.SIGINT and process.returncode != 0:
        assert process.returncode == 130
        assert "recon resume" in words
    done = recon("resume", run)
    assert done.returncode == 0, done.stderr
    assert (run / "scene.ply").read_bytes() == (fitted / "scene.ply").read_bytes()
    steps = [json.loads(x)["step"] for x in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == [20, 40, 60]


def test_changed_data_is_not_resumed(scene: Path, fitted: Path, tmp_path: Path) -> None:
    run, data = tmp_path / "run", tmp_path / "wall"
    shutil.copytree(fitted, run)
    shutil.copytree(scene, data)
    content = json.loads((data / "transforms.json").read_text())
    content["fl_x"] = 41
    (data / "transforms.json").write_text(json.dumps(content))
    settings = (run / "config.json").read_text().replace(str(scene), str(data))
    (run / "config.json").write_text(settings)
    done = recon("resume", run)
    assert done.returncode == 3
    assert str(data) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("fit", "--data", "{tmp}/nowhere"), 3, "nowhere"),
        (("fit", "--data", "{tmp}"), 3, "empty"),
        (("fit", "--data", "{scene}", "--stepz", "3"), 2, "--steps"),
        (("fit", "--data", "{scene}", "--preset", "huge"), 2, "quick"),
        (("fit", "--data", "{scene}", "--output", "{run}"), 2, "recon resume"),
        (("fit", "--data", "{scene}", "--output", "/proc/recon"), 4, "--output"),
        (("fit", "--data", "{scene}", "--backend", "gsplat"), 4, "NVIDIA"),
        (("fit", "--data", "{scene}", "--steps", "-3"), 2, "steps"),
        (("fit", "--data", "{scene}", "--downscale", "0"), 2, "downscale"),
        (("eval", "{scene}"), 3, "config.json"),
        (("resume", "{tmp}"), 3, "config.json"),
        (("flt",), 2, "fit"),
    ],
)
def test_wrong_input_is_told_by_exit_code_and_words(
    scene: Path, fitted: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    filled = [a.format(scene=scene, run=fitted, tmp=tmp_path) for a in arguments]
    done = recon(*filled)
    assert done.returncode == code, done.stderr
    assert said in re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert "Traceback" not in done.stderr


def test_a_loss_that_is_not_finite_stops_the_fit(scene: Path, tmp_path: Path) -> None:
    done = recon(
        "fit", "--data", scene, "--output", tmp_path / "run", *SMALL,
        "--supervision.photometric.weight", "1e30", "--learning-rates.log-scales", "1e30",
    )  # fmt: skip
    assert done.returncode == 5
    assert "step" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "fit",
        "resume",
        "eval",
        "baseline",
        "render",
        "export",
        "inspect",
        "data",
        "bokeh",
        "train",
        "doctor",
    ],
)
def test_help_of_every_command(command: str) -> None:
    done = recon(command, "--help")
    assert done.returncode == 0
    assert "│" in done.stdout


def test_a_full_disk_ends_the_fit_and_keeps_the_checkpoint(scene: Path, tmp_path: Path) -> None:
    """A file size limit stands in for a full disk: the write fails the same way, by its number."""
    run = tmp_path / "run"
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000));"
        "sys.argv = ['recon', *sys.argv[1:]]; from recon.cli import main; main()"
    )
    arguments = ["fit", "--data", scene, "--output", run, "--steps", "60", "--checkpoint-every",
                 "20", "--max-gaussians", "2000", "--start", "random"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "could not be written" in done.stderr
    assert not (run / "scene.ply").exists()
    assert not list(run.rglob("*.tmp"))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_fit_that_runs_out_of_memory_says_what_to_lower(scene: Path, tmp_path: Path) -> None:
    program = (
        "import resource, sys; import recon.commands.choice;"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, now + 2**30));"
        "sys.argv = ['recon', *sys.argv[1:]]; from recon.cli import main; main()"
    )
    arguments = [
        "fit",
        "--data",
        scene,
        "--output",
        tmp_path / "run",
        "--max-gaussians",
        10**8,
        "--memory.regardless",
        "--start",
        "random",
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "--max-gaussians" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_and_an_output_that_cannot_be_written() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", recon("--version").stdout.strip())
    if not Path("/dev/full").exists():
        pytest.skip("no device here that is always full")
    command = [sys.executable, "-m", "recon.cli", "data", "formats"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
