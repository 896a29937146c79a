"""sRGB and linear light (IEC 61966-2-1), as differentiable functions of tensors."""

import torch
from jaxtyping import Float
from torch import Tensor


def to_linear(encoded: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Decode sRGB to linear light; the curve goes on below 0 and above 1."""
    curved = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded <= 0.04045, encoded / 12.92, curved)


def to_srgb(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Encode linear light as sRGB; the curve goes on below 0 and above 1."""
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)
