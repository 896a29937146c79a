"""What is free, and whether errors say that memory ran out: each library is asked for too much."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from recon import memory
from recon.core import HAS_CORE
from recon.memory import MemorySettings, available_memory_bytes, ran_out_of_memory

MUCH = 1 << 60


def native() -> None:
    if not HAS_CORE:
        pytest.skip("no native core")
    from recon import _core

    _core.recycled((MUCH,))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: bytearray(MUCH),
        lambda: np.empty(MUCH, np.uint8),
        lambda: torch.empty(MUCH, dtype=torch.uint8),
        lambda: cv2.resize(np.zeros((9, 9, 3), np.uint8), (1 << 22, 1 << 24)),
        lambda: pa.allocate_buffer(MUCH),
        native,
    ],
    ids=["python", "numpy", "torch", "opencv", "arrow", "core"],
)
def test_a_library_that_finds_no_memory(ask: Callable[[], object]) -> None:
    with pytest.raises(Exception) as found:  # noqa: PT011 - which class it is, is the question.
        ask()
    assert ran_out_of_memory(found.value)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
              RuntimeError("std::bad_alloc"), OSError(12, "Cannot allocate memory")],
)  # fmt: skip
def test_what_others_say(error: Exception) -> None:
    assert ran_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), OSError(28, "No space"),
              KeyError("memory")],
)  # fmt: skip
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    assert not ran_out_of_memory(error)


def test_what_is_free_is_less_than_the_machine_has() -> None:
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < available_memory_bytes() < pages


@pytest.mark.parametrize(("limit", "free"), [(3 * 2**30, 2**31 + 5), ("max", None), (2**30, 0)])
def test_a_container_has_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: object, free: int | None
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{2**30 + 7 if free else 2**31}\n")
    (tmp_path / "memory.stat").write_text("anon 3\ninactive_file 12\nfile 99\n")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    found = available_memory_bytes()
    assert found > 2**31 + 5 if free is None else found == free


def test_the_share_of_photos_is_the_users_or_a_third() -> None:
    assert MemorySettings(photos=1.5).photo_bytes() == 3 * 2**29
    third = MemorySettings().photo_bytes() / available_memory_bytes()
    assert third == pytest.approx(1 / 3, rel=0.3)
