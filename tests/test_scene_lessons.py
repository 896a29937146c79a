"""Scenes and the siamese network teach each other by turns, and neither collapses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stacks import write_stack

from recon.commands.train_siamese import TrainSiamese
from recon.commands.training_run import TrainingRun
from recon.errors import DataError, UsageError
from recon.networks.rerendering import rerender
from recon.networks.siamese_coc import Lenses, SiameseNetwork
from recon.networks.stack_photos import StackPhotos
from recon.networks.training import Training, TrainSettings, rate_at
from recon.networks.turns import Turns
from recon.scene_lessons import SceneLessons, pairs_of_stacks

pytestmark = pytest.mark.usefixtures("one_thread")
SIDE = 48
TURNS = Turns(first=300, scene=30, network=4, max_gaussians=2000)
SHORT = Turns(first=60, scene=20, network=2, max_gaussians=1000)
SETTINGS = TrainSettings(mode="siamese", steps=4, pairs=1, side=SIDE, turns=SHORT)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stack(tmp_path_factory.mktemp("stack") / "one")


@pytest.fixture
def photos(stack: Path) -> StackPhotos:
    return StackPhotos([stack], SIDE, seed=0)


def test_pairs_are_two_focal_settings_of_one_place(photos: StackPhotos) -> None:
    network = SiameseNetwork()
    pairs, again = (photos.pairs(5, 3, network) for _ in range(2))
    assert torch.equal(pairs.a.images, again.a.images)
    assert pairs.a.sharp is None
    assert pairs.a.images.shape == (3, 3, SIDE, SIDE)
    moved = pairs.a.lenses.strength * (pairs.a.lenses.inverse_focus - pairs.b.lenses.inverse_focus)
    assert float(moved.abs().min()) > 0.1
    # The truth, which only figures see, obeys the lenses: circles differ by the same everywhere.
    off = pairs.a.coc - pairs.b.coc - moved[:, None, None]
    assert float(off.abs().max()) < 0.35  # K itself changes a little with the focus.


def test_turns_are_told_by_steps() -> None:
    turns = Turns(first=100, scene=10, network=3)
    assert [turns.scene_steps(step) for step in range(7)] == [100, 100, 100, 110, 110, 110, 120]


def test_the_scenes_are_sharper_than_the_photos_and_stay_so(
    photos: StackPhotos, tmp_path: Path
) -> None:
    """A network that sees no blur at all must not blur the scenes by its turns."""
    blind = SiameseNetwork()
    torch.nn.init.constant_(blind.blur.bias, -6.0)
    torch.nn.init.zeros_(blind.blur.weight)
    lessons = SceneLessons(photos, TURNS, 8, tmp_path)
    explained = []
    for step in (0, 4):
        lessons.pairs(step, 1, blind)
        pairs = photos.pairs(0, 6, blind)
        assert pairs.a.sharp is not None
        with torch.no_grad():
            seen = blind(pairs.a.images, Lenses.unknown(6))
        assert float(seen.size.max()) < 0.1
        told = replace(seen, size=pairs.a.coc.abs(), behind=pairs.a.coc)
        explained.append(float(rerender(told, pairs.a.sharp, pairs.a.images)))
        # To see no blur explains nothing of what scene and photo differ in; the truth does.
        blind_left = float(rerender(seen, pairs.a.sharp, pairs.a.images))
        assert blind_left == pytest.approx(1.0, abs=0.03)
        assert explained[-1] < 0.93 * blind_left
    assert explained[-1] < explained[0] + 0.05


def test_the_rendering_loss_opens_the_eyes_of_a_blind_network(
    photos: StackPhotos, tmp_path: Path
) -> None:
    """It alone, from a network that sees no blur, and without any label."""
    lessons = SceneLessons(photos, replace(TURNS, network=100), 40, tmp_path)
    torch.manual_seed(0)
    network = SiameseNetwork()
    optimizer = torch.optim.Adam(network.parameters())
    errors = []
    for step in range(40):
        # As trainings do: the rate rises first, and gradients are bounded.
        optimizer.param_groups[0]["lr"] = 2e-3 * rate_at(step, 1000)
        half = lessons.pairs(step, 2, network).a
        assert half.sharp is not None
        seen = network(half.images, half.lenses)
        loss = rerender(seen, half.sharp, half.images)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        errors.append(float((seen.size.detach() - half.coc.abs()).abs().mean()))
    assert sum(errors[-10:]) < 0.8 * sum(errors[:10])
    assert float(seen.size.detach().mean()) > 0.5


def test_a_training_with_scenes_goes_on_as_if_it_had_not_stopped(
    stack: Path, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, stacks=(str(stack),))
    straight = Training(settings)
    straight.source = pairs_of_stacks(settings, tmp_path / "straight")
    figures = [straight.next() for _ in range(4)]
    assert all("rerender" in one and "mae_px" in one for one in figures)
    stopped = Training(settings)
    stopped.source = pairs_of_stacks(settings, tmp_path / "stopped")
    for _ in range(3):
        stopped.next()
    stopped.save(tmp_path / "state")
    resumed = Training.restored(tmp_path / "state")
    assert resumed.settings == settings
    resumed.source = pairs_of_stacks(settings, tmp_path / "stopped")
    assert resumed.next() == figures[3]


def test_without_the_rendering_loss_nothing_is_fitted(stack: Path, tmp_path: Path) -> None:
    settings = replace(
        SETTINGS, stacks=(str(stack),), weights=replace(SETTINGS.weights, rerender=0.0)
    )
    source = pairs_of_stacks(settings, tmp_path / "none")
    assert source.pairs(0, 1, SiameseNetwork()).a.sharp is None
    assert not (tmp_path / "none").exists()


def test_the_command_keeps_the_scenes_beside_the_network(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = replace(SETTINGS, steps=2, stacks=(str(stack),))
    TrainSiamese(TrainingRun(tmp_path / "out", quiet=True), settings, validation=1)()
    assert Path(capsys.readouterr().out.strip()).is_file()
    assert (tmp_path / "out/scenes/scene-0/config.json").is_file()
    last = json.loads((tmp_path / "out/metrics.jsonl").read_text().splitlines()[-1])
    assert last["rerender"] > 0
    card = (tmp_path / "out/siamese_coc.md").read_text()
    assert f"**Data** The focal stacks `{stack}` and pictures that scenes" in card
    assert "painted by arithmetic" not in card


def test_captures_that_are_no_stacks_are_named(tmp_path: Path) -> None:
    silent = write_stack(tmp_path / "silent", silent=True)
    with pytest.raises(DataError, match=r"silent: no focal stack whose photos state their lenses"):
        StackPhotos([silent], SIDE, 0)
    with pytest.raises(DataError, match=r"small: photos of 80x64; expected one size of 80 px"):
        StackPhotos([write_stack(tmp_path / "small")], 80, 0)


@pytest.mark.parametrize("wrong", [{"first": 0}, {"network": 0}, {"coc": -1.0}])
def test_turns_that_cannot_be_taken_are_refused(wrong: dict[str, float]) -> None:
    name = next(iter(wrong))
    with pytest.raises(UsageError, match=f"--turns.{name}"):
        replace(SETTINGS, turns=Turns(**wrong))  # type: ignore[arg-type]


def test_labels_are_not_taken_from_stacks() -> None:
    with pytest.raises(UsageError, match="without labels: give --mode siamese"):
        replace(SETTINGS, mode="supervised", stacks=("stack",))
    with pytest.raises(UsageError, match="give one of them"):
        replace(SETTINGS, stacks=("stack",), rgbd=("photos",))
