"""The siamese network, its losses and what it says, against closed forms and exact scenes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.commands.prior import Prior
from recon.datasets.synthetic.painted import paint
from recon.defocus import blur
from recon.errors import DataError, UsageError
from recon.evidence.coc import CocMap
from recon.networks.estimator import SiameseEstimator
from recon.networks.fusion import inverse_depth
from recon.networks.photographs import Photographer
from recon.networks.siamese_coc import Lenses, SiameseNetwork
from recon.networks.stored import PACKAGED, load_network, save_network
from recon.networks.training import TrainSettings
from recon.optics import signed_coc, thin_lens
from recon.pictures import write_png
from recon.priors.interface import Frame
from recon.priors.siamese import Siamese, confidence, metres, relative
from recon.priors.siamese_stack import predict_stack
from recon.srgb import to_srgb
from recon.types import Camera, DepthKind

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = TrainSettings(steps=4, pairs=2, side=32)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_several_maps_tell_depth() -> None:
    depth = 0.6 + 4 * noise(9, 11)
    lenses = [thin_lens(6.0, s) for s in (0.7, 1.5, 4.0)]
    maps = []
    for lens in lenses:
        coc = signed_coc(depth, lens)
        maps.append(CocMap(coc.abs(), torch.full_like(coc, 0.3), torch.full_like(coc, 0.5)))
    planes = torch.linspace(0.1, 2.0, 200)
    inverse, sure = inverse_depth(maps, lenses, planes)
    assert float((inverse - 1 / depth).abs().max()) < 0.02
    assert float(sure.min()) > 0
    with pytest.raises(UsageError, match="one size"):
        inverse_depth([maps[0], maps[1].resized(22, 18)], lenses[:2], planes)
    with pytest.raises(UsageError, match="one lens"):
        inverse_depth([], [], planes)


def test_depth_from_one_map_is_exact_where_the_map_is() -> None:
    depth, lens = 0.6 + 4 * noise(9, 11), thin_lens(6.0, 1.5)
    coc = signed_coc(depth, lens)
    found = CocMap(coc.abs(), torch.full_like(coc, 0.3), (coc > 0).float())
    assert torch.allclose(metres(found, lens), depth, rtol=1e-4)
    inverse = 1 / relative(found)
    slope = np.polyfit((1 / depth).flatten(), inverse.flatten(), 1, full=True)
    assert float(slope[1][0]) < 1e-4
    assert slope[0][0] > 0
    beyond = replace(found, size=torch.full_like(coc, 20.0), behind=torch.ones_like(coc))
    # Behind the focus by more than infinity is: so it lies before it.
    assert torch.allclose(metres(beyond, lens), 1 / (1 / 1.5 + torch.tensor(20 / 6)))
    trust = confidence(found)
    assert bool(((trust >= 0) & (trust <= 1)).all())


def test_maps_of_smaller_photos_have_smaller_circles() -> None:
    found = CocMap(torch.full((8, 12), 4.0), torch.full((8, 12), 1.0), torch.full((8, 12), 0.7))
    small = found.resized(6, 4)
    assert small.size.shape == (4, 6)
    assert float(small.size.mean()) == pytest.approx(2.0)
    assert float(small.spread.mean()) == pytest.approx(0.5)
    assert float(small.behind.mean()) == pytest.approx(0.7)


def test_the_network_is_small_and_takes_photos_of_any_size() -> None:
    torch.manual_seed(0)
    network = SiameseNetwork()
    assert sum(p.numel() for p in network.parameters()) < 5_000_000
    lenses = Lenses(torch.tensor([5.0, 9.0]), torch.tensor([0.5, 1.0]), torch.tensor([1.0, 0.0]))
    for height, width in ((33, 47), (64, 80)):
        found = network(noise(2, 3, height, width), lenses)
        assert found.size.shape == found.behind.shape == (2, height, width)
        assert float(found.size.min()) >= 0
        assert float(found.spread.min()) > 0
    # Both branches share their weights: a photo's answer does not depend on its neighbour.
    images = noise(2, 3, 32, 32)
    both, alone = network(images, Lenses.unknown(2)), network(images[:1], Lenses.unknown(1))
    assert torch.allclose(both.size[:1], alone.size, atol=1e-5)


def frame(pixels: torch.Tensor, lens: bool = False) -> Frame:
    height, width = pixels.shape[:2]
    camera = Camera(torch.eye(4), 90.0, 90.0, width / 2, height / 2, width, height)
    return Frame("a.png", pixels, camera, lens=thin_lens(8.0, 1.5) if lens else None)


def test_a_lens_makes_depth_metric(tmp_path: Path) -> None:
    torch.manual_seed(1)
    save_network(SiameseNetwork(), tmp_path / "w.safetensors")
    prior = Siamese(tmp_path / "w.safetensors")
    pixels = (255 * noise(40, 56, 3)).to(torch.uint8)
    told, untold = prior.predict(frame(pixels, lens=True)), prior.predict(frame(pixels))
    assert told.depth.kind is DepthKind.METRIC
    assert untold.depth.kind is DepthKind.AFFINE_DISPARITY
    assert told.coc is not None
    assert torch.allclose(told.depth.z, metres(told.coc, thin_lens(8.0, 1.5)))
    assert frame(pixels, lens=True).key() != frame(pixels).key()
    with pytest.raises(DataError, match=r"a\.png: a photo of 20x40 pixels"):
        prior.predict(frame(pixels[:, :20]))


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"none")
    with pytest.raises(DataError, match=r"w\.safetensors: expected the weights"):
        load_network(tmp_path / "w.safetensors")
    with pytest.raises(DataError, match="absent"):
        load_network(tmp_path / "absent")


def test_the_weights_that_come_with_recon_tell_sharp_from_blurred() -> None:
    """On photos of a seed and of patterns that training has not seen."""
    assert PACKAGED.stat().st_size < 10_000_000
    assert PACKAGED.with_name("siamese_coc.md").is_file()
    pairs = Photographer(77, 96).pairs(0, 6, SiameseNetwork())
    network = load_network(PACKAGED)
    with torch.no_grad():
        found = network(pairs.a.images, Lenses.unknown(6))
    off = (found.size - pairs.a.coc.abs()).abs()
    by_median = (pairs.a.coc.abs() - pairs.a.coc.abs().median()).abs()
    assert float(off.mean()) < 0.8 * float(by_median.mean())
    sure = found.spread < found.spread.median()
    assert float(off[sure].mean()) < float(off[~sure].mean())


def test_a_sharp_photo_says_that_there_is_nothing_to_tell_depth_by() -> None:
    light = torch.from_numpy(paint(np.random.default_rng([5, 3]), 96, 128).light).clamp(0, 1)
    pixels = (255 * to_srgb(light)).round().to(torch.uint8)
    found = Siamese(PACKAGED).predict(frame(pixels))
    assert "sharp all over" in found.note
    assert found.confidence is not None
    assert float(found.confidence.max()) == 0
    estimator = SiameseEstimator(PACKAGED)
    wide = blur(light, torch.full(light.shape[:2], 8.0), encoded=False)
    blurry = estimator.estimate((255 * to_srgb(wide)).round().to(torch.uint8))
    assert float(blurry.size.median()) > 3 * float(estimator.estimate(pixels).size.median())


def test_the_command_writes_circles_of_confusion_and_metres_for_a_lens(tmp_path: Path) -> None:
    pixels = (255 * noise(48, 64, 3)).to(torch.uint8)
    write_png(tmp_path / "a.png", pixels.numpy())
    for lens in (None, 8.0):
        focus = None if lens is None else 1.5
        out = tmp_path / f"out-{lens}"
        Prior((tmp_path / "a.png",), "siamese", out, lens_strength=lens, focus_distance=focus)()
        said = json.loads((out / "a.json").read_text())
        assert said["kind"] == ("affine_disparity" if lens is None else "metric")
        with np.load(out / "a.coc.npz") as maps:
            assert {name: maps[name].shape for name in maps} == dict.fromkeys(
                ("size", "spread", "behind"), (48, 64)
            )
            assert said["coc"]["median_px"] == pytest.approx(
                float(np.median(maps["size"])), abs=0.1
            )
        assert (out / "a.coc.png").is_file()
    with pytest.raises(UsageError, match="give both"):
        Prior((tmp_path / "a.png",), "siamese", tmp_path / "no", lens_strength=8.0)()


def test_reading_weights_draws_no_random_numbers() -> None:
    """Else a fit would depend on whether an earlier one had worked something out."""
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_network(PACKAGED)
    assert torch.equal(torch.rand(3), expected)


def test_a_stack_is_explained_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without lenses: depth is the order of focus, up to a factor and an offset."""
    scene = paint(np.random.default_rng([2, 9]), 96, 128)
    nearness, light = torch.from_numpy(scene.nearness), torch.from_numpy(scene.light).clamp(0, 1)
    low, high = float(nearness.min()), float(nearness.max())
    paths = []
    for index, focus in enumerate(np.linspace(low, high, 5).tolist()):
        coc = signed_coc(1 / nearness, thin_lens(8 / (high - low), 1 / focus))
        photo = 255 * to_srgb(blur(light, coc.contiguous(), encoded=False)).clamp(0, 1)
        paths.append(tmp_path / f"{index}.png")
        write_png(paths[-1], photo.round().to(torch.uint8).numpy())
    Prior(tuple(paths), "siamese", tmp_path / "out", stack=True)()
    assert len(capsys.readouterr().out.split()) == 5
    found = [np.load(tmp_path / f"out/{i}.npz")["depth"] for i in range(5)]
    assert all(np.array_equal(one, found[0]) for one in found)
    trust = np.load(tmp_path / "out/0.npz")["confidence"]
    sure = trust > np.median(trust)
    assert abs(np.corrcoef((1 / found[0])[sure], scene.nearness[sure])[0, 1]) > 0.9
    sizes = np.stack([np.load(tmp_path / f"out/{i}.coc.npz")["size"][sure] for i in range(5)])
    nearest = np.abs(np.linspace(low, high, 5)[:, None] - scene.nearness[sure]).argmin(0)
    assert np.mean(np.abs(sizes.argmin(0) - nearest) <= 1) > 0.9
    with pytest.raises(DataError, match=r"0\.png: one slice is no focal stack"):
        Prior((paths[0],), "siamese", tmp_path / "no", stack=True)()
    with pytest.raises(UsageError, match="--stack is for"):
        Prior(tuple(paths), "meter-kitti", tmp_path / "no", focal_px=9.0, stack=True)()


def test_a_stack_whose_lenses_are_known_is_in_metres() -> None:
    scene = paint(np.random.default_rng([2, 9]), 96, 128)
    nearness, light = torch.from_numpy(scene.nearness), torch.from_numpy(scene.light).clamp(0, 1)
    low, high = float(nearness.min()), float(nearness.max())
    frames = []
    for focus in np.linspace(low, high, 5).tolist():
        lens = thin_lens(8 / (high - low), 1 / focus)
        seen = to_srgb(blur(light, signed_coc(1 / nearness, lens).contiguous(), encoded=False))
        pixels = (255 * seen).round().clamp(0, 255).to(torch.uint8)
        camera = Camera(torch.eye(4), 90.0, 90.0, 64.0, 48.0, 128, 96)
        frames.append(Frame(f"{focus:.2f}.png", pixels, camera, lens=lens))
    found = predict_stack(frames, PACKAGED).found
    assert found[0].depth.kind is DepthKind.METRIC
    trust = found[0].confidence
    assert trust is not None
    off = (1 / found[0].depth.z - nearness).abs()[trust > trust.median()]
    assert float(off.mean()) < 0.03 * (high - low)
    silent = [frames[0], replace(frames[1], lens=None), *frames[2:]]
    with pytest.raises(DataError, match=f"{frames[1].name}: states no lens"):
        predict_stack(silent, PACKAGED)
    alike = [replace(frame, lens=frames[0].lens) for frame in frames]
    with pytest.raises(DataError, match="focused at one distance"):
        predict_stack(alike, PACKAGED)
