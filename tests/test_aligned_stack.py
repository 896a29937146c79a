"""Slices of a focal stack that lie beside one another are brought together before a fit."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from stacks import write_stack

from recon.aligned_stack import MovedPhoto, with_aligned_slices
from recon.commands.capture import capture_of
from recon.config import FitSettings
from recon.datasets.reader import read_capture

SEED, WIDE, HIGH = 5, 192, 144
INNER = (slice(8, -8), slice(8, -8))


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stack(tmp_path_factory.mktemp("still") / "one", SEED, wide=WIDE, high=HIGH)


@pytest.fixture(scope="module")
def breathing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("breathing") / "one"
    return write_stack(made, SEED, wide=WIDE, high=HIGH, breath=0.04)


def test_a_lens_that_breathes_is_undone_before_a_fit(still: Path, breathing: Path) -> None:
    truth, raw = read_capture(still), read_capture(breathing)
    found = capture_of(FitSettings(breathing).resolved())
    assert any("lie beside the middle one" in note for note in found.notes)
    for view, before, exact in zip(found.train, raw.train, truth.train, strict=True):
        valid = view.photo.valid()
        use = torch.ones(exact.photo.pixels().shape[:2], dtype=torch.bool)
        use = (use if valid is None else valid)[INNER]
        assert float(use.float().mean()) > 0.8

        def off(photo, exact=exact, use=use):  # type: ignore[no-untyped-def]
            apart = photo.pixels()[INNER].float() - exact.photo.pixels()[INNER].float()
            return float(apart[use].abs().mean())

        if isinstance(view.photo, MovedPhoto):
            assert off(view.photo) < 0.7 * off(before.photo)
        else:
            assert off(view.photo) == 0.0
    assert sum(isinstance(view.photo, MovedPhoto) for view in found.train) == 2


def test_what_a_moved_slice_did_not_see_is_not_learned_from(breathing: Path) -> None:
    found = with_aligned_slices(read_capture(breathing))
    # The far slice shows the scene smaller, so all of the frame; the near one larger, so less.
    seen = [
        float(v.photo.valid().float().mean()) for v in found.train if v.photo.valid() is not None
    ]  # type: ignore[union-attr]
    assert len(seen) == 2
    assert min(seen) < 0.97
    assert all(
        view.photo.depth() is None for view in found.train if isinstance(view.photo, MovedPhoto)
    )


def test_slices_that_lie_right_stay_as_they_are(still: Path) -> None:
    capture = read_capture(still)
    assert with_aligned_slices(capture) is capture


def test_a_slice_of_something_else_is_named_and_nothing_is_moved(tmp_path: Path) -> None:
    other = write_stack(tmp_path / "mixed", SEED, wide=WIDE, high=HIGH)
    strange = np.random.default_rng(0).integers(0, 255, (HIGH, WIDE, 3), np.uint8)
    cv2.imwrite(str(other / "images/2.jpg"), strange)
    found = with_aligned_slices(read_capture(other))
    assert any("images/2.jpg: cannot be aligned" in warning for warning in found.warnings)
    assert not any(isinstance(view.photo, MovedPhoto) for view in found.train)
