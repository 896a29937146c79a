from pathlib import Path

import cv2
import numpy as np
import pytest

from recon.datasets.black_border import black_border, border_of
from recon.datasets.reader import ReadOptions, read_capture

BLACK = (0.0, 0.0, 0.0)


def write(folder: Path, count: int, border: int, dark: bool = False) -> list[Path]:
    """Photos of noise, dark ones where asked for, with a black rim of a width."""
    rng = np.random.default_rng(0)
    files = []
    for i in range(count):
        image = rng.integers(0 if dark else 40, 10 if dark else 256, (120, 160, 3)).astype(np.uint8)
        if border:
            inner = image[border:-border, border:-border].copy()
            image[:] = 0
            image[border:-border, border:-border] = inner
        files.append(folder / f"{i}.png")
        cv2.imwrite(str(files[-1]), image)
    return files


def test_a_common_black_rim_is_found_with_a_margin(tmp_path: Path) -> None:
    border = black_border(write(tmp_path, 6, border=1), False, BLACK)
    assert border is not None
    expected = np.ones((120, 160), bool)
    expected[3:-3, 3:-3] = False
    np.testing.assert_array_equal(border, expected)


@pytest.mark.parametrize(
    ("count", "border", "dark"), [(6, 0, False), (3, 1, False), (6, 0, True), (6, 8, False)]
)
def test_nothing_is_taken_for_a_border_without_reason(
    tmp_path: Path, count: int, border: int, dark: bool
) -> None:
    """No rim; too few photos to tell; night; a frame too wide to come from undistortion."""
    assert black_border(write(tmp_path, count, border, dark), False, BLACK) is None


def test_black_inside_the_photo_stays() -> None:
    brightest = np.full((60, 80), 200, np.uint8)
    brightest[20:24, 30:40] = 0
    assert border_of(brightest) is None
    brightest[:, 0] = 0
    border = border_of(brightest)
    assert border is not None
    assert not border[20:24, 30:40].any()


def test_a_few_dark_pixels_at_the_edge_are_chance() -> None:
    brightest = np.full((600, 800), 200, np.uint8)
    brightest[0, 100:150] = 0
    assert border_of(brightest) is None
    brightest[:, 0] = 0
    assert border_of(brightest) is not None


def test_photos_of_two_sizes_say_nothing(tmp_path: Path) -> None:
    files = write(tmp_path, 6, border=1)
    cv2.imwrite(str(files[-1]), np.zeros((20, 20, 3), np.uint8))
    assert black_border(files, False, BLACK) is None


def test_the_fox_s_rim_is_masked_unless_kept(shared: Path) -> None:
    folder = shared / "data" / "ngp_fox_540"
    masked = read_capture(folder, ReadOptions(downscale=2.0))
    valid = masked.views[0].photo.valid()
    assert valid is not None
    assert 0.01 < 1 - float(valid.float().mean()) < 0.06
    for rim in (valid[0], valid[-1], valid[:, 0], valid[:, -1]):
        assert float(rim.float().mean()) < 0.05
    assert any("--keep-border" in note for note in masked.notes)
    kept = read_capture(folder, ReadOptions(downscale=2.0, keep_border=True))
    assert kept.views[0].photo.valid() is None


def test_fern_and_fountain_have_no_rim(shared: Path) -> None:
    for name in ("llff_fern_504", "strecha_fountain-P11"):
        capture = read_capture(shared / "data" / name, ReadOptions(downscale=4.0))
        assert all(view.photo.valid() is None for view in capture.views)
