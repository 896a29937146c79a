"""A guess of how far away things are, before anything is matched."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from recon.matching.cameras import Cameras

QUANTILES = (0.1, 0.5, 0.9)
FEWEST = 20
"""A view that sees fewer points than this takes the guess of all views together."""
MOST = 2000
"""At most so many points are looked at, evenly chosen."""


def scene_depths(cameras: Cameras, points: Float[Tensor, "p 3"] | None) -> Float64[Tensor, "v 3"]:
    """Guess the depths between which each view's scene lies: near, middle and far.

    They are quantiles of the depth of known points. Without points the scene is where the optical
    axes come closest to one another or, where they hardly do, as far as cameras of a drive see.

    Args:
        cameras: of the views.
        points: in the working frame, if there are any.
    """
    if points is not None and len(points):
        seen = _of_points(cameras, points[:: max(1, len(points) // MOST)].double())
        if seen is not None:
            return seen
    middle = _of_axes(cameras)
    return middle[:, None] * torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)


def _of_points(cameras: Cameras, points: Float64[Tensor, "p 3"]) -> Float64[Tensor, "v 3"] | None:
    """Take the quantiles of the points in each photo; None where no view sees enough of them."""
    levels = torch.tensor(QUANTILES, dtype=torch.float64)
    found = torch.full((len(cameras), 3), torch.nan, dtype=torch.float64)
    for view in range(len(cameras)):
        pixels, depth = cameras.project(torch.full((len(points),), view), points)
        inside = (depth > 0) & ((pixels >= 0) & (pixels <= cameras.size[view])).all(dim=1)
        if int(inside.sum()) >= FEWEST:
            found[view] = depth[inside].quantile(levels)
    known = found.isfinite().all(dim=1)
    if not known.any():
        return None
    return torch.where(known[:, None], found, found[known].median(dim=0).values)


def _of_axes(cameras: Cameras) -> Float64[Tensor, " v"]:
    """Measure the depth of the point that is nearest to all optical axes."""
    axes, positions = cameras.rotation[:, 2], cameras.positions
    across = torch.eye(3, dtype=torch.float64) - axes[:, :, None] * axes[:, None, :]
    spread = across.mean(dim=0)
    strongest, weakest = (float(v) for v in torch.linalg.eigvalsh(spread)[[2, 0]])
    spacing = _spacing(positions)
    if weakest > 0.01 * strongest:
        meeting = torch.linalg.solve(spread, (across @ positions[..., None])[..., 0].mean(dim=0))
        depth = ((meeting - positions) * axes).sum(dim=1)
        if float((depth > 0).double().mean()) > 0.5:
            return torch.where(depth > 0, depth, depth[depth > 0].median())
    return torch.full((len(cameras),), 15 * spacing, dtype=torch.float64)


def _spacing(positions: Float64[Tensor, "v 3"]) -> float:
    """Return the median distance to the nearest camera that stands elsewhere.

    A car that stands still trembles; that is no baseline.
    """
    distance = torch.cdist(positions, positions)
    elsewhere = distance > 1e-3 * float(distance.max().clamp_min(1e-12))
    nearest = torch.where(elsewhere, distance, torch.inf).min(dim=1).values
    nearest = nearest[nearest.isfinite()]
    return float(nearest.median()) if len(nearest) else 1.0
