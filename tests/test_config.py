import json
from pathlib import Path

import pytest

from recon import config
from recon.budget import Budget
from recon.config import PRESETS, FitSettings, Supervision
from recon.densify.interface import Densify
from recon.errors import DataError, UsageError
from recon.losses.photometric import Photometric
from recon.model import LearningRates


def test_settings_survive_json(tmp_path: Path) -> None:
    settings = FitSettings(
        data=tmp_path,
        preset="quick",
        minutes=2.5,
        seed=7,
        densify=Densify(strategy="gradient", every=50),
        learning_rates=LearningRates(means=1e-3),
        supervision=Supervision(photometric=Photometric(ssim_weight=0.5)),
    ).resolved()
    file = tmp_path / "config.json"
    file.write_text(config.to_json(settings))
    assert config.from_json(file) == settings


def test_the_preset_fills_only_what_was_not_given() -> None:
    settings = FitSettings(data=Path("x"), preset="quick", steps=123).resolved()
    assert settings.steps == 123
    assert settings.max_gaussians == PRESETS["quick"].max_gaussians


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 99}, "schema 99"),
        ({"colour": "red"}, "colour"),
        ({"seed": "many"}, "seed"),
        ({"preset": "huge"}, "preset"),
    ],
)
def test_other_versions_and_unknown_fields_are_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    file = tmp_path / "config.json"
    plain = json.loads(config.to_json(FitSettings(data=tmp_path).resolved()))
    file.write_text(json.dumps({**plain, **change}))
    with pytest.raises(DataError, match=said) as error:
        config.from_json(file)
    assert str(file) in str(error.value)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{")
    with pytest.raises(DataError, match=r"config\.json"):
        config.from_json(file)


def test_progress_follows_whichever_budget_ends_first() -> None:
    assert Budget(100).progress(25, 1e9) == 0.25
    assert Budget(100, minutes=1.0).progress(25, 30) == 0.5
    assert Budget(100, minutes=1.0).progress(75, 30) == 0.75
    assert Budget(100).progress(200, 0) == 1.0


@pytest.mark.parametrize(
    ("wrong", "flag"),
    [
        ({"seed": -1}, "--seed"),
        ({"seed": 2**63}, "--seed"),
        ({"max_gaussians": 3}, "--max-gaussians"),
        ({"sh_degree": 4}, "--sh-degree"),
        ({"minutes": float("nan")}, "--minutes"),
        ({"learning_rates": LearningRates(means=0.0)}, "--learning-rates.means"),
        ({"densify": Densify(every=0)}, "--densify.every"),
        ({"supervision": Supervision(Photometric(ssim_weight=1.5))}, "photometric.ssim-weight"),
        ({"supervision": Supervision(Photometric(weight=0.0))}, "--supervision"),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, wrong: dict[str, object], flag: str
) -> None:
    settings = FitSettings(data=tmp_path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=flag):
        settings.resolved()
    file = tmp_path / "config.json"
    file.write_text(config.to_json(settings))
    with pytest.raises(DataError, match=flag):
        config.from_json(file)
