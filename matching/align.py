"""Sub-pixel matches by aligning patches: correlation search, then affine Lucas-Kanade.

The patch of photo a is the template, and the map into photo b moves until both look alike, up to
brightness and contrast (Baker and Matthews 2004, inverse compositional, on normalised patches).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

Image = Float[Tensor, "_ _"]
NOISE = 1.5
"""Grey levels. Patches with less contrast than this are alike to none."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Where patches of photo a are thought to lie in photo b."""

    pixels_a: Float[Tensor, "n 2"]
    pixels_b: Float[Tensor, "n 2"]
    linear: Float[Tensor, "n 2 2"]
    """How offsets from pixels_a map to offsets from pixels_b."""
    alike: Float[Tensor, " n"]
    """Correlation of the patches, -1 to 1."""

    def scaled(self, factor: float) -> "Patches":
        """Return the same patches in photos that are larger by a factor."""
        return Patches(factor * self.pixels_a, factor * self.pixels_b, self.linear, self.alike)

    def swapped(self) -> "Patches":
        """Return the patches of photo b that lie in photo a."""
        return Patches(self.pixels_b, self.pixels_a, torch.linalg.inv(self.linear), self.alike)


def halves(grey: UInt8[Tensor, "h w"], levels: int) -> list[Image]:
    """Return a photo, slightly blurred, at full size, half of it, and so on.

    Sizes are rounded up by repeating the last line, so that level l's pixels are 2**l px wide.
    """
    image: np.ndarray = grey.numpy().astype(np.float32)
    result = []
    for level in range(levels):
        if level:
            odd = (image.shape[0] % 2, image.shape[1] % 2)
            image = np.pad(image, ((0, odd[0]), (0, odd[1])), mode="edge")
            image = cv2.GaussianBlur(image, (0, 0), 0.8)
            image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        result.append(torch.from_numpy(cv2.GaussianBlur(image, (0, 0), 0.8)))
    return result


def search(a: Image, b: Image, start: Patches, radius: int, reach: int) -> Patches:
    """Move each patch by the whole pixels of photo a's grid that make it most alike.

    Args:
        a: photo a.
        b: photo b.
        start: where patches are thought to be.
        radius: px; a patch has 2 * radius + 1 of them a side.
        reach: px; how far, along both of the patch's axes.
    """
    template = _centred(_sample(a, start.pixels_a[:, None] + _offsets(radius)))
    wide = _sample(b, _mapped(start, _offsets(radius + reach)))
    count, side, size = len(template), 2 * radius + 1, 2 * (radius + reach) + 1
    field = (wide - wide.mean(dim=-1, keepdim=True)).reshape(1, count, size, size)
    product = functional.conv2d(field, template.reshape(count, 1, side, side), groups=count)[0]
    mean, square = (functional.avg_pool2d(f, side, 1)[0] for f in (field, field.square()))
    floor = (NOISE * side) ** 2
    power = (square - mean.square()).clamp_min(0) * side**2 + floor
    own_power = template.square().sum(dim=-1)[:, None, None] + floor
    alike, best = (product / (own_power * power).sqrt()).flatten(1).max(dim=1)
    shift = _offsets(reach)[best]
    moved = start.pixels_b + (start.linear @ shift[..., None])[..., 0]
    return Patches(start.pixels_a, moved, start.linear, alike)


def align(a: Image, b: Image, start: Patches, radius: int, steps: int) -> Patches:
    """Move and shear each patch until it looks most alike.

    Args:
        a: photo a.
        b: photo b.
        start: off by less than a patch's structures are wide.
        radius: px; a patch has 2 * radius + 1 of them a side.
        steps: of Gauss-Newton.
    """
    offsets = _offsets(radius)
    weight = torch.exp(-offsets.square().sum(-1) / (4 * (0.6 * radius) ** 2))
    template, contrast = _normalised(_sample(a, start.pixels_a[:, None] + offsets), weight)
    slopes = [
        weight / contrast * (_sample(a, at + step) - _sample(a, at - step))
        for at in (start.pixels_a[:, None] + offsets,)
        for step in (torch.tensor([0.5, 0.0]), torch.tensor([0.0, 0.5]))
    ]
    # Rows and columns of about the same size keep the normal equations well conditioned.
    unit = torch.tensor([1.0, 1.0, *[2 / radius] * 4])
    x, y = slopes
    across, down = offsets.T
    jacobian = unit * torch.stack([x, y, x * across, x * down, y * across, y * down], dim=-1)
    normal = jacobian.transpose(1, 2) @ jacobian
    mean = normal.diagonal(dim1=1, dim2=2).mean(dim=1)
    ridge = (1e-3 * mean + 1e-9)[:, None, None] * torch.eye(6)
    gain = torch.linalg.solve(normal + ridge, jacobian.transpose(1, 2))
    patches = start
    for _ in range(steps):
        seen, _ = _normalised(_sample(b, _mapped(patches, offsets)), weight)
        change = unit * (gain @ (seen - template)[..., None])[..., 0]
        patches = _moved_back(patches, change)
    seen, _ = _normalised(_sample(b, _mapped(patches, offsets)), weight)
    alike = (seen * template).sum(dim=-1)
    return Patches(patches.pixels_a, patches.pixels_b, patches.linear, alike)


def _moved_back(patches: Patches, change: Float[Tensor, "n 6"]) -> Patches:
    """Compose the map with the inverse of a small change of the template's coordinates."""
    shift, shear = change[:, :2].clamp(-2, 2), change[:, 2:].reshape(-1, 2, 2).clamp(-0.2, 0.2)
    linear = patches.linear @ torch.linalg.inv(torch.eye(2) + shear)
    # A patch that collapses or explodes is lost; it stays where it was.
    size = torch.linalg.det(linear)
    sound = (size > 0.1) & (size < 10)
    pixels = patches.pixels_b - (linear @ shift[..., None])[..., 0]
    return Patches(
        patches.pixels_a,
        torch.where(sound[:, None], pixels, patches.pixels_b),
        torch.where(sound[:, None, None], linear, patches.linear),
        patches.alike,
    )


def _offsets(radius: int) -> Float[Tensor, "p 2"]:
    line = torch.arange(-radius, radius + 1).float()
    return torch.cartesian_prod(line, line).flip(-1)


def _mapped(patches: Patches, offsets: Float[Tensor, "p 2"]) -> Float[Tensor, "n p 2"]:
    return patches.pixels_b[:, None] + offsets @ patches.linear.transpose(1, 2)


def _sample(image: Image, pixels: Float[Tensor, "n p 2"]) -> Float[Tensor, "n p"]:
    """Read a photo between its pixels; beyond its border, the border."""
    size = torch.tensor([image.shape[1], image.shape[0]])
    return functional.grid_sample(
        image[None, None], (2 * pixels / size - 1)[None], padding_mode="border", align_corners=False
    )[0, 0]


def _centred(patches: Float[Tensor, "n p"]) -> Float[Tensor, "n p"]:
    return patches - patches.mean(dim=-1, keepdim=True)


def _normalised(
    patches: Float[Tensor, "n p"], weight: Float[Tensor, " p"]
) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n 1"]]:
    """Take away brightness and contrast, and weigh; returns the contrast as well."""
    centred = patches - (patches @ weight.square() / weight.square().sum())[:, None]
    weighted = centred * weight
    floor = NOISE**2 * weight.square().sum()
    contrast = (weighted.square().sum(dim=-1, keepdim=True) + floor).sqrt()
    return weighted / contrast, contrast
