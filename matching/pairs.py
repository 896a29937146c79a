"""Which views are worth matching: those that see the same from places some way apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from recon.matching.cameras import Cameras
from recon.matching.pair import Pair
from recon.matching.scene_depth import scene_depths
from recon.types import View

BEST_ANGLE = 5.0
"""Degrees between the sights of a point: less measures depth worse, more looks less alike
(Yao et al. 2018 rate the source views of MVSNet so)."""
ONE_PLACE = 1e-6
"""Units of length; cameras within it of one another differ by rounding."""
WIDEST_ANGLE = 45.0
"""Degrees beyond which photos are not matched."""


@dataclass(frozen=True)
class PairOptions:
    """How many pairs of views are matched, and which."""

    neighbours: int = 6
    """Each view picks so many partners; it is picked by others besides."""
    overlap: float = 0.25
    """Least share of what one view sees that its partner must see as well, in (0, 1]."""
    angle: float = 0.3
    """Least mean angle between the two sights of a point, in degrees."""


def select_pairs(
    views: Sequence[View],
    points: Float[Tensor, "p 3"] | None = None,
    options: PairOptions = PairOptions(),
) -> tuple[Pair, ...]:
    """Choose pairs by what the poses say of overlap and baseline.

    Each view picks the partners that score best; of a drive, its neighbours in time and the best
    view of another camera of the rig come first, so that no camera and no step stands alone.

    Args:
        views: with known poses.
        points: of the scene, where there are any; they tell how far away it is.
        options: how many, and which.

    Returns:
        Pairs in order; none where no two views see the same from different places.
    """
    if len(views) < 2:
        return ()
    cameras = Cameras.of([view.camera for view in views])
    if float(torch.pdist(cameras.positions).max()) < ONE_PLACE:
        return ()
    scores = pair_scores(cameras, points, options)
    chosen = set()
    for index, row in enumerate(scores):
        ranked = [b for b in row.argsort(descending=True).tolist() if float(row[b]) > 0]
        first = _beside(views, index, ranked)
        partners = first + [b for b in ranked if b not in first]
        chosen |= {Pair(min(index, b), max(index, b)) for b in partners[: options.neighbours]}
    return tuple(sorted(chosen))


def pair_scores(
    cameras: Cameras, points: Float[Tensor, "p 3"] | None, options: PairOptions
) -> Float64[Tensor, "v v"]:
    """Rate every pair from 0, not worth it, to 1.

    The score is the smaller of both views' overlap, times how well the angle and the change of
    scale between the photos suit a matcher. It is symmetric.
    """
    count = len(cameras)
    samples = _samples(cameras, scene_depths(cameras, points))
    flat = samples.reshape(-1, 3)
    sight = samples - cameras.positions[:, None]
    overlap = torch.zeros(count, count, dtype=torch.float64)
    angle, ratio = torch.zeros_like(overlap), torch.ones_like(overlap)
    for b in range(count):
        pixels, depth = cameras.project(torch.full((len(flat),), b), flat)
        seen = (depth > 0) & ((pixels >= 0) & (pixels <= cameras.size[b])).all(dim=1)
        seen = seen.reshape(count, -1)
        other = samples - cameras.positions[b]
        between = torch.atan2(
            torch.linalg.cross(sight, other).norm(dim=2), (sight * other).sum(dim=2)
        ).rad2deg()
        nearer = (sight.norm(dim=2) / other.norm(dim=2).clamp_min(1e-12)).log().abs()
        total = seen.sum(dim=1).clamp_min(1)
        overlap[:, b] = seen.double().mean(dim=1)
        angle[:, b] = (between * seen).sum(dim=1) / total
        ratio[:, b] = torch.exp(-(nearer * seen).sum(dim=1) / total)
    overlap, angle = torch.minimum(overlap, overlap.T), (angle + angle.T) / 2
    usable = (overlap >= options.overlap) & (angle >= options.angle) & (angle <= WIDEST_ANGLE)
    return usable.fill_diagonal_(False) * overlap * _suits(angle) * torch.minimum(ratio, ratio.T)


def _suits(angle: Float64[Tensor, "v v"]) -> Float64[Tensor, "v v"]:
    wide = torch.exp(-(((angle - BEST_ANGLE) / 15).clamp_min(0) ** 2))
    return (angle / BEST_ANGLE).clamp_max(1) * wide


def _samples(cameras: Cameras, depths: Float64[Tensor, "v 3"]) -> Float64[Tensor, "v s 3"]:
    """Return points that views see: 20 pixels at three depths each."""
    across = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    grid = torch.cartesian_prod(across, across[[0, 1, 3, 4]])
    count = len(cameras)
    pixels = grid[None] * cameras.size[:, None]
    view = torch.arange(count).repeat_interleave(len(grid) * 3)
    pixels = pixels.repeat_interleave(3, dim=1).reshape(-1, 2)
    depth = depths[:, None].expand(-1, len(grid), -1).reshape(-1)
    return cameras.unproject(view, pixels, depth).reshape(count, -1, 3)


def _beside(views: Sequence[View], index: int, ranked: Sequence[int]) -> list[int]:
    """Return the next in time of the same camera, either way, and the best of another camera."""
    here = views[index]
    if here.step is None:
        return []
    same = [b for b in ranked if views[b].sensor == here.sensor]
    steps = {b: (views[b].step or 0) - here.step for b in same}
    before = sorted((b for b in same if steps[b] < 0), key=lambda b: -steps[b])
    after = sorted((b for b in same if steps[b] > 0), key=lambda b: steps[b])
    across = [b for b in ranked if views[b].sensor != here.sensor]
    return [*before[:1], *after[:1], *across[:1]]
