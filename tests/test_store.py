from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.errors import ResourceError
from recon.evidence.store import Store, default_folder, digest


def test_what_was_written_is_read(tmp_path: Path) -> None:
    store, key = Store(tmp_path / "deep" / "cache"), digest("a", b"b")
    assert store.read("matches", key) is None
    store.write("matches", key, b"content")
    assert store.read("matches", key) == b"content"
    assert store.read("depth", key) is None
    store.write("matches", key, b"")
    assert Store(tmp_path / "deep" / "cache").read("matches", key) == b""


@given(st.lists(st.binary(max_size=3), max_size=4), st.lists(st.binary(max_size=3), max_size=4))
def test_different_parts_have_different_digests(one: list[bytes], other: list[bytes]) -> None:
    assert (digest(*one) == digest(*other)) == (one == other)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_result_counts_as_absent(tmp_path: Path, damage: str) -> None:
    store, key = Store(tmp_path), digest("a")
    store.write("matches", key, b"content")
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-1], "flipped": content[:-1] + b"\0", "emptied": b""}[damage])
    assert store.read("matches", key) is None


def test_nothing_but_the_result_is_left(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(2):
        store.write("matches", digest("a"), b"content")
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder is expected")
    with pytest.raises(ResourceError, match=r"cache.*RECON_CACHE"):
        Store(tmp_path / "cache").write("matches", digest("a"), b"content")


def test_the_environment_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("RECON_CACHE", raising=False)
    assert default_folder() == tmp_path / "xdg" / "recon"
    monkeypatch.setenv("RECON_CACHE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
