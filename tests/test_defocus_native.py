"""The kernels of the blur, against its definition in float64, by every instruction set."""

import pytest
import torch
from torch import Tensor

from recon.core import HAS_CORE

if not HAS_CORE:
    pytest.skip("no native core", allow_module_level=True)

from recon import _core
from recon.defocus import Disc, Gaussian, Polygon, Shape, blur, blur_stack, from_stack
from recon.defocus.stack import from_stack_in_torch

SHAPES = [Disc(), Gaussian(), Polygon(6), Polygon(5, rotation=20.0)]
SIZES = [(1, 1), (3, 50), (37, 21), (48, 67)]
pytestmark = pytest.mark.usefixtures("one_thread")


def picture(height: int, width: int, largest: float = 13.0) -> tuple[Tensor, Tensor]:
    """A random image, and circles of confusion on two slopes with an edge between them.

    The seed is one for which no pixel lies on a kink of its kernel, where rounding decides.
    """
    generator = torch.Generator().manual_seed(height * 100 + width + 1)
    image = torch.rand(height, width, 3, generator=generator)
    coc = torch.linspace(-largest, largest / 2, width).expand(height, width).clone()
    coc[:, width // 2 :] += largest / 2
    return image, coc + 0.3 * torch.randn(height, width, generator=generator)


def drawn(image: Tensor, coc: Tensor, shape: Shape, encoded: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The blurred image, and the gradients of image and circles of confusion, in float64."""
    image, coc = image.clone().requires_grad_(), coc.clone().requires_grad_()
    blurred = blur(image, coc, shape, encoded=encoded)
    weights = torch.randn(image.shape, generator=torch.Generator().manual_seed(4)).to(image)
    found = torch.autograd.grad((weights * blurred).sum(), [image, coc])
    return blurred.detach().double(), found[0].double(), found[1].double()


@pytest.mark.parametrize("encoded", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_image_and_gradients_are_those_of_the_definition(instruction_set, shape, size, encoded):
    image, coc = picture(*size)
    ours = drawn(image, coc, shape, encoded)
    exact = drawn(image.double(), coc.double(), shape, encoded)
    assert (ours[0] - exact[0]).abs().max() < 1e-5
    for found, wanted in zip(ours[1:], exact[1:], strict=True):
        assert (found - wanted).norm() <= 1e-4 * wanted.norm() + 1e-7


def test_any_number_of_threads_gives_the_same_bytes():
    image, coc = picture(67, 90)
    before = _core.threads()
    results = []
    for threads in (1, 2, 5):
        _core.use_threads(threads)
        results.append(drawn(image, coc, Disc(), True))
    _core.use_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_backward_twice_gives_the_same(instruction_set):
    image, coc = picture(20, 30)
    coc.requires_grad_()
    total = blur(image, coc).square().sum()
    first = torch.autograd.grad(total, coc, retain_graph=True)[0]
    blur(image.flip(0), coc.detach())  # Takes the workspace that the first backward gave back.
    assert torch.equal(first, torch.autograd.grad(total, coc)[0])


@pytest.mark.parametrize("eight_bits", [False, True])
def test_looking_up_a_stack_is_that_of_the_definition(instruction_set, eight_bits):
    image, _ = picture(19, 35)
    coc = torch.linspace(-15, 15, 19 * 35).reshape(19, 35)
    coc[0, :3] = torch.tensor([torch.nan, torch.inf, 0.0])
    stack = blur_stack(image, (0.0, 2.0, 5.0, 9.0, 12.0))
    stack = stack.in_8_bits() if eight_bits else stack
    ours, exact = coc.clone().requires_grad_(), coc.double().requires_grad_()
    weights = torch.rand(19, 35, 3)
    found, wanted = from_stack(stack, ours), from_stack_in_torch(stack, exact)
    assert (found.double() - wanted).abs().max() < 1e-6
    slope = torch.autograd.grad((weights * found).sum(), ours)[0]
    true_slope = torch.autograd.grad((weights.double() * wanted).sum(), exact)[0]
    torch.testing.assert_close(slope.double(), true_slope.nan_to_num(0.0), atol=1e-6, rtol=1e-4)


def test_a_stack_of_impossible_blurs_is_refused():
    image, _ = picture(4, 5)
    for cocs in ((0.0,), (2.0, 1.0), (-1.0, 2.0), (0.0, 100.0)):
        with pytest.raises(Exception, match="increasing"):
            blur_stack(image, cocs)
