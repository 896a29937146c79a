"""Other programs: what they are shown, how they are called, and that their files are scored.

None of them can be had here. Stand-ins write what their sources say they write, in their layouts;
they show that our side of the talk holds together, not that the programs understand it.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from PIL import Image

from recon.backdrop import Plain
from recon.baselines.choose import choose_baseline
from recon.baselines.colmap_folder import write_colmap
from recon.baselines.gsplat_trainer import GsplatTrainer
from recon.baselines.interface import Job
from recon.baselines.opensplat import BEHIND, OpenSplat
from recon.baselines.splatfacto import Splatfacto
from recon.commands.baseline import RunBaseline, run_baseline
from recon.commands.capture import capture_of
from recon.config import FitSettings
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.errors import DataError, ResourceError, UsageError
from recon.gaussians import Gaussians
from recon.predictions import predict
from recon.raster.reference import ReferenceRasterizer
from recon.scene import Scene
from recon.scene_file import write_ply
from recon.types import Capture, Similarity

pytestmark = pytest.mark.usefixtures("one_thread")

RENDERER = ReferenceRasterizer()
OFF = 7
"""What the stand-ins' pictures are off by, of 255."""
SAY = """
import json, sys
from pathlib import Path
if sys.argv[1:2] != ["-c"]:
    Path("said.json").write_text(json.dumps(sys.argv))
"""


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    write_transforms(tmp_path / "data", make_scene())
    return capture_of(FitSettings(tmp_path / "data").resolved())


def program(path: Path, source: str) -> str:
    path.write_text(f"#!{sys.executable}\n{SAY}{source}")
    path.chmod(0o755)
    return str(path)


def said(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "said.json").read_text())
    return found


def gaussians(capture: Capture) -> Gaussians:
    ahead = [v.camera.position + 3 * v.camera.world_to_camera[2, :3] for v in capture.test]
    return Gaussians(
        means=torch.stack(ahead),
        quaternions=torch.tensor([[1.0, 0, 0, 0]]).repeat(2, 1),
        log_scales=torch.full((2, 3), math.log(0.6)),
        opacity_logits=torch.tensor([3.0, 1.0]),
        sh_base=torch.rand(2, 1, 3, generator=torch.Generator().manual_seed(0)),
        sh_rest=torch.zeros(2, 15, 3),
    )


def test_the_folder_holds_the_views_points_and_lists(tmp_path: Path, capture: Capture) -> None:
    """Our COLMAP reader, which was written for others' folders, reads the same from it."""
    names = write_colmap(tmp_path / "photos", capture, range(9))
    read = read_capture(tmp_path / "photos", ReadOptions(format="colmap"))
    assert [Path(view.name).stem for view in read.views] == list(names.values())
    offset = capture.views[0].camera.position - read.views[0].camera.position
    for ours, theirs in zip(capture.views, read.views, strict=True):
        assert torch.equal(ours.photo.pixels(), theirs.photo.pixels())
        for a in ("fx", "fy", "cx", "cy", "width", "height"):
            assert getattr(ours.camera, a) == getattr(theirs.camera, a)
        turn, again = ours.camera.world_to_camera[:3, :3], theirs.camera.world_to_camera[:3, :3]
        torch.testing.assert_close(turn, again, atol=1e-6, rtol=0)
        moved = theirs.camera.position + offset
        torch.testing.assert_close(ours.camera.position, moved, atol=1e-5, rtol=0)
    assert capture.points is not None
    assert read.points is not None
    placed = read.points.positions + offset
    torch.testing.assert_close(capture.points.positions, placed, atol=1e-5, rtol=0)
    assert torch.equal(capture.points.colors, read.points.colors)
    assert (tmp_path / "photos" / "test_list.txt").read_text() == "000000.png\n000008.png\n"
    assert len((tmp_path / "photos" / "train_list.txt").read_text().split()) == 7


def test_opensplat_sees_training_photos_only_and_its_scene_is_drawn(
    tmp_path: Path, capture: Capture
) -> None:
    ply = tmp_path / "some.ply"
    identity = Similarity.shift(torch.zeros(3))
    write_ply(ply, gaussians(capture), identity, metric=False)
    source = f"import shutil; shutil.copy({str(ply)!r}, sys.argv[sys.argv.index('-o') + 1])"
    binary = OpenSplat(program(tmp_path / "opensplat", source), RENDERER)
    assert binary.lacks() is None
    out = tmp_path / "out"
    summary = run_baseline(binary, Job(capture, out, 300, ("--cpu",)))
    words = said(out)
    assert words[1] == str(out / "photos")
    assert words[2:] == ["-n", "300", "-d", "1", "--keep-crs", "-o", str(out / "opensplat.ply"),
                         "--cpu"]  # fmt: skip
    photos = sorted(path.stem for path in (out / "photos" / "images").iterdir())
    assert photos == [f"{i:06d}" for i in range(1, 8)]
    scene = Scene(gaussians(capture), Plain(BEHIND, torch.device("cpu")))
    predict(scene, capture.test, RENDERER, tmp_path / "ours")
    for name in ("images_photo_00", "images_photo_08"):
        ours, theirs = (
            np.asarray(Image.open(folder / "predictions" / f"{name}.png"))
            for folder in (tmp_path / "ours", out)
        )
        np.testing.assert_array_equal(ours, theirs)
    assert summary["program"] == "OpenSplat"
    assert summary["views"] == 2
    assert (out / "log.txt").read_text().startswith("$ ")
    assert "OpenSplat, 300 steps" in (out / "report.html").read_text()


GSPLAT = """
import numpy as np
from PIL import Image
if sys.argv[1] == "-c":
    sys.exit(0)
word = lambda name: sys.argv[sys.argv.index(name) + 1]
photos = sorted(Path(word("--data_dir"), "images").iterdir())[:: int(word("--test_every"))]
renders = Path(word("--result_dir"), "renders")
renders.mkdir(parents=True)
for i, path in enumerate(photos):
    photo = np.asarray(Image.open(path)).astype(int)
    off = np.where(photo < 128, photo + 7, photo - 7)
    both = np.concatenate([photo, off], axis=1).astype(np.uint8)
    Image.fromarray(both).save(renders / f"val_step{int(word('--max_steps')) - 1}_{i:04d}.png")
"""


def test_gsplats_trainer_holds_out_what_we_do(tmp_path: Path, capture: Capture) -> None:
    trainer = tmp_path / "simple_trainer.py"
    trainer.touch()
    baseline = GsplatTrainer(program(tmp_path / "python", GSPLAT), trainer)
    assert baseline.lacks() is None
    summary = run_baseline(baseline, Job(capture, tmp_path / "out", 300))
    assert said(tmp_path / "out")[1:3] == [str(trainer), "default"]
    assert summary["psnr"] == pytest.approx(20 * math.log10(255 / OFF), abs=1e-6)
    assert summary["layout"] == "numbered by gsplat's trainer, step 299"
    assert "depth" not in summary
    listed = tmp_path / "test.txt"
    listed.write_text("images/photo_02.png\n")
    other = capture_of(FitSettings(capture.path, ReadOptions(test_list=listed)).resolved())
    with pytest.raises(DataError, match="every n-th photo only"):
        baseline.fit(Job(other, tmp_path / "other", 300))


NS_TRAIN = """
word = lambda name: sys.argv[sys.argv.index(name) + 1]
run = Path(word("--output-dir"), word("--experiment-name"), "splatfacto", word("--timestamp"))
run.mkdir(parents=True)
(run / "config.yml").write_text(word("--data"))
Path("trained.json").write_text(json.dumps(sys.argv))
"""
NS_RENDER = """
import gzip
import numpy as np
from PIL import Image
word = lambda name: sys.argv[sys.argv.index(name) + 1]
photos, out = Path(Path(word("--load-config")).read_text()), Path(word("--output-path"), "test")
for name in (photos / "test_list.txt").read_text().split():
    photo = np.asarray(Image.open(photos / "images" / name)).astype(int)
    (out / "rgb").mkdir(parents=True, exist_ok=True)
    (out / "raw-depth").mkdir(parents=True, exist_ok=True)
    off = np.where(photo < 128, photo + 7, photo - 7).astype(np.uint8)
    Image.fromarray(off).save(out / "rgb" / name)
    with gzip.open((out / "raw-depth" / name).with_suffix(".npy.gz"), "wb") as file:
        np.save(file, np.full((*photo.shape[:2], 1), 2.75, np.float32))
"""


def test_splatfacto_is_trained_and_rendered_with_depth(tmp_path: Path) -> None:
    scene = make_scene()
    write_transforms(tmp_path / "data", scene)
    content = json.loads((tmp_path / "data" / "transforms.json").read_text())
    Image.fromarray(np.full((30, 40), 2500, np.uint16)).save(tmp_path / "data" / "depth.png")
    for frame in content["frames"]:
        frame["depth_file_path"] = "depth.png"
    (tmp_path / "data" / "transforms.json").write_text(json.dumps(content))
    capture = capture_of(FitSettings(tmp_path / "data").resolved())
    program(tmp_path / "ns-render", NS_RENDER)
    baseline = Splatfacto(program(tmp_path / "ns-train", NS_TRAIN))
    assert baseline.lacks() is None
    out = tmp_path / "out"
    summary = run_baseline(baseline, Job(capture, out, 300, ("--machine.seed", "1")))
    words = json.loads((out / "trained.json").read_text())
    assert words[1] == "splatfacto"
    assert words.index("--machine.seed") < words.index("colmap")
    assert words[words.index("--max-num-iterations") + 1] == "300"
    assert summary["psnr"] == pytest.approx(20 * math.log10(255 / OFF), abs=1e-6)
    assert summary["depth"]["abs_rel"] == pytest.approx(0.1, abs=1e-6)


def test_what_keeps_a_program_from_running_is_said(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    lacking = choose_baseline("opensplat", nowhere, None, RENDERER).lacks()
    assert lacking == f"{nowhere} is not on PATH. Install OpenSplat, or say --command PATH."
    assert "--trainer" in (choose_baseline("gsplat", None, None, RENDERER).lacks() or "")
    trainer = tmp_path / "simple_trainer.py"
    assert "no such file" in (choose_baseline("gsplat", None, trainer, RENDERER).lacks() or "")
    trainer.touch()
    assert "not on PATH" in (choose_baseline("gsplat", nowhere, trainer, RENDERER).lacks() or "")
    without = program(tmp_path / "python", "sys.exit('AssertionError: no CUDA GPU')")
    assert "no CUDA GPU" in (choose_baseline("gsplat", without, trainer, RENDERER).lacks() or "")
    assert "not on PATH" in (choose_baseline("splatfacto", nowhere, None, RENDERER).lacks() or "")
    alone = choose_baseline("splatfacto", program(tmp_path / "ns-train", ""), None, RENDERER)
    assert "ns-render: not there" in (alone.lacks() or "")


def test_a_program_that_fails_is_quoted(tmp_path: Path, capture: Capture) -> None:
    fails = OpenSplat(program(tmp_path / "a", "sys.exit('no such camera model')"), RENDERER)
    with pytest.raises(ResourceError, match=r"ended with 1: no such camera model\. .*log\.txt"):
        run_baseline(fails, Job(capture, tmp_path / "out-a", 300))
    silent = OpenSplat(program(tmp_path / "b", ""), RENDERER)
    with pytest.raises(DataError, match=r"opensplat\.ply: OpenSplat ended well and did not"):
        run_baseline(silent, Job(capture, tmp_path / "out-b", 300))


def test_the_command_refuses_before_anything_is_written(tmp_path: Path, capture: Capture) -> None:
    good = RunBaseline("opensplat", capture.path, tmp_path / "out", command=str(tmp_path / "no"))
    with pytest.raises(ResourceError, match="OpenSplat cannot be run here: "):
        good()
    with pytest.raises(UsageError, match="--steps 0"):
        RunBaseline("opensplat", capture.path, tmp_path / "out", steps=0)()
    with pytest.raises(UsageError, match="is not empty"):
        RunBaseline("opensplat", capture.path, capture.path)()
    nothing = capture_of(FitSettings(capture.path, ReadOptions(hold_every=0)).resolved())
    with pytest.raises(DataError, match="no view is held out"):
        run_baseline(OpenSplat("opensplat", RENDERER), Job(nothing, tmp_path / "out", 1))
    assert not (tmp_path / "out").exists()
