import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.matching.align import Patches, align, halves, search
from recon.matching.local_affine import local_affine

pytestmark = pytest.mark.usefixtures("one_thread")
CENTRE = torch.tensor([48.5, 40.5])


def waves(pixels: torch.Tensor) -> torch.Tensor:
    """A photo that is known between its pixels: a sum of waves of 9 to 40 px."""
    generator = torch.Generator().manual_seed(2)
    angle, phase = 6.28 * torch.rand(2, 12, generator=generator, dtype=torch.float64)
    length = 9 + 31 * torch.rand(12, generator=generator, dtype=torch.float64)
    direction = 6.28 / length * torch.stack([angle.cos(), angle.sin()])
    return 127 + 20 * torch.cos(pixels.double() @ direction + phase).sum(dim=-1)


def seen_through(linear: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """A photo b that shows at linear @ (p - CENTRE) + CENTRE + shift what a shows at p."""
    y, x = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(96) + 0.5, indexing="ij")
    pixels = torch.stack([x, y], dim=-1) - CENTRE - shift
    return waves(pixels.double() @ torch.linalg.inv(linear).T.double() + CENTRE)


PHOTO = seen_through(torch.eye(2), torch.zeros(2)).float()
PLACES = CENTRE + torch.tensor([[0.0, 0], [9, -6], [-8.5, 7.25]])


def near(linear: torch.Tensor, count: int = 3) -> Patches:
    return Patches(PLACES[:count], PLACES[:count], linear.expand(count, 2, 2), torch.zeros(count))


@settings(max_examples=20)
@given(st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.floats(-0.15, 0.15), st.floats(-0.15, 0.15))
def test_alignment_finds_shift_and_shear_below_a_pixel(
    right: float, down: float, stretch: float, turn: float
) -> None:
    linear = torch.tensor([[1 + stretch, -turn], [turn, 1 - stretch]])
    truth = PLACES @ linear.T + (CENTRE - linear @ CENTRE) + torch.tensor([right, down])
    photo = seen_through(linear, torch.tensor([right, down])).float()
    start = Patches(
        PLACES, truth + torch.tensor([1.0, -0.7]), torch.eye(2).expand(3, 2, 2), torch.zeros(3)
    )
    found = align(PHOTO, photo, start, radius=8, steps=10)
    assert (found.pixels_b - truth).norm(dim=-1).max() < 0.05
    assert (found.linear - linear).abs().max() < 0.02
    assert found.alike.min() > 0.99


def test_alignment_minds_neither_brightness_nor_contrast() -> None:
    photo = 0.4 * seen_through(torch.eye(2), torch.tensor([0.6, -0.3])).float() + 50
    found = align(PHOTO, photo, near(torch.eye(2)), radius=8, steps=8)
    assert (found.pixels_b - PLACES - torch.tensor([0.6, -0.3])).norm(dim=-1).max() < 0.02


def test_search_finds_the_whole_pixels_that_alignment_cannot_bridge() -> None:
    photo = seen_through(torch.eye(2), torch.tensor([5.0, -6.0])).float()
    found = search(PHOTO, photo, near(torch.eye(2)), radius=6, reach=7)
    assert torch.equal(found.pixels_b, PLACES + torch.tensor([5.0, -6.0]))
    assert found.alike.min() > 0.95


def test_search_walks_along_the_axes_of_the_patch() -> None:
    quarter = torch.tensor([[0.0, -1], [1, 0]])
    photo = seen_through(quarter, quarter @ torch.tensor([3.0, 2.0])).float()
    found = search(PHOTO, photo, near(quarter, 1), radius=6, reach=4)
    torch.testing.assert_close(found.pixels_b[0], CENTRE + quarter @ torch.tensor([3.0, 2.0]))


def test_what_has_no_texture_stays_in_place() -> None:
    plain = torch.full((80, 96), 80.0)
    found = align(plain, PHOTO, near(torch.eye(2)), radius=8, steps=8)
    assert (found.pixels_b - PLACES).abs().max() < 0.1
    assert found.alike.abs().max() < 1e-3
    assert search(plain, plain, near(torch.eye(2)), radius=6, reach=4).alike.abs().max() == 0


def test_half_a_photo_is_the_photo_at_half_the_pixels() -> None:
    """Also where sizes are odd: a slope stays where it is, so that pixels are halved exactly."""
    y, x = torch.meshgrid(torch.arange(79) + 0.5, torch.arange(95) + 0.5, indexing="ij")
    whole, half = halves((2 * x + y / 2).round().to(torch.uint8), 2)
    assert whole.shape == (79, 95)
    assert half.shape == (40, 48)
    expected = (2 * (2 * x) + (2 * y) / 2)[:40, :48]
    assert (half - expected)[4:-4, 4:-4].mean().abs() < 0.05


def test_neighbours_outvote_outliers_and_average_a_coarse_grid() -> None:
    generator = torch.Generator().manual_seed(1)
    cells = torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0)) * 16
    linear = torch.tensor([[0.9, -0.15], [0.1, 1.1]])
    truth = cells @ linear.T + torch.tensor([40.0, -20.0])
    seen = (truth / 16).round() * 16  # Off by 6 px or so.
    wrong = torch.rand(len(cells), generator=generator) < 0.25
    seen[wrong] = 300 * torch.rand(int(wrong.sum()), 2, generator=generator)
    found = local_affine(cells, seen, 16.0)
    off = (found.pixels_b - truth).norm(dim=-1)
    assert off.median() < 0.6 * (seen - truth).norm(dim=-1)[~wrong].median()
    assert off[wrong].median() < 5
    # Left at a shift, the linear parts would be off by 0.15.
    assert (found.linear.median(dim=0).values - linear).abs().max() < 0.06
    ahead = found.at(cells + torch.tensor([4.0, 0.0])) - found.pixels_b
    torch.testing.assert_close(ahead, 4 * found.linear[:, :, 0])


def test_one_match_alone_is_left_as_it_is() -> None:
    found = local_affine(torch.tensor([[8.0, 8.0]]), torch.tensor([[30.0, 40.0]]), 16.0)
    torch.testing.assert_close(found.pixels_b, torch.tensor([[30.0, 40.0]]))
    torch.testing.assert_close(found.linear[0], torch.eye(2))
    assert len(local_affine(torch.zeros(0, 2), torch.zeros(0, 2), 16.0).linear) == 0
