from pathlib import Path

import pytest

from recon.errors import DataError, ResourceError, UsageError
from recon.matching.choose import MatcherOptions, choose_matcher


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(repository: str, file: str) -> str:
        raise ConnectionError("offline")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.delenv("RECON_WEIGHTS", raising=False)


def test_without_weights_sift_matches() -> None:
    assert choose_matcher().name == "sift"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("aliked", "aliked-n16.pth"),
        ("aliked-t16", "aliked-t16.pth"),
        ("loftr", "loftr_outdoor.ckpt"),
        ("loftr-indoor", "loftr_indoor_ds_new.ckpt"),
        ("loftr-coarse", "LoFTR_teacher.pt"),
    ],
)
def test_asked_for_without_weights_the_way_without_is_named(name: str, file: str) -> None:
    with pytest.raises(ResourceError, match=rf"{file}.*--matcher sift") as refused:
        choose_matcher(MatcherOptions(name))  # type: ignore[arg-type]
    assert "RECON_WEIGHTS" in str(refused.value)


def test_weights_go_with_a_matcher(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="whose weights"):
        choose_matcher(MatcherOptions("auto", tmp_path / "x.pth"))
    with pytest.raises(DataError, match=r"x\.pth: no such file"):
        choose_matcher(MatcherOptions("aliked", tmp_path / "x.pth"))


def test_what_is_here_is_used(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_WEIGHTS", str(shared / "weights"))
    assert choose_matcher().name == "loftr-coarse"
    assert "t16" in choose_matcher(MatcherOptions("aliked-t16")).identity
    monkeypatch.setenv("RECON_WEIGHTS", str(shared / "weights" / "aliked"))
    assert choose_matcher().name == "aliked"
