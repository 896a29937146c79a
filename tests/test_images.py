import io
from dataclasses import astuple, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from PIL import Image

from recon.camera import Intrinsics
from recon.datasets.depth_source import DepthFile
from recon.datasets.exif import read_exif
from recon.datasets.images import PhotoFile
from recon.datasets.photo_header import read_header
from recon.datasets.reader import ReadOptions, read_capture
from recon.distortion import Brown, Fisheye
from recon.errors import DataError
from recon.types import Exif

LENS = Intrinsics(40, 30, 35.0, 36.0, 20.0, 15.0)
NOISE = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def photo(path: Path, lens: Intrinsics = LENS, width: int = 40, height: int = 30) -> PhotoFile:
    return PhotoFile(path, lens, width, height)


def saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def test_area_resize_of_a_fraction(tmp_path: Path) -> None:
    stripes = np.zeros((30, 40, 3), np.uint8)
    stripes[:, ::2] = 200
    file = saved(tmp_path / "a.png", stripes)
    found = photo(file, width=16, height=30).pixels().double()
    # A result pixel covers 2.5 columns: bright, dark and half a bright, or dark and what is left.
    exact = np.array([stripes[0, :, 0].repeat(2)[5 * i : 5 * i + 5].mean() for i in range(16)])
    np.testing.assert_allclose(found[..., 0], np.tile(exact, (30, 1)), atol=0.51)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "1", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image = Image.fromarray(NOISE).convert(mode)
    image.save(file)
    np.testing.assert_array_equal(photo(file).pixels(), np.asarray(image.convert("RGB")))


def test_sixteen_bit_grey_is_rounded_to_eight(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 1200).astype(np.uint16).reshape(30, 40)
    file = saved(tmp_path / "a.png", levels)
    found = photo(file).pixels().numpy()
    np.testing.assert_array_equal(found[..., 0], np.rint(levels / 257))
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    deep = NOISE.astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    np.testing.assert_array_equal(photo(tmp_path / "a.png").pixels(), NOISE)


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.tif", np.ones((30, 40), np.float32))
    with pytest.raises(DataError, match="where white is"):
        photo(file).pixels()


def test_transparency_shows_the_background(tmp_path: Path) -> None:
    alpha = np.zeros((30, 40, 1), np.uint8)
    alpha[:, 10:20], alpha[:, 20:] = 102, 255  # 0, 0.4 and 1.
    file = saved(tmp_path / "a.png", np.concatenate([NOISE, alpha], axis=-1))
    found = replace(photo(file), background=(1.0, 0.5, 0.0)).pixels().double().numpy()
    behind = np.array([255, 127.5, 0])
    np.testing.assert_allclose(found[:, :10], np.broadcast_to(behind, (30, 10, 3)), atol=0.5)
    np.testing.assert_allclose(found[:, 10:20], NOISE[:, 10:20] * 0.4 + behind * 0.6, atol=0.51)
    np.testing.assert_array_equal(found[:, 20:], NOISE[:, 20:])


@pytest.mark.parametrize("lens", [Brown(k1=-0.1, p1=0.01), Fisheye(k1=0.05)])
def test_undistortion_shows_what_a_pinhole_would_see(tmp_path: Path, lens: Brown | Fisheye) -> None:
    # A smooth picture on the plane z = 1, seen once through the lens and once without it.
    def picture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        grey = 128 + 60 * np.sin(9 * x) + 60 * np.cos(7 * y + x)
        return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=-1)

    intrinsics = Intrinsics(120, 90, 80.0, 82.0, 58.0, 46.0, lens)
    u, v = np.meshgrid(np.arange(120) + 0.5, np.arange(90) + 0.5)
    x, y = (u - 58.0) / 80.0, (v - 46.0) / 82.0
    # Invert the lens by fixed-point iteration, to draw the distorted photo.
    a, b = x.copy(), y.copy()
    for _ in range(200):
        p, q = lens.distort(a.ravel(), b.ravel())
        a, b = a + (x - p.reshape(a.shape)) * 0.7, b + (y - q.reshape(b.shape)) * 0.7
    file = saved(tmp_path / "a.png", picture(a, b))
    whole = photo(file, intrinsics, 120, 90)
    found, expected = whole.pixels().double().numpy(), picture(x, y).astype(float)
    valid = whole.valid()
    use = np.ones((90, 120), bool) if valid is None else valid.numpy()
    assert use.mean() > 0.7
    assert np.abs(found - expected)[use].mean() < 1.0
    assert np.abs(found - expected)[use].max() < 8
    assert (found[~use] == 0).all() or not (~use).any()


def test_what_the_photo_does_not_cover_is_not_valid(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.png", NOISE)
    outward = Intrinsics(40, 30, 35.0, 36.0, 20.0, 15.0, Brown(k1=0.3))
    valid = photo(file, outward).valid()
    assert valid is not None
    assert not bool(valid[0, 0])
    assert bool(valid[15, 20])
    inward = replace(outward, distortion=Brown(k1=-0.1))
    assert photo(file, inward).valid() is None


def test_a_mask_is_true_where_it_is_not_black(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.png", NOISE)
    mask = np.full((60, 80), 255, np.uint8)  # Twice the photo's size.
    mask[:, :21] = 0
    masked = replace(photo(file), mask_file=saved(tmp_path / "m.png", mask))
    valid = masked.valid()
    assert valid is not None
    columns = valid.all(dim=0)
    assert torch.equal(columns, valid.any(dim=0))
    assert columns.tolist() == [False] * 10 + [True] * 30
    half = replace(masked, width=20, height=15).valid()
    assert half is not None
    assert half.all(dim=0).tolist() == [False] * 5 + [True] * 15


def test_a_resized_pixel_is_valid_when_all_it_averages_is(tmp_path: Path) -> None:
    mask = np.full((30, 40), 255, np.uint8)
    mask[7, 9] = 0
    file = saved(tmp_path / "a.png", NOISE)
    small = replace(photo(file, width=10, height=10), mask_file=saved(tmp_path / "m.png", mask))
    valid = small.valid()
    assert valid is not None
    assert torch.nonzero(~valid).tolist() == [[2, 2]]


def test_what_moves_is_not_used(tmp_path: Path) -> None:
    moving, mask = np.zeros((30, 40), np.uint8), np.full((30, 40), 255, np.uint8)
    moving[4:9, 10:15] = 255
    mask[:, :3] = 0
    file, there = saved(tmp_path / "a.png", NOISE), saved(tmp_path / "v.png", moving)
    valid = replace(photo(file), moving_file=there).valid()
    assert valid is not None
    np.testing.assert_array_equal(valid, moving == 0)
    both = replace(photo(file), moving_file=there, mask_file=saved(tmp_path / "m.png", mask))
    valid = both.valid()
    assert valid is not None
    np.testing.assert_array_equal(valid, (moving == 0) & (mask > 0))


def test_a_pixel_is_sky_when_all_of_it_is(tmp_path: Path) -> None:
    sky = np.zeros((30, 40), np.uint8)
    sky[:7, 5:40] = 255
    file = saved(tmp_path / "a.png", NOISE)
    assert photo(file).sky() is None
    full = replace(photo(file), sky_file=saved(tmp_path / "s.png", sky)).sky()
    assert full is not None
    np.testing.assert_array_equal(full, sky > 0)
    small = replace(photo(file, width=10, height=10), sky_file=tmp_path / "s.png").sky()
    expected = np.zeros((10, 10), np.bool_)
    expected[:2, 2:] = True  # Row 2 and column 1 hold a little that is not sky.
    assert small is not None
    np.testing.assert_array_equal(small, expected)


def test_sky_is_undistorted_with_its_photo_and_ends_where_it_does(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.png", NOISE)
    everywhere = saved(tmp_path / "s.png", np.full((30, 40), 255, np.uint8))
    bent = replace(LENS, distortion=Brown(k1=0.3))  # The corners' rays lie beyond the photo.
    view = replace(photo(file, bent), sky_file=everywhere)
    sky, valid = view.sky(), view.valid()
    assert sky is not None
    assert valid is not None
    assert torch.equal(sky, valid)
    assert 0 < (~valid).sum() < valid.numel()


@pytest.mark.parametrize("kind", ["png", "npy"])
def test_depth_is_scaled_and_never_mixed(tmp_path: Path, kind: str) -> None:
    stored = np.full((30, 40), 1000, np.uint16)
    stored[:, 20:] = 9000
    stored[0] = 0
    if kind == "png":
        file = saved(tmp_path / "d.png", stored)
    else:
        file = tmp_path / "d.npy"
        values = stored.astype(np.float32)
        values[1] = np.nan
        np.save(file, values)
    with_depth = replace(
        photo(tmp_path / "a.png", width=13, height=10), depth_source=DepthFile(file, 0.001)
    )
    depth = with_depth.depth()
    assert depth is not None
    assert set(depth.z[depth.valid].tolist()) == {1.0, 9.0}
    assert (depth.z[~depth.valid] == 0).all()
    full = replace(with_depth, width=40, height=30).depth()
    assert full is not None
    invalid = [0] if kind == "png" else [0, 1]
    assert sorted(set(torch.nonzero(~full.valid)[:, 0].tolist())) == invalid


def test_depth_follows_undistortion(tmp_path: Path) -> None:
    lens = Intrinsics(40, 30, 35.0, 36.0, 20.0, 15.0, Brown(k1=0.3))
    columns = np.tile(np.arange(1, 41, dtype=np.uint16), (30, 1))
    file = saved(tmp_path / "d.png", columns)
    depth = replace(photo(tmp_path / "a.png", lens), depth_source=DepthFile(file)).depth()
    assert depth is not None
    x, y = lens.undistortion_maps()
    covered = (x >= 0) & (x < 40) & (y >= 0) & (y < 30)
    np.testing.assert_array_equal(depth.valid, covered)
    np.testing.assert_array_equal(depth.z[depth.valid], np.floor(x[covered]) + 1)


def test_a_pickle_is_no_depth(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    bad = replace(photo(tmp_path / "a.png"), depth_source=DepthFile(tmp_path / "d.npy"))
    with pytest.raises(DataError, match="not a plain array"):
        bad.depth()


def test_depth_must_have_two_axes(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.zeros((30, 40, 3)))
    with pytest.raises(DataError, match=r"\(height, width\)"):
        replace(photo(tmp_path / "a.png"), depth_source=DepthFile(tmp_path / "d.npy")).depth()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_cut_off_photo(tmp_path: Path, suffix: str) -> None:
    file = saved(tmp_path / f"a.{suffix}", NOISE)
    whole = file.read_bytes()
    assert read_header(file).width == 40
    for length in (0, 10, len(whole) // 2, len(whole) - 60):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"cannot be read as an image .* copy it again"):
            read_header(file)
        with pytest.raises(DataError, match="cannot be read as an image"):
            photo(file).pixels()


def test_bytes_after_the_end_do_no_harm(tmp_path: Path) -> None:
    file = saved(tmp_path / "a.jpg", NOISE)
    file.write_bytes(file.read_bytes() + b"\0" * 9000)
    assert read_header(file).width == 40


def test_a_photo_that_vanished_or_changed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        photo(tmp_path / "a.png").pixels()
    file = saved(tmp_path / "a.png", NOISE[:20])
    with pytest.raises(DataError, match="40x20 pixels where 40x30"):
        photo(file).pixels()


def test_exif_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    tags = exif.get_ifd(0x8769)
    tags.update({0x829D: 2.8, 0x920A: 50.0, 0xA405: 75, 0x9206: 3.5, 0x829A: 0.008, 0x8827: 200})
    file = saved(tmp_path / "a.jpg", NOISE, exif=exif)
    found = astuple(read_header(file).exif)
    assert found == pytest.approx(astuple(Exif(2.8, 50.0, 75.0, 3.5, 0.008, 200.0)))
    write_transforms(tmp_path, replace(make_scene(), names=[f"{i}.jpg" for i in range(9)]))
    saved(tmp_path / "images" / "3.jpg", NOISE, exif=exif)
    views = read_capture(tmp_path).views
    assert [view.exif.f_number is None for view in views] == [i != 3 for i in range(9)]


def test_exif_that_says_nothing() -> None:
    exif = Image.Exif()
    # Unknown is 0 and infinity is all ones, as the standard has it; a zero denominator is common.
    tags = {0x829D: (0, 0), 0x9206: (0xFFFFFFFF, 1), 0x829A: 0.0, 0x8827: "fast", 0xA405: ()}
    exif.get_ifd(0x8769).update(tags)
    image = Image.fromarray(NOISE)
    image.getexif().get_ifd(0x8769).update(tags)
    assert read_exif(image) == Exif()


def test_orientation_is_kept_where_the_camera_fits_the_stored_pixels(tmp_path: Path) -> None:
    scene = make_scene()
    write_transforms(tmp_path, scene)
    exif = Image.Exif()
    exif[0x0112] = 6
    saved(tmp_path / "images" / scene.names[0], scene.photos[0], exif=exif)
    capture = read_capture(tmp_path)
    np.testing.assert_array_equal(capture.views[0].photo.pixels(), scene.photos[0])
    assert not capture.notes


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_orientation_is_undone_where_only_that_fits(tmp_path: Path, orientation: int) -> None:
    scene = make_scene()
    write_transforms(tmp_path, scene)
    upright = Image.fromarray(scene.photos[0])
    inverse = {
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(inverse)
    assert stored.size == (30, 40)
    stored.save(tmp_path / "images" / scene.names[0], exif=exif)
    capture = read_capture(tmp_path, ReadOptions(hold_every=0))
    assert "1 photo turned by their EXIF orientation, to fit their cameras" in capture.notes
    np.testing.assert_array_equal(capture.views[0].photo.pixels(), scene.photos[0])


def test_a_photo_of_another_shape_is_skipped(tmp_path: Path) -> None:
    scene = make_scene()
    write_transforms(tmp_path, scene)
    saved(tmp_path / "images" / scene.names[0], scene.photos[0][:25])
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    assert "40x25 pixels and its camera 40x30" in capture.warnings[0]


def test_a_photo_too_small_to_be_scored_is_skipped(tmp_path: Path) -> None:
    """A camera's photos may be of another size than it; these show the same in 13 x 10 pixels."""
    scene = make_scene()
    write_transforms(tmp_path, scene)
    saved(tmp_path / "images" / scene.names[0], scene.photos[0][::3, ::3][:, :13])
    capture = read_capture(tmp_path)
    assert len(capture.views) == 8
    assert "13x10 pixels; expected 11 or more" in capture.warnings[0]


def test_a_bomb_is_an_error_not_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path / "a.png", NOISE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match="cannot be read"):
        read_header(file)


def test_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(io.BytesIO(b"hello").getvalue())
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_header(tmp_path / "a.png")
