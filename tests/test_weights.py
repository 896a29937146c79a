from pathlib import Path

import pytest

from recon.errors import DataError, ResourceError
from recon.evidence.weights import Weights

WEIGHTS = Weights("Net", "net.pth", "someone/net", "--matcher sift needs none")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(repository: str, file: str) -> str:
        raise ConnectionError(f"no way to {repository}\nsecond line")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.delenv("RECON_WEIGHTS", raising=False)


def test_a_path_given_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_WEIGHTS", str(tmp_path))
    (tmp_path / "net.pth").touch()
    (tmp_path / "other.pth").touch()
    assert WEIGHTS.find(tmp_path / "other.pth") == tmp_path / "other.pth"
    with pytest.raises(DataError, match=r"gone\.pth.*Net"):
        WEIGHTS.find(tmp_path / "gone.pth")


def test_the_folder_goes_next_and_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECON_WEIGHTS", str(tmp_path))
    assert WEIGHTS.on_this_machine() is None
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.pth").touch()
    assert WEIGHTS.find() == tmp_path / "nets" / "net.pth"
    (tmp_path / "net.pth").touch()
    assert WEIGHTS.find() == tmp_path / "net.pth"


def test_the_hub_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *words: "/".join(words))
    assert WEIGHTS.on_this_machine() is None
    assert WEIGHTS.find() == Path("someone/net/net.pth")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "kept")
    assert WEIGHTS.on_this_machine() == Path("kept")


def test_offline_the_places_and_the_way_without_are_said() -> None:
    with pytest.raises(ResourceError) as refused:
        WEIGHTS.find()
    message = str(refused.value)
    for words in (
        "weights of Net",
        "net.pth",
        "--weights (not given)",
        "$RECON_WEIGHTS (not set)",
        "Hugging Face someone/net (no way to someone/net)",
        "--matcher sift needs none",
    ):
        assert words in message
    assert "second line" not in message
