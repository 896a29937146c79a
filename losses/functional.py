"""What supervision terms are made of: means over masks, and the photometric loss."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.core import HAS_CORE

if HAS_CORE:
    from recon import _core

WINDOW_REACH = 5
"""SSIM's window reaches this many pixels to each side."""
WINDOW_SIGMA = 1.5


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
    dissimilarity = masked_mean(1 - ssim_map(rendered, target), mask)
    loss = (1 - ssim_weight) * l1 + ssim_weight * dissimilarity
    return Photometric(loss, l1.detach(), 1 - dissimilarity.detach())


def ssim_map(x: Float[Tensor, "h w 3"], y: Float[Tensor, "h w 3"]) -> Float[Tensor, "h w 3"]:
    """Return the structural similarity of two images at every pixel, for each channel.

    Wang et al. 2004 (IEEE TIP 13(4)), equation 13, with a Gaussian window of 11 pixels and sigma
    1.5, C1 = 0.01², C2 = 0.03², population variances, and zeros beyond the image.

    Args:
        x: in [0, 1], of any floating precision.
        y: like x.
    """
    offsets = torch.arange(-WINDOW_REACH, WINDOW_REACH + 1, dtype=x.dtype, device=x.device)
    taps = torch.exp(-(offsets**2) / (2 * WINDOW_SIGMA**2))
    taps = taps / taps.sum()
    # Variances do not care for a shift, and closer to 0 they lose less to float32's rounding.
    margin = (0, 0, *[WINDOW_REACH] * 4)
    x, y = (torch.nn.functional.pad(image, margin) - 0.5 for image in (x, y))
    planes = torch.stack([x, y, x * x, y * y, x * y]).permute(0, 3, 1, 2).flatten(0, 1)
    # All planes in one depthwise convolution: on CPU faster than passes over columns and rows.
    window = torch.outer(taps, taps).expand(len(planes), 1, -1, -1).contiguous()
    planes = torch.nn.functional.conv2d(planes[None], window, groups=len(planes))
    x, y, xx, yy, xy = planes.view(5, 3, *planes.shape[-2:]).permute(0, 2, 3, 1)
    covariance, variances = xy - x * y, xx + yy - x**2 - y**2
    mean_x, mean_y, c1, c2 = x + 0.5, y + 0.5, 0.01**2, 0.03**2
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    similarity: Tensor = means * (2 * covariance + c2) / (variances + c2)
    return similarity


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
