"""Photos at the sizes a fit asks for, and how much memory they take."""

import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.budget import Resolution
from recon.errors import DataError
from recon.evidence.interface import Evidence, Need, Provider
from recon.sights import Sights
from recon.types import Camera, DepthMap, Photo, View


class Counted(Photo):
    """A photo of 13x9 pixels that counts how often it is decoded."""

    def __init__(self, valid: torch.Tensor | None, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.image = torch.randint(0, 256, (9, 13, 3), generator=generator).to(torch.uint8)
        self.used = valid
        self.decoded = 0

    def pixels(self) -> torch.Tensor:
        self.decoded += 1
        return self.image

    def valid(self) -> torch.Tensor | None:
        return self.used

    def depth(self) -> DepthMap | None:
        return None

    def sky(self) -> torch.Tensor | None:
        return None


class Column(Provider):
    """Knows where the sky is in every view: in the last columns."""

    gives = Need.SKY

    def add(self, evidence: Evidence, view: View) -> Evidence:
        sky = torch.zeros(view.camera.height, view.camera.width, dtype=torch.bool)
        sky[:, 7:] = True
        return replace(evidence, sky=sky)


def view(photo: Photo, name: str = "a") -> View:
    return View(name, Camera(torch.eye(4), 20.0, 21.0, 6.5, 4.5, 13, 9), photo)


def sights(*photos: Photo, budget: int = 10**9) -> Sights:
    views = [view(photo, str(i)) for i, photo in enumerate(photos)]
    return Sights(views, [Column()], torch.device("cpu"), budget)


WHOLE = 9 * 13 * (3 + 1)
"""Bytes of a photo and its sky."""


def test_with_memory_enough_a_photo_is_decoded_once_for_all_sizes() -> None:
    photos = [Counted(None) for _ in range(4)]
    all_of_them = sights(*photos)
    for shrink in (4, 2, 1):
        for _ in range(2):
            for index in range(4):
                all_of_them.look(index, shrink)
    assert [photo.decoded for photo in photos] == [1] * 4
    assert all_of_them.kept_bytes == 4 * WHOLE


def test_what_does_not_fit_is_decoded_again() -> None:
    photos = [Counted(None) for _ in range(4)]
    some = sights(*photos, budget=2 * WHOLE)
    for _ in range(3):
        for index in range(4):
            some.look(index, 1)
    assert [photo.decoded for photo in photos] == [1, 1, 3, 3]


def test_the_size_in_use_goes_before_whole_photos() -> None:
    photos = [Counted(None) for _ in range(4)]
    small = 4 * 6 * (3 + 1)
    some = sights(*photos, budget=4 * small + WHOLE)
    for _ in range(3):
        for index in range(4):
            some.look(index, 2)
    assert [photo.decoded for photo in photos] == [1] * 4
    for index in range(4):
        some.look(index, 1)
    assert sorted(photo.decoded for photo in photos) == [1, 2, 2, 2]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 2, 4])), max_size=20),
    st.integers(0, 5 * WHOLE),
    st.booleans(),
)
def test_neither_budget_nor_thread_changes_what_is_seen(
    asked: list[tuple[int, int]], budget: int, ahead: bool
) -> None:
    photos = [Counted(None, seed) for seed in range(4)]
    some = sights(*photos, budget=budget)
    with some if ahead else nullcontext():
        for (index, shrink), (following, _) in zip(asked, [*asked, (0, 1)][1:], strict=True):
            found = some.look(index, shrink, following)
            alone = sights(photos[index]).look(0, shrink)
            assert found.view.name == str(index)
            assert torch.equal(found.photo, alone.photo)
            assert found.evidence.sky is not None
            assert alone.evidence.sky is not None
            assert torch.equal(found.evidence.sky, alone.evidence.sky)
    assert some.kept_bytes <= budget


def test_the_next_photo_is_decoded_while_the_last_is_in_use() -> None:
    begun = threading.Event()

    class Slow(Counted):
        def pixels(self) -> torch.Tensor:
            begun.set()
            return super().pixels()

    with sights(Counted(None), Slow(None)) as some:
        some.look(0, 1, following=1)
        assert begun.wait(60)


def test_a_photo_that_cannot_be_read_is_an_error_of_its_own_step() -> None:
    class Gone(Counted):
        def pixels(self) -> torch.Tensor:
            raise DataError("gone")

    with sights(Counted(None), Gone(None)) as some:
        some.look(0, 1, following=1)
        with pytest.raises(DataError, match="gone"):
            some.look(1, 1, following=0)
        some.look(0, 1)


def test_a_small_photo_shows_the_same_field_of_view() -> None:
    small = sights(Counted(None)).look(0, 2)
    camera = small.view.camera
    assert small.photo.shape == (camera.height, camera.width, 3) == (4, 6, 3)
    assert camera.cx / camera.width == pytest.approx(0.5)
    assert camera.width / camera.fx == pytest.approx(13 / 20)
    assert camera.height / camera.fy == pytest.approx(9 / 21)


def test_small_pixels_are_means_over_their_area() -> None:
    original = Counted(None)
    photo = sights(original).look(0, 2).photo
    # Each source pixel is split in 6 x 4, so that every small pixel covers whole pieces.
    fine = np.repeat(np.repeat(original.image.numpy().astype(float), 4, 0), 6, 1)
    expected = fine.reshape(4, 9, 6, 13, 3).mean((1, 3))
    np.testing.assert_allclose(photo.numpy(), expected, atol=1.01)


def test_a_small_pixel_counts_only_if_all_it_covers_do() -> None:
    valid = torch.ones(9, 13, dtype=torch.bool)
    valid[0, 0] = valid[8, 12] = False
    small = sights(Counted(valid)).look(0, 2).valid
    assert small is not None
    expected = torch.ones(4, 6, dtype=torch.bool)
    expected[0, 0] = expected[3, 5] = False
    assert torch.equal(small, expected)


def test_photos_grow_with_the_fit() -> None:
    resolution = Resolution(quarter_until=0.1, half_until=0.3)
    assert [resolution.shrink(p) for p in (0.0, 0.09, 0.1, 0.29, 0.3, 1.0)] == [4, 4, 2, 2, 1, 1]
