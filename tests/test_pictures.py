import cv2
import matplotlib as mpl
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recon.errors import DataError
from recon.pictures import (
    DARK,
    LEGEND_WIDTH,
    DepthRange,
    as_8_bit,
    as_16_bit,
    depth_picture,
    error_picture,
    read_png,
    side_by_side,
    with_caption,
    with_legend,
    write_png,
)


def test_8_bit_rounds_and_clips():
    values = torch.tensor([-1.0, 0.0, 0.4999 / 255, 0.5001 / 255, 254.4 / 255, 1.0, 7.0])
    assert as_8_bit(values).tolist() == [0, 0, 0, 1, 254, 255, 255]


def test_pillow_reads_the_colours_that_were_written(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    write_png(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
    np.testing.assert_array_equal(read_png(tmp_path / "a.png", 7, 5), picture)


def test_16_bit_depth_survives_a_file(tmp_path):
    depth = torch.tensor([[0.0, 1.2344, 1.2346], [65.535, 70.0, 0.0004]])
    write_png(tmp_path / "a.png", as_16_bit(depth, 1000.0))
    stored = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[0, 1234, 1235], [65535, 65535, 0]]


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "size"])
def test_a_picture_that_cannot_be_compared_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "a.png"
    if damage != "missing":
        write_png(path, np.zeros((5, 8 if damage == "size" else 7, 3), np.uint8))
        content = path.read_bytes()
        altered = {"empty": b"", "text": b"hello", "cut": content[:20], "size": content}
        path.write_bytes(altered[damage])
    with pytest.raises(DataError, match=r"expected .*7x5 pixels") as refusal:
        read_png(path, 7, 5)
    assert str(path) in str(refusal.value)


def test_depth_has_the_colours_of_matplotlibs_turbo():
    span = DepthRange(1.0, 10.0)
    depth = torch.linspace(1, 10, 50)[None]
    found = depth_picture(depth, torch.ones(1, 50, dtype=torch.bool), span)
    place = (1 / depth.numpy() - 0.1) / 0.9
    wanted = mpl.colormaps["turbo"](place)[..., :3] * 255
    # One of the 256 steps of the table, which differ by up to 8: matplotlib cuts where we round.
    np.testing.assert_allclose(found, wanted, atol=9)


def test_depth_beyond_the_range_takes_the_last_colour_and_no_depth_is_dark():
    span = DepthRange(1.0, 10.0)
    depth = torch.tensor([[0.5, 1.0, 10.0, 99.0, 0.0]])
    found = depth_picture(depth, depth > 0, span)
    assert (found[0, 0] == found[0, 1]).all()
    assert (found[0, 2] == found[0, 3]).all()
    assert tuple(found[0, 4]) == DARK


@given(st.floats(0.01, 100), st.floats(1.05, 1e4), st.floats(0, 1))
def test_legend_and_colours_agree(near, ratio, position):
    span = DepthRange(near, near * ratio)
    depth = np.array([span.depth_at(position)])
    assert span.position(depth)[0] == pytest.approx(position, abs=1e-6)


def test_the_range_leaves_out_a_few_far_and_empty_pixels():
    depths = torch.cat([torch.zeros(50), torch.linspace(2, 4, 99), torch.tensor([1e6])])
    span = DepthRange.of(depths)
    assert 2 <= span.near < 2.1
    assert 3.9 < span.far < 4.2
    assert DepthRange.of(torch.zeros(0)).near < DepthRange.of(torch.zeros(0)).far
    flat = DepthRange.of(torch.full((9,), 3.0))
    assert flat.near < flat.far


def test_pictures_are_joined_without_change():
    a, b = (np.full((30, width, 3), value, np.uint8) for width, value in ((10, 50), (20, 90)))
    row = side_by_side([a, b])
    assert row.shape == (30, 34, 3)
    np.testing.assert_array_equal(row[:, :10], a)
    np.testing.assert_array_equal(row[:, 14:], b)
    np.testing.assert_array_equal(with_caption(a, "ä view")[20:], a)
    legend = with_legend(a, DepthRange(1.0, 2.0, "m"))
    assert legend.shape == (30, 10 + LEGEND_WIDTH, 3)
    np.testing.assert_array_equal(legend[:, :10], a)


def test_larger_errors_are_brighter_and_pixels_that_do_not_count_are_dark():
    difference = torch.tensor([[0.0, 0.1, 0.2, 0.3, 0.3]])
    valid = torch.tensor([[True, True, True, True, False]])
    sums = error_picture(difference, valid, 0.25)[0].astype(int).sum(-1)
    assert (np.diff(sums[:4]) > 0).all()
    assert sums[4] == sum(DARK)
