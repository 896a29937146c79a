"""Coarse matches smoothed: around each of them, the affine map that its neighbours agree on.

Matches on a coarse grid are off by half a cell. Neighbours err independently, so a map fitted to
many of them is off by much less, and tells how the photo is turned and stretched there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

NEIGHBOURS = 32
REACH = 4.5
"""Grid steps within which neighbours count."""
STIFFNESS = 0.5
"""How much a map resists being other than a shift, in neighbours one grid step away."""
TOLERANCE = 1.0
"""Grid steps by which a neighbour may disagree that counts half."""
STEPS = 8


@dataclass(frozen=True, eq=False)
class LocalAffine:
    """One map for each match: pixel_b = pixels_b + linear @ (pixel_a - pixels_a)."""

    pixels_a: Float[Tensor, "n 2"]
    pixels_b: Float[Tensor, "n 2"]
    """Where neighbours say that pixels_a is in photo b."""
    linear: Float[Tensor, "n 2 2"]

    def at(self, pixels_a: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
        """Map one pixel with each map."""
        return self.pixels_b + (self.linear @ (pixels_a - self.pixels_a)[..., None])[..., 0]


def local_affine(
    pixels_a: Float[Tensor, "n 2"], pixels_b: Float[Tensor, "n 2"], grid: float
) -> LocalAffine:
    """Fit a map around every match, by least squares reweighted against outliers.

    Args:
        pixels_a: in photo a, on a grid.
        pixels_b: the same points in photo b, roughly.
        grid: px between neighbours; a neighbour that is off by a third of it counts half.
    """
    if not len(pixels_a):
        return LocalAffine(pixels_a, pixels_b, torch.zeros(0, 2, 2))
    a, b = pixels_a.double() / grid, pixels_b.double() / grid
    tree = cKDTree(a.numpy())
    distance, nearest = tree.query(a.numpy(), NEIGHBOURS, distance_upper_bound=REACH)
    near = torch.from_numpy(np.exp(-(distance**2) / (2 * 1.5**2)))  # Where none is, exp(-inf) = 0.
    index = torch.from_numpy(np.minimum(nearest, len(a) - 1))
    a_there, b_there = a[index] - a[:, None], b[index] - b[:, None]
    design = torch.cat([a_there, torch.ones_like(a_there[..., :1])], dim=-1)
    # Around an outlier the median shift is still right, so that is where the fit begins.
    shift = torch.where(near[..., None] > 0, b_there - a_there, torch.nan).nanmedian(dim=1).values
    error = (b_there - a_there - shift[:, None]).norm(dim=-1)
    weight = near / (1 + error.square())
    for _ in range(STEPS):
        solution = _solve(design, b_there, weight)
        error = (design @ solution - b_there).norm(dim=-1)
        weight = near / (1 + (error / TOLERANCE).square())
    return LocalAffine(
        pixels_a,
        (pixels_b + grid * solution[:, 2]).to(pixels_b),
        solution[:, :2].transpose(1, 2).to(pixels_b),
    )


def _solve(
    design: Float[Tensor, "n k 3"], there: Float[Tensor, "n k 2"], weight: Float[Tensor, "n k"]
) -> Float[Tensor, "n 3 2"]:
    weighted = (design * weight[..., None]).transpose(1, 2)
    prior = STIFFNESS * torch.eye(3, 2, dtype=design.dtype)
    ridge = torch.diag(torch.tensor([STIFFNESS, STIFFNESS, 1e-6], dtype=design.dtype))
    solution: Tensor = torch.linalg.solve(weighted @ design + ridge, weighted @ there + prior)
    return solution
