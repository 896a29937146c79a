"""The light maker of bokeh stacks, how it is taught, and what it must obey whatever it learned."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.commands.stop import StopRequest
from recon.commands.train_bokeh_generator import TrainBokehGenerator
from recon.commands.training_run import TrainingRun
from recon.datasets.synthetic.painted import Painted
from recon.defocus import blur_stack
from recon.errors import DataError, StoppedError, UsageError
from recon.networks.bokeh_light import PACKAGED, LightBokeh, guided
from recon.networks.bokeh_network import BokehNetwork
from recon.networks.bokeh_own_scenes import as_scene
from recon.networks.bokeh_pairs import PairMaker
from recon.networks.bokeh_training import BokehTrainSettings, through
from recon.networks.defocus_sweep import COCS, measure_diameters
from recon.networks.focus_examples import Photograph
from recon.networks.stored import save_network
from recon.types import Camera, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = BokehTrainSettings(steps=2, pairs=1, scenes=0)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def light(tmp_path: Path) -> LightBokeh:
    """A maker whose weights are random, so that its rates differ from place to place."""
    torch.manual_seed(0)
    network = BokehNetwork()
    torch.nn.init.normal_(network.leave.weight, std=0.3)
    save_network(network, tmp_path / "weights.safetensors")
    return LightBokeh(tmp_path / "weights.safetensors")


def test_pairs_hold_the_photo_through_the_lens_of_their_scene() -> None:
    slope = torch.linspace(0.1, 1.0, 48).expand(40, 48).contiguous()
    scene = Painted(noise(40, 48, 3).numpy(), slope.numpy())
    pairs = PairMaker(0, [scene], 40, 48).pairs(0, 6)
    flipped = torch.stack([slope, slope.flip(1)])
    errors = [
        (through(pairs, rates.expand(6, -1, -1)) - pairs.bokeh).abs().amax((1, 2, 3))
        for rates in flipped
    ]
    rendered = torch.stack(errors).amin(0) < 1e-5
    # The others are painted, as some are.
    assert rendered.sum() >= 4


def test_own_photos_with_depth_become_scenes() -> None:
    z = torch.tensor([[2.0, 0.0], [4.0, 4.0]]).repeat_interleave(8, 0).repeat_interleave(12, 1)
    pixels = torch.full((16, 24, 3), 188, dtype=torch.uint8)
    camera = Camera(torch.eye(4), 20.0, 20.0, 12.0, 8.0, 24, 16)
    scene = as_scene(Photograph(pixels, camera, DepthMap(z, z > 0)), 8, 6)
    assert scene.light.shape == (6, 8, 3)
    np.testing.assert_allclose(scene.light, ((188 / 255 + 0.055) / 1.055) ** 2.4, rtol=1e-5)
    assert scene.nearness[0, 0] == 0.5
    # The unknown corner is as far as the nearest pixel that is known.
    assert set(np.unique(scene.nearness)) == {0.25, 0.5}
    assert (scene.nearness[3:] == 0.25).all()


def test_the_network_is_small_and_takes_photos_of_any_size() -> None:
    network = BokehNetwork()
    assert sum(p.numel() for p in network.parameters()) <= 5_000_000
    for size in ((1, 1), (33, 70), (64, 32)):
        rates = network(noise(2, 3, *size))
        assert rates.shape == (2, *size)
        torch.testing.assert_close(rates, torch.full_like(rates, 0.3))


def test_a_training_that_is_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class AfterOne(StopRequest):
        asked = 0

        def __call__(self) -> bool:
            self.asked += 1
            return self.asked > 1

    with monkeypatch.context() as patch:
        patch.setattr("recon.commands.training_run.StopRequest", AfterOne)
        with pytest.raises(StoppedError, match="recon train bokeh-generator --output"):
            TrainBokehGenerator(TrainingRun(tmp_path / "out", quiet=True), SMALL, validation=1)()
    TrainBokehGenerator(TrainingRun(tmp_path / "out", quiet=True), validation=1)()
    TrainBokehGenerator(TrainingRun(tmp_path / "straight", quiet=True), SMALL, validation=1)()
    stopped, straight = (Path(line) for line in capsys.readouterr().out.split())
    assert stopped.read_bytes() == straight.read_bytes()
    log = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 2
    assert '"scenes": 0' in stopped.with_suffix(".md").read_text()
    assert LightBokeh(stopped).stack(noise(3, 24, 32), [5.0]).shape == (1, 3, 24, 32)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"pairs": 0}, {"scenes": -1}, {"rate": math.nan}, {"smooth": -1.0}]
)
def test_settings_that_cannot_be_trained_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(wrong))}"):
        BokehTrainSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (400, 2)])
def test_takes_photos_of_any_shape(light: LightBokeh, size: tuple[int, int]) -> None:
    stack = light.stack(noise(3, *size), [4.0, 0.0])
    assert stack.shape == (2, 3, *size)
    assert bool(stack.isfinite().all())


def test_one_network_pass_serves_all_strengths(
    light: LightBokeh, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, passes = noise(3, 40, 56), []
    forward = BokehNetwork.forward

    def counted(self: BokehNetwork, images: torch.Tensor) -> torch.Tensor:
        passes.append(images.shape)
        return forward(self, images)

    monkeypatch.setattr(BokehNetwork, "forward", counted)
    stack = light.stack(image, [0.0, 2.0, 4.0])
    assert len(passes) == 1
    assert torch.equal(stack[0], image)
    assert torch.equal(stack[2], light.stack(image, [4.0])[0])


def test_the_weights_that_come_with_recon_blur_in_proportion_to_the_strength() -> None:
    """As measured in the stack itself, which knows nothing of what the network said."""
    assert PACKAGED.stat().st_size <= 10_000_000
    image = torch.nn.functional.interpolate(noise(1, 3, 24, 32), (72, 96), mode="bicubic")[0]
    image = (0.7 * image + 0.3 * noise(3, 72, 96, seed=1)).clamp(0, 1)
    stack = LightBokeh().stack(image, [5.0, 10.0, 20.0])
    levels = blur_stack(image.permute(1, 2, 0).contiguous(), COCS)
    inner = (slice(12, -12), slice(12, -12))
    sizes = [measure_diameters(levels, frame).size[inner].mean() for frame in stack]
    assert float(sizes[1] / sizes[0]) == pytest.approx(2, rel=0.05)
    assert float(sizes[2] / sizes[0]) == pytest.approx(4, rel=0.05)


def test_weights_that_are_missing_or_others_are_named(tmp_path: Path) -> None:
    save_network(torch.nn.Linear(2, 2), tmp_path / "other.safetensors")
    for name, words in (("none", "found no safetensors"), ("other", "found others")):
        with pytest.raises(DataError, match=f"train bokeh-generator.*{words}"):
            LightBokeh(tmp_path / f"{name}.safetensors").stack(noise(3, 8, 8), [1.0])


def test_maps_are_enlarged_along_the_edges_of_the_photo() -> None:
    image = torch.zeros(1, 3, 40, 40)
    image[..., 18:] = 0.8
    small = torch.nn.functional.interpolate(image, (10, 10), mode="area")
    maps = torch.where(small[:, 0] > 0.4, 2.0, 1.0)
    large = guided(maps, small, image)
    # The middle of a cell of four columns lies across the edge: its pixels know their side.
    expected = torch.where(image[:, 0] > 0.4, 2.0, 1.0)
    torch.testing.assert_close(large, expected, atol=0.02, rtol=0)
