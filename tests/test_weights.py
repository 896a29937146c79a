from pathlib import Path

import pytest

from recon.errors import DataError, ResourceError
from recon.evidence.weights import Weights

WEIGHTS = Weights("Net", "net.pth", "someone/net", "--matcher sift needs none")
PAIR = Weights("Pair", "pair/b.bin", "who/pair", "none", "onnx/b.bin", ("a.json",))
ELSEWHERE = Weights("METER", "best", None, "none", source="its authors")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(repository: str, file: str) -> str:
        raise ConnectionError(f"no way to {repository}\nsecond line")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url, timeout: None)
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


@pytest.mark.parametrize("folder", ["pair", "", "onnx"])
def test_a_folder_given_is_looked_into(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "b.bin").touch()
    with pytest.raises(DataError, match=r"a folder without b\.bin, a\.json"):
        PAIR.find(tmp_path)
    (tmp_path / folder / "a.json").touch()
    assert PAIR.find(tmp_path) == tmp_path / folder / "b.bin"


def test_files_that_belong_together_count_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECON_WEIGHTS", str(tmp_path))
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair" / "b.bin").touch()
    assert PAIR.on_this_machine() is None
    with pytest.raises(DataError, match=r"b\.bin: it needs a\.json in the same folder"):
        PAIR.find(tmp_path / "pair" / "b.bin")
    (tmp_path / "pair" / "a.json").touch()
    assert PAIR.find() == PAIR.find(tmp_path / "pair" / "b.bin") == tmp_path / "pair" / "b.bin"


def test_files_that_belong_together_are_fetched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = []

    def download(repository: str, file: str) -> str:
        fetched.append(file)
        return f"{repository}/{file}"

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert PAIR.find() == Path("who/pair/onnx/b.bin")
    assert fetched == ["onnx/a.json", "onnx/b.bin"]


def test_what_hugging_face_has_not_names_its_source() -> None:
    with pytest.raises(ResourceError, match="not published there, but by its authors"):
        ELSEWHERE.find()


def test_without_a_network_no_download_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """The download asks again and again, for half a minute."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Name or service not known")

    begun = []
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", refuse)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *words: begun.append(words))
    with pytest.raises(ResourceError, match=r"someone/net \(Name or service not known\)"):
        WEIGHTS.find()
    assert not begun
