"""Which part of a photo is in focus, against photos blurred by a known amount."""

import numpy as np
import pytest
import torch
from jaxtyping import Float32, UInt8
from photos import MemoryPhoto

from recon.defocus.operator import blur
from recon.in_focus import InFocusOnly, SharpPhoto
from recon.sharpness import confusion, in_focus
from recon.types import Camera, View

HEIGHT, WIDTH = 160, 240


def squares(edge: int = 12) -> Float32[np.ndarray, "h w 3"]:
    """Squares of random grey, whose edges are steps, drawn finely and averaged into pixels."""
    random = np.random.default_rng(2)
    fine = 4
    cells = random.uniform(0.15, 0.85, (HEIGHT // edge + 2, WIDTH // edge + 2)).astype(np.float32)
    rows = (np.arange(HEIGHT * fine) + 7) // (edge * fine)
    columns = (np.arange(WIDTH * fine) + 5) // (edge * fine)
    large = cells[rows][:, columns]
    small = large.reshape(HEIGHT, fine, WIDTH, fine).mean((1, 3))
    return np.repeat(small[..., None], 3, axis=2)


def taken(circles: torch.Tensor) -> UInt8[np.ndarray, "h w 3"]:
    """The squares through a lens, in 8 bits."""
    blurred = blur(torch.from_numpy(squares()), circles)
    return (blurred.clamp(0, 1) * 255).round().byte().numpy()


@pytest.mark.parametrize("coc", [4.0, 6.0, 9.0])
def test_the_circle_of_confusion_is_told_from_the_photo(coc: float) -> None:
    found = confusion(taken(torch.full((HEIGHT, WIDTH), coc)))
    inner = found[20:-20, 20:-20]
    assert float(np.median(inner)) == pytest.approx(coc, rel=0.25)


def test_more_blur_is_never_taken_for_less() -> None:
    medians = [
        float(np.median(confusion(taken(torch.full((HEIGHT, WIDTH), coc)))))
        for coc in (0.0, 2.0, 4.0, 6.0, 8.0)
    ]
    assert medians == sorted(medians)
    assert medians[0] < 2


def test_what_is_in_focus_is_kept_and_what_is_not_is_left_out() -> None:
    """The left half is sharp, the right half out of focus by 8 px."""
    circles = torch.zeros(HEIGHT, WIDTH)
    circles[:, WIDTH // 2 :] = 8.0
    kept = in_focus(taken(circles))
    away = 20
    assert kept[:, : WIDTH // 2 - away].mean() > 0.95
    assert kept[:, WIDTH // 2 + away :].mean() < 0.05


def test_what_has_no_texture_is_kept() -> None:
    """A wall looks the same in focus and out of it."""
    assert bool(in_focus(np.full((HEIGHT, WIDTH, 3), 128, np.uint8)).all())


def test_only_the_sharp_part_of_what_was_valid_is_learned_from() -> None:
    mask = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    mask[: HEIGHT // 2] = False
    circles = torch.zeros(HEIGHT, WIDTH)
    circles[:, WIDTH // 2 :] = 8.0
    pixels = torch.from_numpy(taken(circles))
    camera = Camera(torch.eye(4), 200.0, 200.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    view = View("one", camera, MemoryPhoto(pixels, mask))
    lens = InFocusOnly([view])
    learned = lens.learned_from(view).photo
    valid = learned.valid()
    assert valid is not None
    assert not bool(valid[: HEIGHT // 2].any())
    assert float(valid[HEIGHT // 2 :, :90].float().mean()) > 0.95
    assert float(valid[HEIGHT // 2 :, -90:].float().mean()) < 0.05
    assert torch.equal(learned.pixels(), pixels)
    assert lens.of(view) is None
    assert "2" in lens.found()
    whole = SharpPhoto(MemoryPhoto(pixels)).valid()
    assert torch.equal(valid[HEIGHT // 2 :], whole[HEIGHT // 2 :])
