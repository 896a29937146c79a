"""A cheap form of defocus: one image blurred once by some discs, then only looked up.

It knows nothing of occlusion: every pixel is blurred by its own circle of confusion, whatever lies
beside it. A loss that blurs the same photo every step pays a few milliseconds so.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.core import HAS_CORE
from recon.defocus.operator import LARGEST, blur
from recon.defocus.shapes import Disc, Shape
from recon.errors import UsageError

if HAS_CORE:
    from recon import _core


@dataclass(frozen=True, eq=False)
class BlurStack:
    """One image, blurred by several circles of confusion."""

    cocs: tuple[float, ...]
    """Diameters in px, increasing."""
    images: Float[Tensor, "h w n 3"] | UInt8[Tensor, "h w n 3"]
    """Encoded as the image was; the blurs of a pixel lie side by side. Of 8 bits, 255 is 1."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.images.shape[0], self.images.shape[1]

    @property
    def sharp(self) -> Float[Tensor, "h w 3"]:
        """The least blurred image, 0 to 1."""
        first = self.images[:, :, 0]
        return first.float() / 255 if first.dtype == torch.uint8 else first

    def to(self, device: torch.device) -> "BlurStack":
        """Return it on another device."""
        return BlurStack(self.cocs, self.images.to(device))

    def in_8_bits(self) -> "BlurStack":
        """Return it rounded to 8 bits, in a quarter of the memory."""
        images = (self.images.clamp(0, 1) * 255).round().to(torch.uint8)
        return BlurStack(self.cocs, images)


def blur_stack(
    image: Float[Tensor, "h w 3"],
    cocs: tuple[float, ...],
    shape: Shape = Disc(),
    *,
    encoded: bool = True,
) -> BlurStack:
    """Blur an image evenly by each of some circles of confusion, in linear light, without gradient.

    Args:
        image: sharp; sRGB, may exceed 1.
        cocs: diameters in px, at least two, increasing, from 0 to `LARGEST`.
        shape: of the aperture.
        encoded: the image is sRGB; else it is linear light.

    Raises:
        UsageError: the diameters are not as described.
    """
    rising = all(a < b for a, b in pairwise(cocs))
    if not (len(cocs) >= 2 and rising and cocs[0] >= 0 and cocs[-1] <= LARGEST):
        raise UsageError(
            f"a stack of blurs by {cocs} px; expected two or more diameters, increasing, from 0 to "
            f"{LARGEST:g}"
        )
    image = image.detach()
    even = [image.new_full(image.shape[:2], coc) for coc in cocs]
    return BlurStack(cocs, torch.stack([blur(image, c, shape, encoded=encoded) for c in even], 2))


def from_stack(stack: BlurStack, coc: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    """Return every pixel as blurred by its own circle of confusion, with a gradient to that only.

    Between two blurs of the stack it is linear in the square of the diameter, as blur itself is
    where it is small: blurring by a variance v adds v/2 times the Laplacian. Diameters beyond the
    stack's ends are moved to them, and have no gradient, nor have those that are NaN: these are 0.

    Args:
        stack: on the device of `coc`.
        coc: diameters in px; the sign does not matter.
    """
    images = stack.images
    stored = images.dtype in (torch.uint8, torch.float32) and images.device.type == "cpu"
    if HAS_CORE and stored and coc.device.type == "cpu" and coc.dtype == torch.float32:
        result: Tensor = _FromStack.apply(images, coc, stack.cocs)  # type: ignore[no-untyped-call]
        return result
    return from_stack_in_torch(stack, coc)


def from_stack_in_torch(stack: BlurStack, coc: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    """Compute `from_stack` on any device and in any floating precision."""
    squares = torch.tensor(stack.cocs, dtype=coc.dtype, device=coc.device) ** 2
    place = (coc.nan_to_num(0.0) ** 2).clamp(squares[0], squares[-1])
    above = torch.searchsorted(squares, place.detach(), right=True).clamp(1, len(squares) - 1)
    low, high = squares[above - 1], squares[above]
    part = ((place - low) / (high - low))[..., None]
    index = above[..., None, None].expand(-1, -1, 1, 3)
    less, more = (stack.images.gather(2, index - k)[:, :, 0].to(coc) for k in (1, 0))
    if stack.images.dtype == torch.uint8:
        less, more = less / 255, more / 255
    return less + part * (more - less)


class _FromStack(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, coc: Tensor, cocs: tuple[float, ...]) -> Tensor:
        images, coc = images.detach().contiguous(), coc.detach().contiguous()
        result = coc.new_empty(*coc.shape, 3)
        _core.from_stack(images, list(cocs), coc, result)
        ctx.save_for_backward(images, coc)
        ctx.cocs = cocs
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        images, coc = ctx.saved_tensors
        of_coc = torch.empty_like(coc)
        _core.from_stack_backward(images, list(ctx.cocs), coc, gradient.contiguous(), of_coc)
        return None, of_coc, None
