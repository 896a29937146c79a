"""Depth from a focal stack: what each slice says alone, and what they say of one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from recon.errors import UsageError
from recon.evidence.coc import CocMap
from recon.matching.semi_global import Steps, cheapest, smoothed
from recon.networks.bands import smooth
from recon.networks.fusion import log_likelihood
from recon.networks.stack_misfit import graininess, misfits
from recon.srgb import to_linear
from recon.types import ThinLens

ALONE = 0.075
"""Weight of what the slices of a pair say alone, beside what they say of one another."""
FADES, FADES_IN_NOISE = 1.0, 2.5
"""Powers of 2 / slices by which more of them take from it: together they say more and more, and
noise takes more from a slice alone."""
STEPS = Steps(small=0.6, jump=6.0, edge=50.0, least=0.6)
"""In units of what the best depths leave of a misfit."""
LEAST = 5e-4
"""Misfit in linear light below which photos are equal; 8 bits round by more."""


@dataclass(frozen=True, eq=False)
class StackDepth:
    """What a stack tells."""

    inverse: Float[Tensor, "h w"]
    """1 / depth, in 1/m."""
    sure: Float[Tensor, "h w"]
    """0 to 1: how much of its own posterior is near the answer, which neighbours take part in."""

    def coc(self, lens: ThinLens, spacing: float) -> CocMap:
        """Return circles of confusion of a slice, signed by its lens.

        Args:
            lens: of the slice.
            spacing: of the inverse depths that were tried, in 1/m: no error below it is promised.
        """
        signed = lens.strength * (lens.inverse_focus - self.inverse)
        unsure = 1 + 10 * (1 - self.sure)
        return CocMap(signed.abs(), float(lens.strength) * spacing * unsure, (signed > 0).float())


def stack_depth(
    pixels: Sequence[UInt8[Tensor, "h w 3"]],
    maps: Sequence[CocMap],
    lenses: Sequence[ThinLens],
    planes: Float[Tensor, " n"],
) -> StackDepth:
    """Return the depth that explains all slices best.

    Args:
        pixels: slices, sRGB, from one place and of one size.
        maps: what each says alone.
        lenses: of the slices.
        planes: inverse depths to choose from, evenly spaced and rising, in 1/m; three or more.

    Raises:
        UsageError: there are fewer than two slices, or their sizes differ.
    """
    if len(pixels) < 2 or len({tuple(one.shape) for one in pixels}) != 1:
        raise UsageError("a focal stack needs two or more slices, all of one size")
    light = [to_linear(one.float() / 255) for one in pixels]
    left = misfits(light, lenses, planes)
    # What the best depths leave is noise, and what the lens model does not know.
    unit = float(left.amin(0).median()) + LEAST
    fades = FADES + (FADES_IN_NOISE - FADES) * graininess(light)
    weight = ALONE * (2 / len(pixels)) ** fades
    costs = left / unit - weight * log_likelihood(maps, lenses, planes)
    place = _place(costs, _guide(pixels, lenses, planes[left.argmin(0)]))
    return StackDepth(planes[0] + place * (planes[1] - planes[0]), _sure(costs, place))


def between(lenses: Sequence[ThinLens], count: int = 65) -> Float[Tensor, " n"]:
    """Return inverse depths from the farthest plane of focus to the nearest."""
    focused = [float(lens.inverse_focus) for lens in lenses]
    return torch.linspace(min(focused), max(focused), count)


def _place(costs: Float[Tensor, "n h w"], guide: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return which plane is the best, where neighbours change little unless the guide does."""
    by_pixel = costs.permute(1, 2, 0).contiguous().numpy()
    paths = smoothed(by_pixel, guide.numpy(), STEPS)
    return torch.from_numpy(cheapest(paths, np.arange(len(costs), dtype=np.float32)))


def _guide(
    pixels: Sequence[UInt8[Tensor, "h w 3"]],
    lenses: Sequence[ThinLens],
    inverse: Float[Tensor, "h w"],
) -> Float[Tensor, "h w"]:
    """Return brightness, 0 to 1, from the slice that is focused the nearest to each depth."""
    grey = torch.stack([one.float().mean(-1) / 255 for one in pixels])
    focus = torch.stack([lens.inverse_focus for lens in lenses])[:, None, None]
    best = (focus - inverse).abs().argmin(0)
    return smooth(grey[:, None], 0.7)[:, 0].gather(0, best[None])[0]


def _sure(costs: Float[Tensor, "n h w"], place: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return the share of exp(-cost) within two planes of a place, by each pixel's own costs."""
    share = (-costs).softmax(0)
    planes = torch.arange(len(costs))[:, None, None]
    return (share * ((planes - place).abs() <= 2.5)).sum(0).clamp(0, 1)
