"""One photo blurred by discs of several sizes, from which any blur in between is interpolated."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon.pictures import as_8_bit

WIDEST = 416
"""px of a stack; photos are made smaller first, by area. More would cost time and memory, and the
blur that tells of depth is many pixels wide."""
SPACING = 2.0
"""px between the discs' diameters."""
DISCS = 7
SUBPIXELS = 8
"""Samples across a pixel of a disc's edge."""


@dataclass(frozen=True, eq=False)
class FocusStack:
    """A photo under uniform blur, the k-th image by a disc of k * spacing pixels."""

    images: UInt8[Tensor, "k h w 3"]
    """sRGB; blurred in linear light."""
    spacing: float = SPACING

    @property
    def largest(self) -> float:
        """The diameter of the largest disc, in px."""
        return (len(self.images) - 1) * self.spacing

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.images.shape[1], self.images.shape[2]

    def at(self, coc: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
        """Return each pixel as blurred by its own disc, linear between those of the stack.

        Args:
            coc: diameters in px, clamped to the stack's own; the gradient flows here only.

        Returns:
            sRGB in [0, 1].
        """
        found: Tensor = _At.apply(coc, self.images, self.spacing)  # type: ignore[no-untyped-call]
        return found

    def to(self, device: torch.device) -> "FocusStack":
        """Return it on another device."""
        return FocusStack(self.images.to(device), self.spacing)


def focus_stack(photo: UInt8[Tensor, "h w 3"]) -> FocusStack:
    """Blur a photo by DISCS discs, after making it at most WIDEST pixels wide."""
    small = photo.numpy()
    height, width = small.shape[:2]
    if width > WIDEST:
        size = (WIDEST, max(1, round(height * WIDEST / width)))
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    linear = to_linear(small.astype(np.float32) / 255)
    blurred = [
        cv2.filter2D(linear, -1, disc(k * SPACING), borderType=cv2.BORDER_REFLECT)
        for k in range(DISCS)
    ]
    encoded = (as_8_bit(torch.from_numpy(to_srgb(image))) for image in blurred)
    return FocusStack(torch.from_numpy(np.stack([*encoded])))


def disc(diameter: float) -> Float32[np.ndarray, "n n"]:
    """Return the share of each pixel that a disc covers, summing to 1."""
    reach = math.ceil(diameter / 2)
    across = (np.arange((2 * reach + 1) * SUBPIXELS) + 0.5) / SUBPIXELS - reach - 0.5
    inside = across[:, None] ** 2 + across**2 <= max(diameter / 2, 0.5) ** 2
    cells = inside.reshape(2 * reach + 1, SUBPIXELS, 2 * reach + 1, SUBPIXELS).sum(axis=(1, 3))
    return np.asarray(cells / cells.sum(), np.float32)


def to_linear(srgb: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """Undo sRGB's transfer function (IEC 61966-2-1)."""
    high = ((srgb + 0.055) / 1.055) ** 2.4
    return np.where(srgb <= 0.04045, srgb / 12.92, high).astype(np.float32)


def to_srgb(linear: Float32[np.ndarray, "*n"]) -> Float32[np.ndarray, "*n"]:
    """Apply sRGB's transfer function (IEC 61966-2-1)."""
    high = 1.055 * np.maximum(linear, 1e-8) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, high).astype(np.float32)


class _At(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, coc: Tensor, images: Tensor, spacing: float) -> Tensor:
        place = (coc / spacing).clamp(0, len(images) - 1)
        lower = place.floor().clamp(max=len(images) - 2)
        index = lower.long()[None, :, :, None].expand(1, -1, -1, 3)
        first = images.gather(0, index)[0].float()
        slope = (images.gather(0, index + 1)[0].float() - first) / 255
        inside = (coc >= 0) & (coc <= spacing * (len(images) - 1))
        ctx.save_for_backward(slope * (inside / spacing)[..., None])
        return first / 255 + slope * (place - lower)[..., None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return (gradient * slope).sum(-1), None, None
