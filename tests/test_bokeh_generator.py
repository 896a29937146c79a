"""Makers of bokeh stacks, against the operator on planes and closed forms."""

import math

import pytest
import torch

from recon.defocus import blur, defocus
from recon.errors import DataError, UsageError
from recon.networks.bokeh_from_depth import FromDepth, everywhere
from recon.networks.bokeh_generator import BokehGenerator
from recon.optics import photographic_lens, thin_lens
from recon.types import Camera, DepthKind, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def plane(z: float, inverse_focus: float = 0.0) -> BokehGenerator:
    def depth_of(pixels: torch.Tensor, camera: Camera | None) -> DepthMap:
        depth = torch.full(pixels.shape[:2], z)
        return DepthMap(depth, torch.ones_like(depth, dtype=torch.bool))

    return FromDepth(depth_of, f"a plane at {z} m", inverse_focus)


def test_no_aperture_gives_the_image_bit_by_bit() -> None:
    image = noise(3, 9, 14)
    stack = plane(2.0).stack(image, [0.0, 4.0, 0.0])
    assert torch.equal(stack[0], image)
    assert torch.equal(stack[2], image)
    assert not torch.equal(stack[1], image)


def test_a_plane_is_blurred_by_the_strength_over_its_depth() -> None:
    image = noise(3, 20, 31)
    stack = plane(2.0).stack(image, [3.0, 6.0])
    for frame, coc in zip(stack, (1.5, 3.0), strict=True):
        expected = blur(image.permute(1, 2, 0).contiguous(), torch.full((20, 31), -coc))
        torch.testing.assert_close(frame.permute(1, 2, 0), expected, atol=1e-6, rtol=0)


def test_the_plane_of_focus_stays_sharp_and_infinity_is_blurred() -> None:
    image = noise(3, 12, 12)
    torch.testing.assert_close(plane(2.0, 0.5).stack(image, [8.0])[0], image, atol=1e-6, rtol=0)
    seen = plane(math.inf, 0.5).stack(image, [8.0])[0].permute(1, 2, 0)
    sharp = image.permute(1, 2, 0).contiguous()
    expected = defocus(sharp, torch.full((12, 12), torch.inf), thin_lens(8.0, 2.0))
    torch.testing.assert_close(seen, expected, atol=1e-6, rtol=0)


def test_our_strength_is_twice_that_of_the_paper() -> None:
    focal, focus, f_number, sensor, width = 0.05, 2.0, 1.8, 0.036, 640
    paper = focal**2 * focus / (2 * f_number * (focus - focal)) * width / sensor
    ours = photographic_lens(f_number, 1e3 * focal, focus, 1e3 * sensor, width)
    assert float(ours.strength) == pytest.approx(2 * paper, rel=1e-6)


@pytest.mark.parametrize("strengths", [[], [1.0, -0.1], [math.nan], [math.inf]])
def test_refuses_what_are_no_strengths(strengths: list[float]) -> None:
    with pytest.raises(UsageError, match="expected"):
        plane(2.0).stack(noise(3, 8, 8), strengths)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (noise(3, 8, 8) * 1.2, "expected 0 to 1"),
        (noise(3, 8, 8).index_fill(2, torch.tensor([1]), math.nan), "expected 0 to 1"),
    ],
)
def test_refuses_what_is_no_photo(image: torch.Tensor, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plane(2.0).stack(image, [1.0])


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (1, 1)])
def test_takes_images_of_any_shape(size: tuple[int, int]) -> None:
    assert plane(1.0).stack(noise(3, *size), [5.0]).shape == (1, 3, *size)


def test_unknown_depth_is_that_of_the_nearest_known_pixel() -> None:
    z = torch.tensor([[0.0, 2.0, 0.0, 0.0, 5.0]])
    depth = everywhere(DepthMap(z, z > 0))
    assert depth.tolist() == [[2.0, 2.0, 2.0, 5.0, 5.0]]
    with pytest.raises(DataError, match="no pixel"):
        everywhere(DepthMap(z, z > 9))
    with pytest.raises(DataError, match="metres"):
        everywhere(DepthMap(z, z > 0, DepthKind.AFFINE))


def test_identities_tell_planes_of_focus_apart() -> None:
    names = {plane(1.0).identity(), plane(2.0).identity(), plane(1.0, 0.5).identity()}
    assert len(names) == 3
    with pytest.raises(UsageError, match="infinity"):
        plane(1.0, -1.0)
