"""What teaches attention over focus: depth, its shape at the photo's edges, and the base itself."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import unfold

PATCH = 7
"""Answers of the network to a side, around an edge."""
EDGES = 0.1
"""Share of all answers that lie at the photo's strongest edges."""
FLAT = 0.02
"""Log depth; patches that vary by less are compared as if they varied by so much."""
TINY = 1e-8
"""Under a root, whose gradient at 0 is infinite."""


def scale_invariant_log(
    found: Float[Tensor, "b h w"],
    truth: Float[Tensor, "b h w"],
    known: Bool[Tensor, "b h w"],
    scale: float,
) -> Float[Tensor, ""]:
    """Return sqrt(Var e + scale (mean e)²), e = ln z - ln z*, the mean of the photos'.

    Eigen et al. 2014 (arXiv 1406.2283). Depths are given as logarithms; photos of which nothing is
    known count as 0.
    """
    error = torch.where(known, found - truth, 0.0)
    count = known.sum((1, 2)).clamp(min=1)
    mean = error.sum((1, 2)) / count
    variance = (error.square().sum((1, 2)) / count - mean.square()).clamp(min=0)
    return (variance + scale * mean.square() + TINY).sqrt().mean()


def distillation(found: Float[Tensor, "b h w"], base: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Return the root mean square of ln z - ln z_base, the mean of the photos'.

    z_base is what the base says of the sharp photo alone.
    """
    return ((found - base).square().mean((1, 2)) + TINY).sqrt().mean()


def edge_guided(
    found: Float[Tensor, "b h w"],
    truth: Float[Tensor, "b h w"],
    known: Bool[Tensor, "b h w"],
    edges: Float[Tensor, "b h w"],
) -> Float[Tensor, ""]:
    """Compare depth up to a scale and a shift in patches around the photo's strongest edges.

    In a patch p of log depths d, n(d) = (d - mean_p d) / max(mean_p |d - mean_p d|, 0.02), and the
    loss is the mean over patches of sqrt(mean_p |n(d) - n(d*)|), as the published edge-guided local
    scale-and-shift-invariant loss, which takes log(1 + z), but for its term over the whole photo.

    Args:
        found: log depth.
        truth: likewise.
        known: where the truth is.
        edges: steepness of the photo.
    """
    centre = unfolded(edges)[:, PATCH * PATCH // 2]
    least = centre.quantile(1 - EDGES, 1, keepdim=True)
    inside = unfolded(known.float()).bool()
    chosen = (centre >= least) & (inside.sum(1) >= PATCH)
    weight = inside / inside.sum(1, keepdim=True).clamp(min=1)
    shapes = []
    for one in (found, truth):
        patches = unfolded(torch.where(known, one, 0.0))
        away = patches - (weight * patches).sum(1, keepdim=True)
        extent = (weight * away.abs()).sum(1, keepdim=True)
        shapes.append(away / extent.clamp(min=FLAT))
    apart = (weight * (shapes[0] - shapes[1]).abs()).sum(1)
    return ((apart + TINY).sqrt() * chosen).sum() / chosen.sum().clamp(min=1)


def unfolded(maps: Float[Tensor, "b h w"]) -> Float[Tensor, "b p n"]:
    """Return all patches of maps."""
    return unfold(maps[:, None], PATCH)
