"""What the slices of a focal stack say of one another: how badly each depth explains them all.

At a depth, the lens tells every slice's circle of confusion. The slice that is the sharpest there,
blurred by sqrt(c_i² - c_j²), must give every other one. That compares photos with photos, so that
no texture has to be known; where there is none, all depths explain them alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.networks.bands import smooth
from recon.types import ThinLens

DISCS = (0.0, *(n / 2 for n in range(3, 11)), *map(float, range(6, 13)), 14.0, 16.0)
"""px; diameters of the discs that are prepared."""
WINDOW, SMOOTHED = 1.5, 1.0
"""px; sigmas of the window over which slices are compared, and of what noisy ones are smoothed by
before that."""
NOISY = 0.02
"""Noise of linear light, at which photos are smoothed fully, and the window is twice as wide."""
FINER = 16
"""Points per pixel along each side, of which a disc's share of a pixel is counted."""


def disc(diameter: float) -> Float[np.ndarray, "k k"]:
    """Return the weights of a disc on whole pixels, which sum to 1: how much of it is in each."""
    reach = int(np.ceil(diameter / 2 + 0.5))
    side = 2 * reach + 1
    at = (np.arange(side * FINER) + 0.5) / FINER - reach - 0.5
    inside = (at[:, None] ** 2 + at**2 <= (diameter / 2) ** 2).astype(np.float32)
    share: np.ndarray = inside.reshape(side, FINER, side, FINER).mean((1, 3))
    share /= share.sum()
    return share


def variance(weights: Float[np.ndarray, "k k"]) -> float:
    """Return the variance of a blur along an axis, in px²: c² / 16 for a circle of confusion c."""
    at = np.arange(len(weights)) - len(weights) // 2
    return float((weights.sum(0) * at**2).sum())


@dataclass(frozen=True, eq=False)
class Blurs:
    """A photo under discs of many sizes."""

    levels: Float[Tensor, "n h w 3"]
    """Linear light."""
    variances: Float[Tensor, " n"]
    """Of the blurs, in px². Pixels make those of discs a little larger than c² / 16."""

    @staticmethod
    def of(light: Float[Tensor, "h w 3"]) -> "Blurs":
        """Blur linear light by each of `DISCS`; borders are mirrored."""
        kernels = [disc(diameter) for diameter in DISCS[1:]]
        image = light.contiguous().numpy()
        seen = [cv2.filter2D(image, -1, k, borderType=cv2.BORDER_REFLECT_101) for k in kernels]
        levels = torch.stack([light, *(torch.from_numpy(one) for one in seen)])
        return Blurs(levels, torch.tensor([0.0, *(variance(kernel) for kernel in kernels)]))

    def at(self, added: float) -> Float[Tensor, "h w 3"]:
        """Return the photo under a blur of a variance, linear between those that are prepared."""
        nodes = self.variances
        above = min(max(int(torch.searchsorted(nodes, added)), 1), len(nodes) - 1)
        part = (added - nodes[above - 1]) / (nodes[above] - nodes[above - 1])
        return torch.lerp(self.levels[above - 1], self.levels[above], part.clamp(0, 1))


def misfits(
    light: Sequence[Float[Tensor, "h w 3"]],
    lenses: Sequence[ThinLens],
    planes: Float[Tensor, " n"],
) -> Float[Tensor, "n h w"]:
    """Return the mean difference that each inverse depth leaves between slices, in linear light.

    Args:
        light: of the slices, from one place and of one size.
        lenses: of the slices, in px of them.
        planes: inverse depths to try, in 1/m.
    """
    strength, focus = (
        torch.stack([getattr(lens, name).float() for lens in lenses])[:, None]
        for name in ("strength", "inverse_focus")
    )
    grain = graininess(light)
    if SMOOTHED * grain > 0.3:  # px; less than that changes nothing.
        stacked = torch.stack(list(light)).permute(0, 3, 1, 2)
        light = list(smooth(stacked, SMOOTHED * grain).permute(0, 2, 3, 1))
    sizes = (strength * (focus - planes)).abs()
    sharpest = sizes.argmin(0)
    found = torch.zeros(len(planes), *light[0].shape[:2])
    for j in sorted(set(sharpest.tolist())):
        blurs = Blurs.of(light[j])
        for k in (sharpest == j).nonzero()[:, 0].tolist():
            left = [
                (blurs.at(float(sizes[i, k] ** 2 - sizes[j, k] ** 2) / 16) - other).abs().mean(-1)
                for i, other in enumerate(light)
                if i != j
            ]
            found[k] = smooth(torch.stack(left).mean(0)[None, None], WINDOW * (1 + grain))[0, 0]
    return found


def graininess(light: Sequence[Float[Tensor, "h w 3"]]) -> float:
    """Return the noise of the noisiest slice, 0 to 1; from 1 on no more is done about it."""
    return min(1.0, max(noise(one) for one in light) / NOISY)


def noise(light: Float[Tensor, "h w 3"]) -> float:
    """Return the standard deviation of the noise of a picture's brightness.

    By the median of what is left after planes and edges along the axes (Immerkaer 1996, "Fast noise
    variance estimation").
    """
    kernel = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)
    left = cv2.filter2D(light.mean(-1).numpy(), -1, kernel)[1:-1, 1:-1]
    return float(np.median(np.abs(left)) / (0.6745 * 6))
