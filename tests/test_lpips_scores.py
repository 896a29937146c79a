"""LPIPS in evaluations: by the weights that were given, and never a number without them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from lpips_trunk import trunk
from PIL import Image
from safetensors.torch import save_file

from recon.commands.evaluate import describe, lpips_of
from recon.commands.evaluate_predictions import evaluate_predictions
from recon.datasets.source import ReadOptions
from recon.errors import DataError
from recon.lpips import WEIGHTS, Lpips

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 48, 36


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECON_WEIGHTS", raising=False)


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return Lpips(trunk(), "lpips[random]")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photos of which the left half must not be used."""
    scene = make_scene()
    noise = np.random.default_rng(1).integers(0, 256, (9, HEIGHT, WIDTH, 3), np.uint8)
    folder = tmp_path / "data"
    write_transforms(folder, scene, w=WIDTH, h=HEIGHT)
    content = json.loads((folder / "transforms.json").read_text())
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, WIDTH // 2 :] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    for frame, photo in zip(content["frames"], noise, strict=True):
        Image.fromarray(photo).save(folder / frame["file_path"])
        frame["mask_path"] = "mask.png"
    (folder / "transforms.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    noise = np.random.default_rng(2).integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
    for picture, name in zip(noise, ("photo_00", "photo_08"), strict=True):
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def distances(data: Path, theirs: Path, lpips: Lpips) -> list[float]:
    """What the masked half shows must not matter, so the photo stands there."""
    found = []
    for name in ("photo_00.png", "photo_08.png"):
        photo = np.asarray(Image.open(data / "images" / name)) / np.float32(255)
        predicted = np.asarray(Image.open(theirs / name)) / np.float32(255)
        predicted[:, : WIDTH // 2] = photo[:, : WIDTH // 2]
        found.append(lpips(torch.from_numpy(predicted), torch.from_numpy(photo)))
    return found


def test_it_is_told_by_view_in_the_mean_and_by_what(
    data: Path, theirs: Path, lpips: Lpips, tmp_path: Path
) -> None:
    expected = distances(data, theirs, lpips)
    assert expected[0] != pytest.approx(expected[1], rel=1e-3)
    summary = evaluate_predictions(theirs, data, ReadOptions(), lpips=lpips)
    assert summary["lpips"] == pytest.approx(np.mean(expected), rel=1e-4)
    assert summary["lpips_weights"] == "lpips[random]"
    low, high = summary["intervals"]["lpips"]
    assert min(expected) - 1e-6 <= low < high <= max(expected) + 1e-6
    scores = tmp_path / "theirs-scores"
    rows = list(csv.DictReader((scores / "views.csv").open()))
    assert [float(row["lpips"]) for row in rows] == pytest.approx(expected, rel=1e-4)
    assert json.loads((scores / "summary.json").read_text())["lpips"] == summary["lpips"]
    assert f"LPIPS {summary['lpips']:.3f} [" in describe(summary)
    page = (scores / "report.html").read_text()
    assert f"<dt>LPIPS</dt><dd>{summary['lpips']:.4f}, lpips[random]</dd>" in page
    assert "<th><button>LPIPS</button></th>" in page


def test_without_weights_there_is_no_number(data: Path, theirs: Path, tmp_path: Path) -> None:
    assert lpips_of(None) is None
    summary = evaluate_predictions(theirs, data, ReadOptions(), lpips=None)
    assert summary["lpips"] == summary["intervals"]["lpips"] == "not computed"
    assert "lpips_weights" not in summary
    assert "LPIPS" not in describe(summary)
    page = (tmp_path / "theirs-scores" / "report.html").read_text()
    assert "<dt>LPIPS</dt><dd>not computed</dd>" in page
    assert "<th><button>LPIPS</button></th>" not in page


def test_small_photos_are_refused(data: Path, theirs: Path, lpips: Lpips) -> None:
    for path in theirs.iterdir():
        Image.open(path).resize((32, 24)).save(path)
    with pytest.raises(DataError, match=r"photo_00\.png: 32x24, and LPIPS needs 32 px"):
        evaluate_predictions(theirs, data, ReadOptions(downscale=1.5), lpips=lpips)


def test_weights_are_those_given_or_those_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(trunk(), tmp_path / "some.safetensors")
    assert lpips_of(tmp_path / "some.safetensors") is not None
    with pytest.raises(DataError, match=r"gone\.pth"):
        lpips_of(tmp_path / "gone.pth")
    torch.save(trunk(), tmp_path / WEIGHTS.file)
    monkeypatch.setenv("RECON_WEIGHTS", str(tmp_path))
    assert lpips_of(None) is not None
