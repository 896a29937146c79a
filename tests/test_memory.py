"""Whether errors say that memory ran out, by the libraries' own: each is asked for far too much."""

from collections.abc import Callable

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from recon.core import HAS_CORE
from recon.memory import ran_out_of_memory

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
