"""Of photos in many planes of focus, the one that was moved is found."""

import cv2
import numpy as np
import pytest
from test_stack_alignment import stack

from recon.motion_blur import SHAKEN, unevenness


def dragged(photo: np.ndarray, length: int, angle: float) -> np.ndarray:
    """Move a photo along a line while it is taken."""
    steps = np.linspace(-length / 2, length / 2, 4 * length + 1)
    moved = [
        cv2.warpAffine(
            photo.astype(np.float32),
            np.array([[1, 0, s * np.cos(angle)], [0, 1, s * np.sin(angle)]]),
            photo.shape[1::-1],
            borderMode=cv2.BORDER_REFLECT_101,
        )
        for s in steps
    ]
    return np.mean(moved, 0).round().astype(np.uint8)


@pytest.mark.parametrize(("seed", "angle"), [(1, 0.0), (2, 0.7), (4, 1.9)])
def test_the_shaken_photo_stands_out(seed: int, angle: float) -> None:
    photos = stack(seed, 5)
    assert unevenness(photos).max() < SHAKEN
    photos[1] = dragged(photos[1], 12, angle)
    found = unevenness(photos)
    assert found.argmax() == 1
    assert found[1] > SHAKEN


def test_of_two_photos_none_is_the_odd_one() -> None:
    photos = stack(1, 2)
    assert np.array_equal(unevenness(photos), np.zeros(2))
