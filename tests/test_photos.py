import numpy as np
import pytest
import torch

from recon.budget import Resolution
from recon.photos import PhotoCache
from recon.types import Camera, DepthMap, Photo, View


class Counted(Photo):
    """A photo of 13x9 pixels that counts how often it is decoded."""

    def __init__(self, valid: torch.Tensor | None) -> None:
        generator = torch.Generator().manual_seed(0)
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


def view(photo: Photo) -> View:
    return View("a", Camera(torch.eye(4), 20.0, 21.0, 6.5, 4.5, 13, 9), photo)


def test_a_photo_is_decoded_once_a_size() -> None:
    photo = Counted(None)
    cache = PhotoCache(torch.device("cpu"))
    for shrink in (1, 2, 1, 2, 1):
        cache.load(view(photo), shrink)
    assert photo.decoded == 2


def test_a_small_photo_shows_the_same_field_of_view() -> None:
    small, photo, _ = PhotoCache(torch.device("cpu")).load(view(Counted(None)), 2)
    camera = small.camera
    assert photo.shape == (camera.height, camera.width, 3) == (4, 6, 3)
    assert camera.cx / camera.width == pytest.approx(0.5)
    assert camera.width / camera.fx == pytest.approx(13 / 20)
    assert camera.height / camera.fy == pytest.approx(9 / 21)


def test_small_pixels_are_means_over_their_area() -> None:
    original = Counted(None)
    _, photo, _ = PhotoCache(torch.device("cpu")).load(view(original), 2)
    # Each source pixel is split in 6 x 4, so that every small pixel covers whole pieces.
    fine = np.repeat(np.repeat(original.image.numpy().astype(float), 4, 0), 6, 1)
    expected = fine.reshape(4, 9, 6, 13, 3).mean((1, 3))
    np.testing.assert_allclose(photo.numpy(), expected, atol=1.01)


def test_a_small_pixel_counts_only_if_all_it_covers_do() -> None:
    valid = torch.ones(9, 13, dtype=torch.bool)
    valid[0, 0] = valid[8, 12] = False
    _, _, small = PhotoCache(torch.device("cpu")).load(view(Counted(valid)), 2)
    assert small is not None
    expected = torch.ones(4, 6, dtype=torch.bool)
    expected[0, 0] = expected[3, 5] = False
    assert torch.equal(small, expected)


def test_photos_grow_with_the_fit() -> None:
    resolution = Resolution(quarter_until=0.1, half_until=0.3)
    assert [resolution.shrink(p) for p in (0.0, 0.09, 0.1, 0.29, 0.3, 1.0)] == [4, 4, 2, 2, 1, 1]
