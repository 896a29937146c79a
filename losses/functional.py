"""What supervision terms are made of: means over masks, and the photometric loss."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.core import HAS_CORE
from recon.metrics import WINDOW_REACH, ssim_map

if HAS_CORE:
    from recon import _core


@dataclass(frozen=True, eq=False)
class Photometric:
    """The photometric loss and the two figures it is made of."""

    loss: Float[Tensor, ""]
    """(1 - w) L1 + w (1 - SSIM)."""
    l1: Float[Tensor, ""]
    """Mean |rendered - photo|, without gradient."""
    ssim: Float[Tensor, ""]
    """Mean structural similarity, at most 1, without gradient."""


def masked_mean(
    values: Float[Tensor, "h w *channels"], mask: Bool[Tensor, "h w"] | None
) -> Float[Tensor, ""]:
    """Return the mean of the pixels that a mask uses; 0, with zero gradient, where it uses none."""
    if mask is None:
        return values.mean()
    mask = mask.view(*mask.shape, *[1] * (values.ndim - 2)).expand_as(values)
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)


def photometric(
    rendered: Float[Tensor, "h w 3"],
    photo: UInt8[Tensor, "h w 3"],
    mask: Bool[Tensor, "h w"] | None = None,
    ssim_weight: float = 0.2,
) -> Photometric:
    """Return (1 - w) L1 + w (1 - SSIM) between a render and a photo.

    Kerbl et al. 2023 (arXiv 2308.04079), equation 7. SSIM's window sees zeros beyond the image.
    A pixel that the mask leaves out counts in neither mean, and windows that reach it see the
    render's own value in both images, as a constant: the photo cannot leak through it, and it
    gets no gradient. The loss of a mask without pixels is 0.

    Args:
        rendered: sRGB, 0 to 1; may exceed 1. The gradient flows here only.
        photo: sRGB, 0 to 255, on the same device.
        mask: True for the pixels to use; all of them where None.
        ssim_weight: w, 0 to 1.
    """
    if HAS_CORE and rendered.device.type == "cpu" and rendered.dtype == torch.float32:
        figures = _NativePhotometric.apply(rendered, photo, mask, ssim_weight)  # type: ignore[no-untyped-call]
        return Photometric(*figures)
    return photometric_in_torch(rendered, photo, mask, ssim_weight)


def photometric_in_torch(
    rendered: Float[Tensor, "h w 3"],
    photo: UInt8[Tensor, "h w 3"],
    mask: Bool[Tensor, "h w"] | None,
    ssim_weight: float,
) -> Photometric:
    """Compute `photometric` on any device and in any floating precision."""
    target = photo.to(rendered.dtype) / 255
    if mask is not None:
        rendered = torch.where(mask[..., None], rendered, rendered.detach())
        target = torch.where(mask[..., None], target, rendered.detach())
    l1 = masked_mean((rendered - target).abs(), mask)
    dissimilarity = masked_mean(1 - ssim_map(rendered, target, padding=WINDOW_REACH), mask)
    loss = (1 - ssim_weight) * l1 + ssim_weight * dissimilarity
    return Photometric(loss, l1.detach(), 1 - dissimilarity.detach())


class _NativePhotometric(torch.autograd.Function):
    """Computes loss and gradient in one sweep, for float32 on CPU."""

    @staticmethod
    def forward(
        ctx: Any, rendered: Tensor, photo: Tensor, mask: Tensor | None, ssim_weight: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        rendered = rendered.detach().contiguous()
        gradient = torch.empty_like(rendered) if ctx.needs_input_grad[0] else None
        used = None if mask is None else mask.contiguous().view(torch.uint8)
        l1, ssim = _core.photometric(rendered, photo.contiguous(), used, ssim_weight, gradient)
        ctx.gradient = gradient
        loss = (1 - ssim_weight) * l1 + ssim_weight * (1 - ssim)
        l1_out, ssim_out = rendered.new_tensor(l1), rendered.new_tensor(ssim)
        ctx.mark_non_differentiable(l1_out, ssim_out)
        return rendered.new_tensor(loss), l1_out, ssim_out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor, *_: Tensor) -> tuple[Tensor, None, None, None]:
        # Most often the loss is the whole objective, and the gradient is right as it is.
        gradient = ctx.gradient if scale.item() == 1 else ctx.gradient * scale
        return gradient, None, None, None
