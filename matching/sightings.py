"""Matches together with the depth that a prior gives to both of their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from recon.matching.cameras import Cameras
from recon.matching.pair import PairMatches
from recon.types import DepthMap


@dataclass(frozen=True, eq=False)
class Sightings:
    """Each match twice: from a pixel of one photo to that of the other, and back.

    A point at depth z of the first photo is at `z * sight + base` in the axes of the other camera.
    """

    view: Int64[Tensor, " m"]
    other: Int64[Tensor, " m"]
    depth: Float64[Tensor, " m"]
    """The prior's, at the pixel of `view`."""
    other_depth: Float64[Tensor, " m"]
    """The prior's, at the pixel of `other`."""
    other_rays: Float64[Tensor, "m 2"]
    """Where the match is in the other photo: x and y of the ray with z = 1."""
    other_focal: Float64[Tensor, "m 2"]
    sight: Float64[Tensor, "m 3"]
    base: Float64[Tensor, "m 3"]

    def __len__(self) -> int:
        """Count them."""
        return len(self.view)

    def lifted(self, depth: Float64[Tensor, " m"]) -> Float64[Tensor, "m 3"]:
        """Return the points at depths of `view`, in the axes of `other`."""
        return depth[:, None] * self.sight + self.base

    def triangulated(self) -> tuple[Float64[Tensor, " m"], Float64[Tensor, " m"]]:
        """Return the depth in `view` at which each match's rays come closest.

        Returns:
            The depth, which may be negative, and the sine of the angle between the rays.
        """
        ray = torch.cat([self.other_rays, torch.ones_like(self.other_rays[:, :1])], dim=1)
        across = torch.linalg.cross(self.sight, ray)
        square = across.square().sum(dim=1).clamp_min(1e-300)
        depth = -(torch.linalg.cross(self.base, ray) * across).sum(dim=1) / square
        sine = square.sqrt() / (self.sight.norm(dim=1) * ray.norm(dim=1))
        return depth, sine


def sightings(
    depths: Sequence[DepthMap | None], cameras: Cameras, pairs: Sequence[PairMatches]
) -> Sightings:
    """Collect the matches at whose pixels both photos have depth.

    Args:
        depths: of each view, at its size; None where there is none.
        cameras: of the views.
        pairs: matches.
    """
    parts = [_directed(depths, cameras, pair) for pair in pairs]
    parts = [part for part in parts if len(part)]
    if not parts:
        number, three = torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, dtype=torch.float64)
        one, two = three[:, 0], three[:, :2]
        return Sightings(number, number, one, one, two, two, three, three)
    names = Sightings.__dataclass_fields__
    return Sightings(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _directed(depths: Sequence[DepthMap | None], cameras: Cameras, pair: PairMatches) -> Sightings:
    a, b, matches = pair.a, pair.b, pair.matches
    of_a, in_a = depth_at(depths[a], matches.pixels_a)
    of_b, in_b = depth_at(depths[b], matches.pixels_b)
    both = in_a & in_b
    ways = (
        (a, b, matches.pixels_a[both], matches.pixels_b[both], of_a[both], of_b[both]),
        (b, a, matches.pixels_b[both], matches.pixels_a[both], of_b[both], of_a[both]),
    )
    fields = []
    for view, other, pixels, other_pixels, depth, other_depth in ways:
        here, there = torch.full((len(depth),), view), torch.full((len(depth),), other)
        rotation, translation = cameras.relative(view, other)
        sight = cameras.rays(here, pixels) @ rotation.T
        ray = cameras.rays(there, other_pixels)[:, :2]
        focal, base = cameras.focal[there], translation.expand(len(depth), 3)
        fields.append((here, there, depth, other_depth, ray, focal, sight, base))
    return Sightings(*(torch.cat(both_ways) for both_ways in zip(*fields, strict=True)))


def depth_at(
    depth: DepthMap | None, pixels: Float[Tensor, "n 2"]
) -> tuple[Float64[Tensor, " n"], Bool[Tensor, " n"]]:
    """Read the depth of the pixels in which places lie, and whether there is any.

    Nothing is interpolated: between a thing and what is behind it, there is neither's depth.
    """
    if depth is None:
        return torch.zeros(len(pixels)).double(), torch.zeros(len(pixels), dtype=torch.bool)
    height, width = depth.z.shape
    column, row = pixels[:, 0].long().clamp(0, width - 1), pixels[:, 1].long().clamp(0, height - 1)
    return depth.z[row, column].double(), depth.valid[row, column]
