"""Points for a fit to begin with, from the depth that comes with its training photos.

A few photos are chosen evenly, and a point is taken from every few pixels; of all, one is kept in
each voxel, as wide as points at the median depth are apart. Wrong depths are told by the other
photos: where a point would lie clearly before what another photo sees there, light passes through
it. Points that more photos contradict than confirm are left out: wrong matches, what floats at the
edges of things, and what has moved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from recon.camera import inside, project, unproject
from recon.datasets.lidar_points import thinned
from recon.datasets.poses import FARTHEST
from recon.errors import DataError
from recon.types import DepthKind, DepthMap, PointCloud, View

VIEWS = 16
"""At most so many photos are asked for their depth."""
POINTS = 8_000
"""About so many pixels of each are looked at."""
AGREES, CONTRADICTS = 0.1, 0.15
"""Relative differences of depth: below the one it is the same thing, above the other behind."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A photo with its depth."""

    view: View
    depth: DepthMap
    use: Bool[Tensor, "h w"]
    """Where the depth is known and the photo shows what stays."""


def depth_points(views: Sequence[View], notes: list[str], warnings: list[str]) -> PointCloud | None:
    """Gather points from the depth of some views.

    Args:
        views: those that may be learned from.
        notes: grows by a line that says where the points come from.
        warnings: grows by depths that cannot be read.

    Returns:
        None where no view brings depth in the capture's own unit.
    """
    chosen = []
    for view in evenly(views):
        try:
            seen = look(view)
        except DataError as error:
            warnings.append(f"no points from the depth of {view.name}: {error}")
            continue
        chosen += [] if seen is None else [seen]
        if len(chosen) == VIEWS:
            break
    parts = [part for part in (points_of(one, chosen) for one in chosen) if part is not None]
    if not parts:
        return None
    positions, colors, sizes = (torch.cat(column) for column in zip(*parts, strict=True))
    kept = thin(positions, float(sizes.median()))
    measured = all(seen.depth.measured for seen in chosen)
    notes.append(
        f"{len(kept)} points to begin with, from the depth of {len(chosen)} training photos"
        f"{'' if measured else ' (matched in stereo, not measured)'}; --start random does without"
    )
    return PointCloud(positions[kept], colors[kept])


def evenly(views: Sequence[View]) -> list[View]:
    """Order views so that the first few of them, however many, are spread over all."""
    count = max(1, math.ceil(math.log2(max(1, len(views)))))
    order = (int(f"{i:0{count}b}"[::-1], 2) for i in range(2**count))
    return [views[i] for i in order if i < len(views)]


def look(view: View) -> Seen | None:
    """Read a view's depth; None where there is none in the capture's unit.

    Raises:
        DataError: it cannot be read.
    """
    depth = view.photo.depth()
    if depth is None or depth.kind is not DepthKind.METRIC:
        return None
    use, valid = depth.valid, view.photo.valid()
    return Seen(view, depth, use if valid is None else use & valid)


def points_of(
    seen: Seen, others: Sequence[Seen]
) -> tuple[Float[Tensor, "p 3"], UInt8[Tensor, "p 3"], Float[Tensor, " p"]] | None:
    """Return points of a photo that the others do not contradict, colours, and distances apart."""
    camera, (height, width) = seen.view.camera, seen.use.shape
    cell = max(1, round(math.sqrt(height * width / POINTS)))
    rows, columns = torch.meshgrid(
        torch.arange(cell // 2, height, cell), torch.arange(cell // 2, width, cell), indexing="ij"
    )
    known = seen.use[rows, columns]
    row, column = rows[known], columns[known]
    depth = seen.depth.z[row, column]
    positions = unproject(camera, torch.stack([column, row], dim=-1) + 0.5, depth)
    votes = torch.zeros(len(positions), dtype=torch.int64)
    for other in others:
        if other is not seen:
            votes += vote(other, positions)
    kept = (votes >= 0) & (positions.abs() < FARTHEST).all(dim=1)
    if not kept.any():
        return None
    colors = seen.view.photo.pixels()[row, column]
    return positions[kept], colors[kept], (depth * cell / camera.fx)[kept]


def vote(seen: Seen, positions: Float[Tensor, "p 3"]) -> Int[Tensor, " p"]:
    """Return 1 for points that a photo sees where they are, -1 where it sees what is behind."""
    pixels, depth = project(seen.view.camera, positions)
    index = inside(seen.view.camera, pixels, depth).nonzero()[:, 0]
    height, width = seen.use.shape
    column, row = pixels[index].long().T
    column, row = column.clamp(max=width - 1), row.clamp(max=height - 1)
    ratio = seen.depth.z[row, column] / depth[index]
    votes = torch.zeros(len(positions), dtype=torch.int64)
    votes[index] = ((ratio - 1).abs() < AGREES).long() - (ratio > 1 + CONTRADICTS).long()
    votes[index[~seen.use[row, column]]] = 0
    return votes


def thin(positions: Float[Tensor, "p 3"], voxel: float) -> Int[Tensor, " m"]:
    """Keep one point in each voxel."""
    preferred = np.ones(len(positions), np.bool_)
    return torch.from_numpy(thinned(positions.double().numpy(), preferred, voxel))
