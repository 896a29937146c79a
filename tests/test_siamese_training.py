"""The training of the siamese network: its pairs, its rate, and going on with what was stopped."""

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from recon.commands.stop import StopRequest
from recon.commands.train_siamese import TrainSiamese
from recon.commands.training_run import TrainingRun
from recon.errors import DataError, StoppedError, UsageError
from recon.networks.card import card
from recon.networks.course import warm_restarts
from recon.networks.fusion import shift
from recon.networks.photographs import Photographer, Wear, noisy
from recon.networks.scenes import DepthPhotos
from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.stored import load_network
from recon.networks.training import Training, TrainSettings, rate_at
from recon.networks.validation import Figures
from recon.pictures import write_png

pytestmark = pytest.mark.usefixtures("one_thread")
SMALL = TrainSettings(steps=4, pairs=2, side=32)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_pairs_are_seeded_and_their_blur_obeys_the_lens() -> None:
    network = SiameseNetwork()
    one, two = (Photographer(4, 32).pairs(3, 3, network) for _ in range(2))
    assert torch.equal(one.a.images, two.a.images)
    assert not torch.equal(one.a.images, Photographer(5, 32).pairs(3, 3, network).a.images)
    lens = one.a.lenses
    moved = shift(lens.strength, lens.inverse_focus, one.b.lenses.inverse_focus)
    assert torch.allclose(one.a.coc - one.b.coc, moved.expand_as(one.a.coc), atol=1e-3)
    assert torch.equal(one.a.lenses.strength, one.b.lenses.strength)


def test_photons_are_counted_by_poissons_law() -> None:
    light = np.full((80, 80, 3), 0.5, np.float32)
    for photons in (5.0, 100.0):
        seen = noisy(np.random.default_rng(0), light, photons)
        assert seen.mean() == pytest.approx(0.5, rel=0.03)
        counts = np.random.default_rng(1).poisson(photons * 0.5, 20_000)
        expected = np.clip(counts / photons, 0, 1).var()
        assert seen.var() == pytest.approx(expected, rel=0.1)
    grey = Wear(1.0, 0, 0, True).photo(np.random.default_rng(0), torch.rand(8, 8, 3))
    assert torch.equal(grey[0], grey[1])


@pytest.mark.parametrize("mode", ["siamese", "supervised"])
def test_training_goes_on_as_if_it_had_not_stopped(mode: str, tmp_path: Path) -> None:
    settings = replace(SMALL, mode=mode)  # type: ignore[arg-type]
    straight, halted = Training(settings), Training(settings)
    for _ in range(4):
        straight.next()
    for _ in range(2):
        halted.next()
    halted.save(tmp_path / "state.safetensors")
    again = Training.restored(tmp_path / "state.safetensors")
    assert again.step == 2
    while not again.done:
        again.next()
    for name, tensor in straight.network.state_dict().items():
        assert torch.equal(tensor, again.network.state_dict()[name]), name


def test_the_rate_rises_then_falls() -> None:
    rates = [warm_restarts(step, 100) for step in (0, 5, 50, 99)]
    assert rates[0] < 0.05 < rates[2] < rates[1] < 1
    assert rates[3] < 0.001
    assert warm_restarts(150, 100) == pytest.approx(rates[2] / 2)


def test_the_rate_stays_until_it_falls() -> None:
    rates = [rate_at(step, 1000) for step in (0, 50, 100, 690, 850, 999)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[2] == rates[3] == 1
    assert rates[1] == pytest.approx(0.51)
    assert rates[4] == pytest.approx(0.5)
    assert 0 < rates[5] < 0.001
    # So a training can be made longer while its rate stays.
    assert all(rate_at(step, 1000) == rate_at(step, 3000) for step in range(0, 700, 50))


def rgbd_capture(folder: Path, holes: bool = False) -> None:
    """Write one photo with depth: a card 1 m away before a wall at 2 m, two colours."""
    (folder / "images").mkdir(parents=True)
    pixels = np.full((90, 120, 3), 40, np.uint8)
    pixels[:, 40:] = (250, 120, 60)
    depth = np.full((90, 120), 2000, np.uint16)
    depth[20:60, 30:80] = 1000
    if holes:
        depth[50:70, 30:80] = 0
    write_png(folder / "images/a.png", pixels)
    cv2.imwrite(str(folder / "images/a.depth.png"), depth)
    frame = {
        "file_path": "images/a.png",
        "depth_file_path": "images/a.depth.png",
        "transform_matrix": np.eye(4).tolist(),
    }
    lens = {"fl_x": 100.0, "fl_y": 100.0, "cx": 60.0, "cy": 45.0, "w": 120, "h": 90}
    content = {**lens, "depth_unit_scale_factor": 0.001, "metric": True, "frames": [frame]}
    (folder / "transforms.json").write_text(json.dumps(content))


def test_photos_with_depth_teach_too(tmp_path: Path) -> None:
    rgbd_capture(tmp_path / "all/one")
    rgbd_capture(tmp_path / "all/two", holes=True)
    photos = DepthPhotos([tmp_path / "all"])
    assert len(photos) == 2
    seen = [photos.scene(np.random.default_rng(i), 80) for i in range(8)]
    for scene in seen:
        assert min(scene.nearness.shape) >= 80
        # Holes take the depth of what is next to them, and nothing is mixed across a border.
        assert set(np.unique(scene.nearness)) == {np.float32(0.5), np.float32(1.0)}
        assert scene.light.max() == pytest.approx(((250 / 255 + 0.055) / 1.055) ** 2.4, abs=0.02)
    pairs = Photographer(1, 48, scenes=photos).pairs(0, 2, SiameseNetwork())
    lens = pairs.a.lenses
    nearness = lens.inverse_focus[:, None, None] - pairs.a.coc / lens.strength[:, None, None]
    assert torch.allclose(nearness, torch.where(nearness > 0.75, 1.0, 0.5), atol=1e-4)
    settings = replace(SMALL, steps=2, rgbd=(str(tmp_path / "all"),))
    training = Training(settings)
    training.next()
    training.save(tmp_path / "state.safetensors")
    assert Training.restored(tmp_path / "state.safetensors").settings == settings
    text = card(settings, {"loss": 1.0}, Figures(1, 1.0, 1.0, 1.0, 1.0), "here", 1.0)
    assert "sharp photos with depth in" in text
    assert "No photograph" not in text
    (tmp_path / "all/one/images/a.depth.png").unlink()
    (tmp_path / "all/two/images/a.depth.png").unlink()
    with pytest.raises(DataError):
        DepthPhotos([tmp_path / "all"])
    with pytest.raises(UsageError, match="--stacks and --rgbd"):
        replace(SMALL, mode="siamese", stacks=("a",), rgbd=("b",))


def test_the_command_writes_weights_card_and_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TrainSiamese(TrainingRun(tmp_path / "out", quiet=True), SMALL, validation=2)()
    weights = Path(capsys.readouterr().out.strip())
    assert load_network(weights).training is False
    log = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 4
    card = (tmp_path / "out/siamese_coc.md").read_text()
    assert '"seed": 0' in card
    assert "2 pairs of other painted scenes" in card
    with pytest.raises(UsageError, match="other settings"):
        TrainSiamese(TrainingRun(tmp_path / "out"), replace(SMALL, seed=2))()
    (tmp_path / "out/training.safetensors").write_bytes(b"no")
    with pytest.raises(DataError, match=r"training\.safetensors"):
        TrainSiamese(TrainingRun(tmp_path / "out"))()


@pytest.mark.parametrize(
    "wrong", [{"side": 40}, {"steps": 0}, {"pairs": 0}, {"rate": -1.0}, {"rate": math.nan}]
)
def test_settings_that_cannot_be_trained_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(wrong))}"):
        replace(SMALL, **wrong)


def test_a_training_that_is_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class AfterTwo(StopRequest):
        asked = 0

        def __call__(self) -> bool:
            self.asked += 1
            return self.asked > 2

    with monkeypatch.context() as patch:
        patch.setattr("recon.commands.training_run.StopRequest", AfterTwo)
        with pytest.raises(StoppedError, match=f"step 2 and saved.*--output {tmp_path}/out"):
            TrainSiamese(TrainingRun(tmp_path / "out", quiet=True), SMALL, validation=1)()
    assert not (tmp_path / "out/siamese_coc.safetensors").exists()
    TrainSiamese(TrainingRun(tmp_path / "out", quiet=True), validation=1)()
    TrainSiamese(TrainingRun(tmp_path / "straight", quiet=True), SMALL, validation=1)()
    stopped, straight = (Path(line) for line in capsys.readouterr().out.split())
    assert stopped.read_bytes() == straight.read_bytes()
