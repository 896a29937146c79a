"""First points where photos show something and a capture's points show nothing.

Lasers do not reach far buildings, the upper floors of near ones, or the road before the car.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor

from recon.camera import inside, project, unproject
from recon.types import Camera, Capture, PointCloud, View

VIEWS = 24
"""At most so many training photos are looked at, evenly chosen."""
CELLS = 48
"""Parts of a photo's width: the grain at which gaps are found."""
FARTHEST = 8.0
"""Of the depth that 95 in 100 points do not reach."""
CONTINUED = 0.8
"""Share of the points that continue the depth of their neighbours; the others are far away."""
JITTER = 0.2
"""Standard deviation of the logarithm of the depth of points that continue their neighbours."""


def fill_gaps(capture: Capture, cloud: PointCloud, count: int) -> PointCloud:
    """Return coloured points for the gaps that a cloud leaves in the training photos.

    Most of them continue the depth of the nearest points in the photo; the others are far away,
    between what 95 in 100 points do not reach and eight times that, evenly in the logarithm.
    Random choices come from torch's default generator.

    Args:
        capture: gives the photos.
        cloud: at least one point.
        count: how many points to make; none where there are no gaps.
    """
    views = capture.train[:: max(1, math.ceil(len(capture.train) / VIEWS))]
    if count < 1:
        return PointCloud(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.uint8))
    parts = [_of_view(view, cloud, math.ceil(count / len(views))) for view in views]
    positions = torch.cat([part.positions for part in parts])
    colors = torch.cat([part.colors for part in parts])
    kept = torch.randperm(len(positions))[:count]
    return PointCloud(positions[kept], colors[kept])


def _of_view(view: View, cloud: PointCloud, count: int) -> PointCloud:
    camera = view.camera
    pixels, depth = project(camera, cloud.positions.float())
    shown = inside(camera, pixels, depth)
    gaps, nearby = _gaps(camera, pixels[shown], depth[shown])
    cells = gaps.nonzero()
    if len(cells) == 0:
        return PointCloud(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.uint8))
    chosen = cells[torch.randint(len(cells), (count,))]
    size = camera.width / CELLS
    places = (chosen.flip(-1) + torch.rand(count, 2)) * size
    limits = torch.tensor([camera.width - 0.5, camera.height - 0.5])
    places = torch.minimum(places, limits)
    continued = nearby[chosen[:, 0], chosen[:, 1]] * torch.exp(JITTER * torch.randn(count))
    reached = float(depth[shown].quantile(0.95))
    far = reached * torch.exp(math.log(FARTHEST) * torch.rand(count))
    at = torch.where(torch.rand(count) < CONTINUED, continued, far)
    colors = view.photo.pixels()[places[:, 1].long(), places[:, 0].long()]
    return PointCloud(unproject(camera, places, at), colors)


def _gaps(
    camera: Camera, pixels: Float[Tensor, "n 2"], depth: Float[Tensor, " n"]
) -> tuple[Bool[Tensor, "v u"], Float[Tensor, "v u"]]:
    """Return the cells above or below all points, and for each cell the depth of the nearest."""
    size = camera.width / CELLS
    rows = math.ceil(camera.height / size)
    index = (pixels / size).long().clamp(max=torch.tensor([CELLS - 1, rows - 1]))
    flat = index[:, 1] * CELLS + index[:, 0]
    nearest = torch.full((rows * CELLS,), torch.inf).scatter_reduce(0, flat, depth, "amin")
    grid = nearest.reshape(rows, CELLS).numpy()
    occupied = np.isfinite(grid)
    if not occupied.any():
        # This photo sees no point: nothing is known of its depth.
        return torch.zeros(rows, CELLS, dtype=torch.bool), torch.from_numpy(grid)
    at = distance_transform_edt(~occupied, return_distances=False, return_indices=True)
    shown = binary_dilation(occupied, np.ones((3, 3), np.bool_))
    above = np.logical_or.accumulate(shown, axis=0)
    below = np.logical_or.accumulate(shown[::-1], axis=0)[::-1]
    # What points surround is no gap but glass or a mirror, in which lasers see nothing.
    gaps = ~(above & below)
    return torch.from_numpy(gaps), torch.from_numpy(grid[tuple(at)])
