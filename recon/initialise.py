"""The first Gaussians: from a capture's points or, where there are none, spread in the frusta."""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from recon.camera import inside, project, unproject
from recon.fill import fill_gaps
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.types import Capture, PointCloud

NEIGHBOURS = 3
OPACITY = 0.1
SAMPLED_POINTS, SAMPLED_VIEWS = 2_000, 20
FILLED = 0.05
"""Share of the Gaussians a fit may have that fill gaps between LiDAR points."""
ASKED_VIEWS = 100
"""At most so many views are asked whether they see a point too."""
NEAREST, FARTHEST = 0.1, 20.0
"""Depths of points that are not known, in units of the capture's extent."""


def initialise(capture: Capture, count_without_points: int, most: int) -> Gaussians:
    """Make the Gaussians a fit begins with.

    Points are taken from the capture, thinned at random to `most`; where LiDAR measured them, some
    more fill the gaps that it leaves. Without points, `count_without_points` are spread in the
    frusta of the training views. Random choices come from torch's default generator.
    """
    cloud = capture.points
    if cloud is None or len(cloud) < NEIGHBOURS + 1:
        cloud = fill_frusta(capture, min(max(count_without_points, NEIGHBOURS + 1), most))
    elif capture.lidar:
        filling = fill_gaps(capture, cloud, int(FILLED * most))
        cloud = joined(thinned(cloud, most - len(filling)), filling)
    return from_points(thinned(cloud, most))


def thinned(cloud: PointCloud, most: int) -> PointCloud:
    """Return a cloud of at most so many points, chosen at random."""
    if len(cloud) <= most:
        return cloud
    kept = torch.randperm(len(cloud))[:most].sort().values
    return PointCloud(cloud.positions[kept], cloud.colors[kept])


def joined(*clouds: PointCloud) -> PointCloud:
    """Return the points of all; of one cloud at least."""
    positions = torch.cat([cloud.positions for cloud in clouds])
    return PointCloud(positions, torch.cat([cloud.colors for cloud in clouds]))


def scene_scale(capture: Capture) -> float:
    """Measure how far the scene is away: the unit of the means' learning rate, and of sizes.

    It is the median depth of the points in the training views that see them. Where there are none
    it is the capture's extent, the radius of its cameras, which peers use throughout: it says
    little of a scene that is photographed from one side.
    """
    extent, cloud = max(capture.extent, 1e-6), capture.points
    if cloud is None or len(cloud) == 0:
        return extent
    points = cloud.positions[:: math.ceil(len(cloud) / SAMPLED_POINTS)].float()
    views = capture.train[:: max(1, math.ceil(len(capture.train) / SAMPLED_VIEWS))]
    seen = []
    for view in views:
        pixels, depth = project(view.camera, points)
        seen.append(depth[inside(view.camera, pixels, depth)])
    depths = torch.cat(seen)
    return float(depths.median()) if len(depths) else extent


def from_points(cloud: PointCloud) -> Gaussians:
    """Place a round Gaussian on each point, as wide as its three neighbours are distant."""
    count = len(cloud)
    width = neighbour_distance(cloud.positions)
    color = cloud.colors.float()[:, None] / 255
    return Gaussians(
        means=cloud.positions.float(),
        quaternions=torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        log_scales=width.log()[:, None].repeat(1, 3),
        opacity_logits=torch.full((count,), math.log(OPACITY / (1 - OPACITY))),
        sh_base=(color - 0.5) / HARMONIC_BAND_0,
        sh_rest=torch.zeros(count, 15, 3),
    )


def neighbour_distance(positions: Float[Tensor, "p 3"]) -> Float[Tensor, " p"]:
    """Measure the root mean square distance to the nearest three other points.

    Stray points far from all others would begin as giants; no width exceeds ten times the 90th
    percentile. Points that coincide get a hundredth of the median.
    """
    points = positions.double().numpy()
    distances, _ = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    width = np.sqrt((np.asarray(distances)[:, 1:] ** 2).mean(axis=1))
    typical = max(float(np.median(width)), 1e-9)
    widest = max(10 * float(np.quantile(width, 0.9)), typical)
    return torch.from_numpy(width.clip(0.01 * typical, widest)).float()


def fill_frusta(capture: Capture, count: int) -> PointCloud:
    """Spread grey points over the pixels of the training views, evenly in the log of depth.

    Of the points drawn, those seen by a second view come first, since only they can be placed by
    the photos.
    """
    views, extent = capture.train, max(capture.extent, 1e-6)
    drawn = 4 * count
    choice = torch.randint(len(views), (drawn,))
    across, down, share = torch.rand(3, drawn)
    depth = extent * torch.exp(math.log(NEAREST) + share * math.log(FARTHEST / NEAREST))
    positions, seen = torch.empty(drawn, 3), torch.zeros(drawn, dtype=torch.int32)
    counts = choice.bincount(minlength=len(views)).tolist()
    by_view = torch.split(choice.argsort(stable=True), counts)
    # On a drive, points are seen from near by if at all, and a part of its views tells of that.
    asked = range(0, len(views), math.ceil(len(views) / ASKED_VIEWS))
    for index, (view, chosen) in enumerate(zip(views, by_view, strict=True)):
        camera = view.camera
        pixels = torch.stack([across[chosen] * camera.width, down[chosen] * camera.height], -1)
        positions[chosen] = unproject(camera, pixels, depth[chosen])
        seen[chosen] += index not in asked
    for camera in (views[index].camera for index in asked):
        seen += inside(camera, *project(camera, positions))
    order = torch.argsort((seen < 2).int(), stable=True)[:count]
    return PointCloud(positions[order], torch.full((count, 3), 128, dtype=torch.uint8))
