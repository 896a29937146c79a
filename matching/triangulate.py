"""Points from tracks: linear least squares, then Gauss-Newton over all views of a track.

All tracks are solved at once, in float64. A point's covariance says how well its depth is known.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from recon.errors import DataError
from recon.matching.cameras import Cameras
from recon.matching.segments import any_of, largest, total
from recon.matching.tracks import Tracks

STEPS = 10
HUBER = 1.5
"""Standard deviations beyond which a residual pulls no harder."""
LEAST_NOISE = 0.1
"""px; no matcher is believed to be better."""


@dataclass(frozen=True)
class TriangulationOptions:
    """Which points are believed."""

    angle: float = 1.0
    """Least widest angle between two sights of a point, in degrees."""
    error: float = 2.0
    """px; observations that lie further from their point's projection are left out."""


@dataclass(frozen=True, eq=False)
class Triangulated:
    """Points, and how well the observations that are left determine them."""

    positions: Float64[Tensor, "t 3"]
    """In the working frame."""
    covariance: Float64[Tensor, "t 3 3"]
    """Of the positions, in units of length squared."""
    angle: Float64[Tensor, " t"]
    """The widest between two sights of a point, in degrees."""
    tracks: Tracks
    """The observations that agree with the points."""
    depth: Float64[Tensor, " m"]
    """Of each observation's point, along that view's optical axis."""
    deviation: Float64[Tensor, " m"]
    """Standard deviation of that depth."""
    error: Float64[Tensor, " m"]
    """px between each observation and its point's projection."""
    noise: float
    """px; standard deviation of the observations' coordinates, as estimated from all."""

    def __len__(self) -> int:
        """Count the points."""
        return len(self.positions)

    def certainty(self, typical: float = 0.01) -> Float64[Tensor, " m"]:
        """Weigh each observation's depth, from 0 to 1.

        Args:
            typical: the relative standard deviation of depth that weighs one half.
        """
        relative = self.deviation / self.depth
        return 1 / (1 + (relative / typical).square())


def triangulate(
    tracks: Tracks, cameras: Cameras, options: TriangulationOptions = TriangulationOptions()
) -> Triangulated:
    """Place a point for every track that determines one.

    Left out are points behind a camera of theirs, points seen under too small an angle, and
    observations too far from the projection of the point that the others agree on.

    Raises:
        DataError: no track is left, and the message says why: no matches, no baseline.
    """
    if not len(tracks):
        raise DataError(
            "nothing to triangulate: no pixels match in two photos that overlap. Take photos that "
            "overlap by half or more, or look at `recon inspect --matches`."
        )
    _refuse_pure_rotation(tracks, cameras, options)
    kept = torch.ones(len(tracks.track), dtype=torch.bool)
    for prune in (_worst, _bad, _bad):
        tracks, _ = tracks.where(kept)
        positions = _refined(linear(tracks, cameras), tracks, cameras)
        error, depth = _errors(positions, tracks, cameras)
        angle = widest_angle(positions, tracks, cameras)
        unseen = any_of(depth <= 0, tracks.track, len(tracks))
        sound = ~unseen & (angle >= options.angle)
        kept = sound[tracks.track] & ~prune(error, tracks, options.error)
    tracks, left = tracks.where(kept)
    if not len(tracks):
        raise DataError(
            "nothing to triangulate: no two photos agree on a point in front of them, with pixels "
            f"within {options.error:g} px of its projection. Check the poses with "
            "`recon inspect --matches`."
        )
    return _measured(positions[left], angle[left], tracks, cameras)


def _bad(error: Float64[Tensor, " m"], tracks: Tracks, limit: float) -> Bool[Tensor, " m"]:
    return ~(error <= limit)


def _worst(error: Float64[Tensor, " m"], tracks: Tracks, limit: float) -> Bool[Tensor, " m"]:
    """Say which observation is the worst of each track: one that is wrong spoils the others."""
    return _bad(error, tracks, limit) & (
        error == largest(error, tracks.track, len(tracks))[tracks.track]
    )


def linear(tracks: Tracks, cameras: Cameras) -> Float64[Tensor, "t 3"]:
    """Return the points nearest to all their rays, in the least squares of distances."""
    direction = cameras.directions(tracks.view, tracks.pixels)
    across = torch.eye(3, dtype=torch.float64) - direction[:, :, None] * direction[:, None, :]
    start = (across @ cameras.positions[tracks.view][..., None])[..., 0]
    matrix = total(across, tracks.track, len(tracks))
    # Parallel rays meet nowhere; a small ridge places their point at the cameras.
    ridge = 1e-12 * torch.eye(3, dtype=torch.float64)
    middle = total(cameras.positions[tracks.view], tracks.track, len(tracks))
    middle = middle / tracks.lengths[:, None]
    offset = total(start, tracks.track, len(tracks)) - (matrix @ middle[..., None])[..., 0]
    solved: Tensor = middle + torch.linalg.solve(matrix + ridge, offset)
    return solved


def widest_angle(
    positions: Float64[Tensor, "t 3"], tracks: Tracks, cameras: Cameras
) -> Float64[Tensor, " t"]:
    """Return the widest angle between two sights of each point, in degrees.

    It is found from the sight that is furthest from the first: exact for two views, and hardly
    ever too small for more.
    """
    sight = positions[tracks.track] - cameras.positions[tracks.view]
    sight = sight / sight.norm(dim=1, keepdim=True).clamp_min(1e-300)
    return _widest(sight, tracks.track, len(tracks))


def _widest(
    sight: Float64[Tensor, "m 3"], track: Int64[Tensor, " m"], count: int
) -> Float64[Tensor, " t"]:
    first = torch.searchsorted(track, torch.arange(count))
    for _ in range(2):
        reference = sight[first][track]
        angle = torch.atan2(
            torch.linalg.cross(sight, reference).norm(dim=1), (sight * reference).sum(dim=1)
        )
        widest = largest(angle, track, count)
        index = torch.arange(len(track))
        furthest = torch.where(angle == widest[track], index, -1)
        first = torch.zeros(count, dtype=torch.int64).scatter_reduce(0, track, furthest, "amax")
    return widest.rad2deg()


def _refuse_pure_rotation(tracks: Tracks, cameras: Cameras, options: TriangulationOptions) -> None:
    """Refuse cameras that stand at one place: however they turn, all their rays are the same."""
    direction = cameras.directions(tracks.view, tracks.pixels)
    angle = _widest(direction, tracks.track, len(tracks))
    # Where an observation is off by a pixel, rays differ by this much without any baseline.
    noise = torch.rad2deg(1 / cameras.focal.amin(dim=1).median())
    seen = float(np.quantile(angle.numpy(), 0.9))
    if seen >= max(options.angle, float(noise)):
        return
    places = cameras.positions[torch.unique(tracks.view)]
    apart = float(torch.cdist(places, places).max())
    raise DataError(
        f"depth cannot be triangulated: the cameras only turn. No point is seen under more than "
        f"{seen:.2f}° ({options.angle:g}° needed), for the views stand within {apart:.3g} units of "
        "each other. Take photos from places further apart, or fit without matches."
    )


def _refined(
    positions: Float64[Tensor, "t 3"], tracks: Tracks, cameras: Cameras
) -> Float64[Tensor, "t 3"]:
    """Minimise Huber's measure of the reprojection errors, with a damping for each track."""
    count = len(tracks)
    damping = torch.full((count,), 1e-4, dtype=torch.float64)
    cost = _cost(positions, tracks, cameras)
    for _ in range(STEPS):
        residual, jacobian = _linearised(positions, tracks, cameras)
        weight = (HUBER / residual.norm(dim=1).clamp_min(1e-12)).clamp_max(1)[:, None, None]
        normal = total(jacobian.transpose(1, 2) @ (weight * jacobian), tracks.track, count)
        pull = total(
            (jacobian.transpose(1, 2) @ (weight * residual[..., None]))[..., 0], tracks.track, count
        )
        scale = normal.diagonal(dim1=1, dim2=2)
        ridge = damping[:, None] * scale + 1e-12 * scale.sum(dim=1, keepdim=True) + 1e-30
        step = torch.linalg.solve(normal + torch.diag_embed(ridge), pull)
        tried = positions - step
        tried_cost = _cost(tried, tracks, cameras)
        better = tried_cost <= cost
        positions = torch.where(better[:, None], tried, positions)
        cost = torch.where(better, tried_cost, cost)
        damping = torch.where(better, damping / 5, damping * 10).clamp(1e-9, 1e6)
    return positions


def _linearised(
    positions: Float64[Tensor, "t 3"], tracks: Tracks, cameras: Cameras
) -> tuple[Float64[Tensor, "m 2"], Float64[Tensor, "m 2 3"]]:
    """Return reprojection residuals, and their derivatives by the points."""
    local = cameras.local(tracks.view, positions[tracks.track])
    inverse = 1 / _away_from_zero(local[:, 2:])
    plane = local[:, :2] * inverse
    focal = cameras.focal[tracks.view]
    residual = focal * plane + cameras.centre[tracks.view] - tracks.pixels.double()
    rotation = cameras.rotation[tracks.view]
    jacobian = rotation[:, :2] - plane[..., None] * rotation[:, 2:]
    return residual, (focal * inverse)[..., None] * jacobian


def _cost(
    positions: Float64[Tensor, "t 3"], tracks: Tracks, cameras: Cameras
) -> Float64[Tensor, " t"]:
    local = cameras.local(tracks.view, positions[tracks.track])
    plane = local[:, :2] / _away_from_zero(local[:, 2:])
    residual = cameras.focal[tracks.view] * plane + cameras.centre[tracks.view] - tracks.pixels
    error = residual.norm(dim=1)
    huber = torch.where(error < HUBER, error.square() / 2, HUBER * (error - HUBER / 2))
    return total(huber, tracks.track, len(tracks))


def _errors(
    positions: Float64[Tensor, "t 3"], tracks: Tracks, cameras: Cameras
) -> tuple[Float64[Tensor, " m"], Float64[Tensor, " m"]]:
    """Return each observation's reprojection error in pixels, and its point's depth."""
    pixels, depth = cameras.project(tracks.view, positions[tracks.track])
    return torch.linalg.vector_norm(pixels - tracks.pixels, dim=1), depth


def _measured(
    positions: Float64[Tensor, "t 3"],
    angle: Float64[Tensor, " t"],
    tracks: Tracks,
    cameras: Cameras,
) -> Triangulated:
    """Work out how certain the points are."""
    residual, jacobian = _linearised(positions, tracks, cameras)
    # Of 2 m coordinates, 3 t were used up by the points; the median minds no outliers.
    freedom = max(1, 2 * len(residual) - 3 * len(positions)) / (2 * len(residual))
    noise = 1.4826 * float(residual.abs().median()) / freedom**0.5
    noise = max(noise, LEAST_NOISE)
    normal = total(jacobian.transpose(1, 2) @ jacobian, tracks.track, len(tracks))
    covariance = noise**2 * torch.linalg.inv(normal)
    axis = cameras.rotation[tracks.view, 2]
    variance = (axis[:, None] @ covariance[tracks.track] @ axis[..., None])[:, 0, 0]
    error, depth = _errors(positions, tracks, cameras)
    return Triangulated(
        positions,
        (covariance + covariance.transpose(1, 2)) / 2,
        angle,
        tracks,
        depth,
        variance.clamp_min(0).sqrt(),
        error,
        noise,
    )


def _away_from_zero(depth: Tensor) -> Tensor:
    return torch.where(depth.abs() < 1e-9, 1e-9, depth)
