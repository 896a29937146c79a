"""Predictions come first and scores from the files; scikit-image and numpy check them."""

import csv
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import MemoryPhoto
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from recon.backdrop import Plain
from recon.commands.evaluate import describe
from recon.errors import DataError
from recon.evaluate import Evaluation, score
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.predictions import predict, prediction_files
from recon.raster.reference import ReferenceRasterizer
from recon.scene import Scene
from recon.types import Camera, DepthKind, DepthMap, Photo, View

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 40, 30
RENDERER = ReferenceRasterizer()
GREY = (0.2, 0.3, 0.4)


def scene(count: int = 60, seed: int = 0) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    means = torch.rand(count, 3, generator=g) * torch.tensor([4.0, 3.0, 4.0])
    return Gaussians(
        means=means + torch.tensor([-2.0, -1.5, 3.0]),
        quaternions=torch.randn(count, 4, generator=g),
        log_scales=torch.full((count, 3), math.log(0.4)),
        opacity_logits=torch.rand(count, generator=g) * 3,
        sh_base=(torch.rand(count, 1, 3, generator=g) - 0.5) / HARMONIC_BAND_0,
        sh_rest=torch.zeros(count, 15, 3),
    )


def camera(x: float) -> Camera:
    pose = torch.eye(4)
    pose[0, 3] = x
    return Camera(pose, 35.0, 35.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def photo(seed: int, **more: object) -> MemoryPhoto:
    noise = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return MemoryPhoto(torch.from_numpy(noise), **more)


def views(*photos: Photo) -> list[View]:
    return [View(f"left/{i}.jpg", camera(0.1 * i), p) for i, p in enumerate(photos)]


def predicted(folder: Path, held: list[View]) -> None:
    grey = Plain(GREY, torch.device("cpu"))
    predict(Scene(scene(), grey), held, RENDERER, folder)


def scored(folder: Path, held: list[View], *, metric: bool = True) -> Evaluation:
    return score(folder, held, protocol="hold8/full@1", metric=metric, facts={"gaussians": 60})


def test_predictions_are_the_rendered_pixels(tmp_path):
    held = views(photo(0), photo(1))
    predicted(tmp_path, held)
    for view in held:
        with torch.no_grad():
            render = RENDERER.render(
                scene(), view.camera, background=torch.tensor(GREY), median=True
            )
        stem = view.name.replace("/", "_").removesuffix(".jpg")
        color = np.asarray(Image.open(tmp_path / "predictions" / f"{stem}.png"))
        assert np.abs(color / 255 - render.color.clamp(0, 1).numpy()).max() <= 0.5 / 255 + 1e-6
        depth = np.load(tmp_path / "depth" / f"{stem}.npz")
        np.testing.assert_array_equal(depth["expected"], render.expected_depth)
        np.testing.assert_array_equal(depth["median"], render.median_depth)
        np.testing.assert_array_equal(depth["alpha"], render.alpha)


def test_image_scores_are_those_of_scikit_image(tmp_path):
    held = views(photo(0), photo(1), photo(2))
    predicted(tmp_path, held)
    evaluation = scored(tmp_path, held)
    pairs = [
        (np.asarray(Image.open(path)), view.photo.pixels().numpy())
        for view in held
        for path in [prediction_files(tmp_path, held)[view.name].color]
    ]
    psnrs = [peak_signal_noise_ratio(b, a, data_range=255) for a, b in pairs]
    assert evaluation.image.psnr == pytest.approx(np.mean(psnrs), abs=1e-4)
    ssims = [
        structural_similarity(
            a,
            b,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in pairs
    ]
    assert evaluation.image.ssim == pytest.approx(np.mean(ssims), abs=1e-4)


def test_only_valid_pixels_count(tmp_path):
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[5:25, 10:30] = True
    clean = photo(0).pixels()
    spoilt = MemoryPhoto(torch.where(mask[..., None], clean, 255 - clean), mask)
    predicted(tmp_path, views(photo(0)))
    (row,) = scored(tmp_path, views(spoilt)).views
    color = np.asarray(Image.open(tmp_path / row.prediction)).astype(float)
    error = (color - photo(0).pixels().numpy())[mask.numpy()]
    assert row.image.psnr == pytest.approx(10 * math.log10(255**2 / (error**2).mean()), abs=1e-4)
    assert row.image.pixels == 400


def drawn(view: View) -> dict[str, Tensor]:
    with torch.no_grad():
        render = RENDERER.render(scene(), view.camera, median=True)
    return {
        "expected": render.expected_depth,
        "median": render.median_depth,
        "alpha": render.alpha,
    }


def measured(held: list[View], factor: float, *, kind: DepthKind = DepthKind.METRIC) -> list[View]:
    """Give each view a depth that is the rendered one over a factor, in the left half."""
    found = []
    for i, view in enumerate(held):
        z = drawn(view)["expected"] / factor
        valid = (torch.arange(WIDTH) < WIDTH // 2).expand(HEIGHT, WIDTH) & (z > 0)
        truth = DepthMap(torch.where(valid, z, 0), valid, kind)
        found.append(View(view.name, view.camera, photo(i, depth=truth)))
    return found


def test_depth_that_is_a_tenth_too_large(tmp_path):
    held = measured(views(photo(0), photo(1)), 1.1)
    predicted(tmp_path, held)
    depth = scored(tmp_path, held).depth
    expected, median = depth.expected.overall, depth.median.overall
    truths = [view.photo.depth() for view in held]
    covered = [drawn(v)["alpha"][t.valid] >= 0.5 for v, t in zip(held, truths, strict=True)]
    shares = [float(c.float().mean()) for c in covered]
    assert expected.known == median.known == sum(int(t.valid.sum()) for t in truths)
    assert expected.coverage == median.coverage == pytest.approx(np.mean(shares))
    assert 0.2 < expected.coverage < 1
    assert expected.abs_rel == pytest.approx(0.1, abs=1e-5)
    rmses = [
        0.1 * float((t.z[t.valid][c] ** 2).mean().sqrt())
        for t, c in zip(truths, covered, strict=True)
    ]
    assert expected.rmse == pytest.approx(np.mean(rmses), rel=1e-4)
    assert expected.delta1 == 1
    medians = [
        drawn(v)["median"][t.valid][c] / t.z[t.valid][c]
        for v, t, c in zip(held, truths, covered, strict=True)
    ]
    off = [float((ratio - 1).abs().mean()) for ratio in medians]
    assert median.abs_rel == pytest.approx(np.mean(off), rel=1e-4)


def test_depth_is_scored_by_range_where_lengths_are_metres(tmp_path):
    held = measured(views(photo(0), photo(1)), 0.2)
    predicted(tmp_path, held)
    depth = scored(tmp_path, held).summary()["depth"]
    truth = torch.cat([v.photo.depth().z[v.photo.depth().valid] for v in held]).numpy()
    counts = np.histogram(truth, [0, 10, 20, 40, 80])[0].tolist()
    assert [part["expected"]["known"] for part in depth["ranges"]] == counts
    assert counts[1] > 0
    assert counts[2] > 0
    assert depth["ranges"][3] == {"near": 40, "far": 80} | {
        kind: depth["ranges"][3][kind] for kind in ("expected", "median")
    }
    assert depth["ranges"][3]["expected"]["rmse"] is None
    assert "ranges" not in scored(tmp_path, held, metric=False).summary()["depth"]


def test_scores_against_matched_depth_say_so(tmp_path):
    held = measured(views(photo(0), photo(1)), 1.1)
    truth = held[1].photo.depth()
    matched = photo(1, depth=replace(truth, measured=False))
    said = {}
    for name, truths in (
        ("files", held),
        ("files and stereo matching", [held[0], replace(held[1], photo=matched)]),
    ):
        predicted(tmp_path / name, truths)
        summary = scored(tmp_path / name, truths).summary()
        assert summary["depth"]["truth"] == name
        said[name] = next(line for line in describe(summary).splitlines() if "AbsRel" in line)
    for name, words in said.items():
        assert words.endswith(f"truth: {name}")


def test_depth_known_up_to_a_factor_is_not_scored_against(tmp_path):
    held = measured(views(photo(0)), 2.0, kind=DepthKind.SCALE)
    predicted(tmp_path, held)
    evaluation = scored(tmp_path, held)
    assert evaluation.depth is None
    assert "depth" not in evaluation.summary()


def test_the_summary_holds_scores_protocol_units_and_digests(tmp_path):
    held = measured(views(photo(0), photo(1)), 1.1)
    predicted(tmp_path, held)
    evaluation = scored(tmp_path, held)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["psnr"] == pytest.approx(evaluation.image.psnr)
    assert summary["views"] == 2
    assert summary["protocol"] == "hold8/full@1"
    assert summary["unit"] == "metres"
    assert summary["gaussians"] == 60
    assert summary["depth"]["abs_rel"] == pytest.approx(0.1, abs=1e-5)
    assert summary["depth"]["delta1"] == 1
    assert summary["depth"]["median"]["rmse"] > 0
    for entry, view in zip(summary["files"], held, strict=True):
        content = (tmp_path / entry["prediction"]).read_bytes()
        assert entry["prediction_sha256"] == hashlib.sha256(content).hexdigest()
        pixels = view.photo.pixels().numpy().tobytes()
        assert entry["photo_sha256"] == hashlib.sha256(pixels).hexdigest()
    rows = list(csv.DictReader((tmp_path / "views.csv").open()))
    assert [row["view"] for row in rows] == ["left/0.jpg", "left/1.jpg"]
    assert np.mean([float(row["ssim"]) for row in rows]) == pytest.approx(evaluation.image.ssim)
    assert float(rows[0]["expected_abs_rel"]) == pytest.approx(0.1, abs=1e-5)


def test_views_without_depth_leave_their_cells_empty(tmp_path):
    held = [*measured(views(photo(0)), 1.1), View("b.jpg", camera(0.5), photo(3))]
    predicted(tmp_path, held)
    scored(tmp_path, held)
    rows = list(csv.DictReader((tmp_path / "views.csv").open()))
    assert rows[0]["expected_coverage"]
    assert rows[1]["expected_coverage"] == rows[1]["median_rmse"] == ""


def test_a_perfect_prediction_has_a_psnr_that_json_cannot_hold(tmp_path):
    held = views(photo(0))
    predicted(tmp_path, held)
    color = Image.open(prediction_files(tmp_path, held)[held[0].name].color)
    perfect = views(MemoryPhoto(torch.from_numpy(np.array(color))))
    assert scored(tmp_path, perfect).image.ssim == pytest.approx(1, abs=1e-6)
    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=pytest.fail)
    assert summary["psnr"] is None


@pytest.mark.parametrize("kind", ["color", "depth"])
@pytest.mark.parametrize("damage", ["missing", "damaged", "size"])
def test_nothing_is_scored_when_a_prediction_is_missing_or_wrong(tmp_path, kind, damage):
    held = views(photo(0), photo(1))
    predicted(tmp_path, held)
    scored(tmp_path, held)
    path = getattr(prediction_files(tmp_path, held)["left/1.jpg"], kind)
    if damage == "missing":
        path.unlink()
    elif damage == "damaged":
        path.write_bytes(path.read_bytes()[:-60])
    elif kind == "color":
        Image.new("RGB", (WIDTH, HEIGHT + 1)).save(path)
    else:
        small = np.zeros((HEIGHT, 2), np.float32)
        np.savez(path, expected=small, median=small, alpha=small)
    with pytest.raises(DataError, match="expected") as refusal:
        scored(tmp_path, held)
    assert str(path) in str(refusal.value)
    assert not (tmp_path / "summary.json").exists()


def test_predicting_again_leaves_nothing_of_the_last_time(tmp_path):
    held = views(photo(0), photo(1))
    predicted(tmp_path, held)
    scored(tmp_path, held)
    predicted(tmp_path, held[:1])
    assert len(list(tmp_path.glob("predictions/*"))) == 1
    assert len(list(tmp_path.glob("depth/*"))) == 1
    assert not (tmp_path / "summary.json").exists()
    with pytest.raises(DataError, match="left_1"):
        scored(tmp_path, held)


def test_no_views_are_no_score(tmp_path):
    with pytest.raises(DataError, match="no views to score"):
        scored(tmp_path, [])


def test_every_view_has_a_strip_to_look_at(tmp_path):
    held = [*measured(views(photo(0)), 1.1), View("b.jpg", camera(0.5), photo(3))]
    predicted(tmp_path, held)
    scored(tmp_path, held)
    with_truth, without = (Image.open(tmp_path / f"strips/{n}.png") for n in ("left_0", "b"))
    np.testing.assert_array_equal(np.asarray(with_truth)[20:, :WIDTH], photo(0).pixels())
    assert with_truth.height == without.height == HEIGHT + 20
    assert with_truth.width == without.width + WIDTH + 4


def test_parts_cameras_and_intervals_of_a_rig(tmp_path):
    """Two cameras at three time steps, half of each photo sky."""
    sky = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    sky[: HEIGHT // 2] = True
    held = [
        View(f"{name}/{step}", camera(0.1 * step), photo(step, sky=sky), sensor=name, step=step)
        for name in ("FRONT", "SIDE")
        for step in (2, 5, 7)
    ]
    predicted(tmp_path, held)
    evaluation = scored(tmp_path, held)
    summary = json.loads((tmp_path / "summary.json").read_text())
    errors = []
    for row in evaluation.views:
        color = np.asarray(Image.open(tmp_path / row.prediction)).astype(float)
        shown = next(view for view in held if view.name == row.view).photo.pixels().numpy()
        errors.append(((color - shown)[~sky.numpy()] ** 2).mean())
    expected = np.mean([10 * math.log10(255**2 / error) for error in errors])
    assert summary["regions"]["non_sky"]["psnr"] == pytest.approx(expected, abs=1e-4)
    assert summary["regions"]["non_sky"]["pixels"] == 6 * HEIGHT * WIDTH // 2
    for absent in ("near", "mid", "far", "moving"):
        assert summary["regions"][absent] == "not computed"
    assert summary["lpips"] == "not computed"
    for name in ("FRONT", "SIDE"):
        mine = [row.image.psnr for row in evaluation.views if row.sensor == name]
        assert summary["cameras"][name]["psnr"] == pytest.approx(np.mean(mine))
        assert summary["cameras"][name]["views"] == 3
    bounds = summary["intervals"]
    assert bounds["over"] == "held-out time steps"
    assert bounds["abs_rel"] == "not computed"
    low, high = bounds["psnr"]
    assert low < summary["psnr"] < high
    # Both cameras see the same, so that a step's mean is either's, and three steps are drawn.
    steps = [row.image.psnr for row in evaluation.views][:3]
    assert min(steps) <= low
    assert high <= max(steps)
    assert [row.view for row in evaluation.views] == [view.name for view in held]
    rows = list(csv.DictReader((tmp_path / "views.csv").open()))
    assert float(rows[0]["non_sky_psnr"]) == pytest.approx(10 * math.log10(255**2 / errors[0]))
    words = describe(summary).splitlines()
    assert all(line.startswith("[hold8/full@1] ") for line in words)
    assert any("SIDE: 3 views" in line for line in words)


def test_depth_of_a_capture_without_scale_is_also_aligned(tmp_path):
    """Depths that are all too large by one factor have no error left once they are aligned."""
    held = measured(views(photo(0), photo(1)), 1.7)
    predicted(tmp_path, held)
    depth = scored(tmp_path, held, metric=False).summary()["depth"]
    assert depth["abs_rel"] == pytest.approx(0.7, abs=1e-5)
    assert depth["aligned"]["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert "aligned" not in scored(tmp_path, held).summary()["depth"]
