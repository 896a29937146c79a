"""Pictures that other programs rendered: found by name, in their layouts, and scored like ours."""

import csv
import gzip
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from drives import make_drive
from photos import MemoryPhoto
from PIL import Image

from recon.backdrop import Plain
from recon.brought import brought
from recon.commands.capture import capture_of, fingerprint
from recon.commands.evaluate import Eval, describe, under
from recon.commands.evaluate_predictions import evaluate_predictions
from recon.config import FitSettings
from recon.datasets.source import DriveOptions, ReadOptions
from recon.datasets.waymo_write_v2 import write_v2
from recon.errors import DataError, UsageError
from recon.evaluate import score
from recon.gaussians import Gaussians
from recon.predictions import predict
from recon.protocols import load_protocol
from recon.raster.reference import ReferenceRasterizer
from recon.run import create
from recon.scene import Scene
from recon.types import Camera, View

pytestmark = pytest.mark.usefixtures("one_thread")

HELD = ["images/photo_00.png", "images/photo_08.png"]
"""Every eighth of the nine photos of `make_scene`."""
OFF = 7
"""What the predictions are off by, of 255, in every channel."""
DEPTH = 2.5


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A capture whose photos all have a depth of 2.5 units, in steps of a thousandth."""
    folder, scene = tmp_path / "data", make_scene()
    write_transforms(folder, scene)
    content = json.loads((folder / "transforms.json").read_text())
    (folder / "depth").mkdir()
    for frame, name in zip(content["frames"], scene.names, strict=True):
        Image.fromarray(np.full((30, 40), 1000 * DEPTH, np.uint16)).save(folder / "depth" / name)
        frame["depth_file_path"] = f"depth/{name}"
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


def shifted(name: str) -> np.ndarray:
    """A photo that is off by the same at each pixel, so that its PSNR is known."""
    photo = make_scene().photos[int(Path(name).stem[-2:])].astype(int)
    return np.where(photo < 128, photo + OFF, photo - OFF).astype(np.uint8)


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def forward(view: View) -> torch.Tensor:
    return view.camera.world_to_camera[2, :3]


def evaluate(predictions: Path, data: Path, **read: object) -> dict:
    return evaluate_predictions(predictions, data, ReadOptions(**read), None, None)


PSNR = 20 * math.log10(255 / OFF)


@pytest.mark.parametrize(
    "place",
    ["{stem}.png", "images/{stem}.png", "images_{stem}.png", "images/{stem}.png.png",
     "predictions/images_{stem}.png", "color/images/{stem}.png", "test/rgb/{stem}.png",
     "renders/{stem}.png"],
)  # fmt: skip
def test_pictures_are_found_by_the_names_of_the_photos(
    tmp_path: Path, data: Path, place: str
) -> None:
    folder = tmp_path / "theirs"
    for name in HELD:
        save(folder / place.format(stem=Path(name).stem), shifted(name))
    summary = evaluate(folder, data)
    assert summary["psnr"] == pytest.approx(PSNR, abs=1e-6)
    assert summary["views"] == 2
    assert summary["protocol"].startswith("full@1, ")
    assert "depth" not in summary
    scores = tmp_path / "theirs-scores"
    rows = list(csv.DictReader((scores / "views.csv").open()))
    assert [row["view"] for row in rows] == HELD
    assert (scores / rows[0]["prediction"]).resolve().is_relative_to(folder)
    assert "theirs: PSNR 31." in (scores / "report.html").read_text()
    assert describe(summary).startswith("[full@1] 2 held-out views")


@pytest.mark.parametrize("kind", [".npy", ".npy.gz"])
def test_depth_is_scored_where_it_was_predicted(tmp_path: Path, data: Path, kind: str) -> None:
    """A tenth too deep, in half of the picture; elsewhere, no way of saying nothing counts."""
    folder = tmp_path / "theirs"
    colors, depths = ("rgb", "raw-depth") if kind == ".npy.gz" else (".", "depth")
    for name in HELD:
        save(folder / colors / f"{Path(name).stem}.png", shifted(name))
        z = np.full((30, 40, 1), 1.1 * DEPTH)
        z[:, 20:], z[:5, 20:], z[5:9, 20:] = 0, np.nan, np.inf
        path = folder / depths / f"{Path(name).stem}{kind}"
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wb") if kind == ".npy.gz" else path.open("wb") as file:
            np.save(file, z)
    depth = evaluate(folder, data)["depth"]
    assert depth["abs_rel"] == pytest.approx(0.1, abs=1e-6)
    assert depth["coverage"] == 0.5
    assert depth["median"] == "not computed"
    assert depth["truth"] == "files"
    page = (tmp_path / "theirs-scores" / "report.html").read_text()
    assert "depth AbsRel 0.100" in page


def test_what_gsplats_trainer_writes_is_cut_and_counted(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "results"
    for step, off in ((6999, 90), (29999, 0)):
        for i, name in enumerate(HELD):
            photo = make_scene().photos[int(Path(name).stem[-2:])]
            both = np.concatenate([photo, shifted(name) ^ off], axis=1)
            save(folder / "renders" / f"val_step{step}_{i:04d}.png", both)
    summary = evaluate(folder, data)
    assert summary["psnr"] == pytest.approx(PSNR, abs=1e-6)
    assert summary["layout"] == "numbered by gsplat's trainer, step 29999"
    with pytest.raises(DataError, match="2 views at step 29999, and 3 are held out"):
        evaluate(folder, data, hold_every=4)
    listed = tmp_path / "test.txt"
    listed.write_text("images/photo_00.png\nimages/photo_07.png\n")
    with pytest.raises(DataError, match=r"0001\.png: its left half is not the photo images.*_07"):
        evaluate(folder, data, test_list=listed)
    assert not (tmp_path / "results-scores" / "summary.json").exists()


def test_what_recon_wrote_scores_the_same_elsewhere(tmp_path: Path, data: Path) -> None:
    """Renders and both their depths, as `predict` leaves them."""
    capture = capture_of(FitSettings(data).resolved(), start_points=False)
    cloud = Gaussians(
        means=torch.stack([v.camera.position + 3 * forward(v) for v in capture.test]),
        quaternions=torch.tensor([[1.0, 0, 0, 0]]).repeat(2, 1),
        log_scales=torch.full((2, 3), math.log(0.6)),
        opacity_logits=torch.tensor([3.0, 1.0]),
        sh_base=torch.rand(2, 1, 3, generator=torch.Generator().manual_seed(0)),
        sh_rest=torch.zeros(2, 15, 3),
    )
    scene = Scene(cloud, Plain((0.2, 0.3, 0.4), torch.device("cpu")))
    predict(scene, capture.test, ReferenceRasterizer(), tmp_path / "ours")
    ours = score(tmp_path / "ours", capture.test, protocol="full@1, x", metric=False)
    summary = evaluate(tmp_path / "ours", data)
    mine = ours.summary()
    assert mine["depth"]["coverage"] > 0.1
    for part in ("psnr", "ssim", "ssim_skimage7", "depth", "intervals", "regions"):
        assert summary[part] == mine[part]


def test_what_is_missing_or_unclear_is_said(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "theirs"
    with pytest.raises(DataError, match="no such folder"):
        evaluate(folder, data)
    save(folder / "photo_00.png", shifted(HELD[0]))
    with pytest.raises(DataError, match=r"no picture of 1 of 2 .*_08\.png; expected .*Render all"):
        evaluate(folder, data)
    save(folder / "photo_08.png", shifted(HELD[1]))
    evaluate(folder, data)
    assert (tmp_path / "theirs-scores" / "summary.json").exists()
    save(folder / "photo_08.jpg", shifted(HELD[1]))
    with pytest.raises(DataError, match=r"photo_08\.png lies beside it"):
        evaluate(folder, data)
    assert not (tmp_path / "theirs-scores" / "summary.json").exists()
    (folder / "photo_08.jpg").unlink()
    save(folder / "photo_08.png", shifted(HELD[1])[:, :-1])
    with pytest.raises(DataError, match=r"photo_08\.png: holds 39x30 pixels; expected 40x30"):
        evaluate(folder, data)
    (folder / "photo_08.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"photo_08\.png: holds no picture; expected 40x30"):
        evaluate(folder, data)
    with pytest.raises(DataError, match="no view is held out"):
        evaluate(folder, data, hold_every=0)


def test_depth_is_all_or_nothing_and_says_when_it_is_not_read(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "theirs"
    for name in HELD:
        save(folder / f"{Path(name).stem}.png", shifted(name))
        save(folder / "depth" / f"{Path(name).stem}.png", shifted(name))
    assert "depth: no depth is scored" in evaluate(folder, data)["notes"][0]
    assert "no depth is scored" in capsys.readouterr().err
    np.save(folder / "depth" / "photo_00.npy", np.ones((30, 40), np.float32))
    with pytest.raises(DataError, match=r"no depth of 1 of 2 .*photo_08\.npy"):
        evaluate(folder, data)
    for wrong in (np.ones((40, 30), np.float32), np.ones((30, 40), int)):
        np.save(folder / "depth" / "photo_08.npy", wrong)
        with pytest.raises(
            DataError, match=r"photo_08\.npy: holds .*; expected one array of 40x30"
        ):
            evaluate(folder, data)
    (folder / "depth" / "photo_08.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"photo_08\.npy: cannot be read"):
        evaluate(folder, data)


def test_ends_of_paths_count_only_where_they_tell_views_apart(tmp_path: Path) -> None:
    pose = Camera(torch.eye(4), 30.0, 30.0, 20.0, 15.0, 40, 30)
    photo = MemoryPhoto(torch.zeros(30, 40, 3, dtype=torch.uint8))
    views = [View(name, pose, photo) for name in ("a/x.0.jpg", "a/x.1.jpg", "b/x.1.jpg")]
    for name in ("x.0", "x.1", "b/x.1"):
        save(tmp_path / f"{name}.png", np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(DataError, match=r"no picture of 1 of 3 .* a/x\.1\.jpg"):
        brought(tmp_path, views)
    save(tmp_path / "a_x.1.JPG", np.zeros((30, 40, 3), np.uint8))
    found = {name: files.color for name, files in brought(tmp_path, views).files.items()}
    assert found == {
        "a/x.0.jpg": tmp_path / "x.0.png",
        "a/x.1.jpg": tmp_path / "a_x.1.JPG",
        "b/x.1.jpg": tmp_path / "b/x.1.png",
    }


def test_a_run_or_predictions_but_not_both(tmp_path: Path, data: Path) -> None:
    for wrong, words in (
        (Eval(), "nothing to score"),
        (Eval(predictions=tmp_path), "--data"),
        (Eval(tmp_path, predictions=tmp_path, data=data), "one of the two"),
        (Eval(tmp_path, read=ReadOptions(hold_every=3)), "flags of reading"),
        (Eval(tmp_path, output=tmp_path), "--output"),
        (Eval(predictions=tmp_path, data=data, protocol="full"), "there is none of this name"),
    ):
        with pytest.raises(UsageError, match=words):
            wrong()


@pytest.mark.parametrize("every", [8, 4])
def test_a_run_fitted_by_hand_is_scored_under_a_protocol_that_says_the_same(
    tmp_path: Path, every: int
) -> None:
    write_v2(tmp_path / "drive", make_drive(steps=9))
    name = "waymo-front/seed8@1"
    protocol = load_protocol(name)
    read = ReadOptions(
        size=(protocol.photos.width, protocol.photos.height), hold_every=every, hold_by="name",
        drive=DriveOptions(cameras=("FRONT",), moving=protocol.photos.moving),
    )  # fmt: skip
    settings = FitSettings(tmp_path / "drive", read).resolved()
    about = {"data_fingerprint": fingerprint(capture_of(settings, start_points=False))}
    run = create(tmp_path / "run", settings, about)
    assert under("full@1", run, settings) == under(None, run, settings) == settings
    if every == 8:
        assert under(name, run, settings).protocol == name
    else:
        with pytest.raises(UsageError, match=f"--hold-every 4 and --protocol {name}"):
            under(name, run, settings)
    other = replace(read, drive=replace(read.drive, cameras=("FRONT", "SIDE_LEFT")))
    with pytest.raises(UsageError, match="protocol"):
        under(name, run, replace(settings, read=other))
