"""Slices that were moved by known homographies are brought back; others are refused by name."""

import cv2
import numpy as np
import pytest
import torch
from jaxtyping import Float

from recon.datasets.synthetic.painted import paint
from recon.defocus import blur
from recon.errors import DataError
from recon.optics import signed_coc, thin_lens
from recon.srgb import to_srgb
from recon.stack_alignment import align

HEIGHT, WIDTH = 144, 192
CORNERS = np.array([[0, 0, 1], [WIDTH, 0, 1], [0, HEIGHT, 1], [WIDTH, HEIGHT, 1.0]]).T


def stack(seed: int, count: int = 4) -> list[np.ndarray]:
    scene = paint(np.random.default_rng([seed, 9]), HEIGHT, WIDTH)
    nearness = torch.from_numpy(scene.nearness)
    low, high = float(nearness.min()), float(nearness.max())
    light, photos = torch.from_numpy(scene.light).clamp(0, 1), []
    for focus in np.linspace(low, high, count).tolist():
        lens = thin_lens(8 / (high - low), 1 / focus)
        seen = blur(light, signed_coc(1 / nearness, lens).contiguous(), encoded=False)
        photos.append((255 * to_srgb(seen)).round().clamp(0, 255).to(torch.uint8).numpy())
    return photos


def moved(photo: np.ndarray, matrix: Float[np.ndarray, "3 3"]) -> np.ndarray:
    """Move a photo by a homography of pixels whose first one's centre is at 0.5."""
    half = np.eye(3)
    half[:2, 2] = 0.5
    at_0 = np.linalg.inv(half) @ matrix @ half
    how, border = cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101
    return cv2.warpPerspective(photo, at_0, (WIDTH, HEIGHT), flags=how, borderMode=border)


def breath(step: int) -> np.ndarray:
    """Return the growth of a picture about its centre by focusing, and a push of the tripod."""
    scale = 1 + 0.01 * step
    shift = (1 - scale) * np.array([WIDTH, HEIGHT]) / 2 + 0.8 * step * np.array([1, -0.5])
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1.0]])


def off(found: np.ndarray, true: np.ndarray) -> float:
    at, should = found @ CORNERS, true @ CORNERS
    return float(np.linalg.norm(at[:2] / at[2] - should[:2] / should[2], axis=0).max())


@pytest.mark.parametrize("seed", [1, 2])
def test_breathing_is_undone(seed: int) -> None:
    photos = stack(seed)
    true = [breath(index - 2) for index in range(4)]
    shaken = [moved(photo, matrix) for photo, matrix in zip(photos, true, strict=True)]
    found = align(shaken, list("abcd"))
    assert found.reference == 2
    assert found.moved[2] == 0
    for index in (0, 1, 3):
        assert off(found.homographies[index], true[index]) < 0.5, index
        inner = (slice(12, -12),) * 2
        before, after = (
            np.abs(one[inner].astype(float) - photos[index][inner]).mean()
            for one in (shaken[index], found.warped(index, shaken[index]))
        )
        assert after < 0.5 * before


def test_what_stands_still_is_left_as_it_is() -> None:
    photos = stack(5)
    found = align(photos, list("abcd"))
    assert found.moved == (0, 0, 0, 0)
    assert np.array_equal(found.homographies, np.tile(np.eye(3), (4, 1, 1)))
    assert found.warped(0, photos[0]) is photos[0]


def test_photos_of_something_else_are_named() -> None:
    with pytest.raises(DataError, match=r"x\.png: cannot be aligned"):
        align([*stack(1)[:3], stack(4)[3]], ["a.png", "b.png", "c.png", "x.png"])


def test_another_size_is_named() -> None:
    photos = stack(1, 2)
    with pytest.raises(DataError, match=r"b\.png: 192x100 pixels; expected 192x144 as in a\.png"):
        align([photos[0], photos[1][:100]], ["a.png", "b.png"])
