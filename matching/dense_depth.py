"""Depth at every pixel where neighbouring photos agree about it, from photos and poses alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from recon.camera import inside, pixel_centres, project, unproject
from recon.counter import Counter, silent
from recon.errors import DataError
from recon.matching.cameras import Cameras
from recon.matching.pairs import PairOptions, pair_scores
from recon.matching.plane_sweep import GreyPhoto, photo_costs
from recon.matching.semi_global import Steps, cheapest, smoothed
from recon.types import Camera, DepthMap, View

FEWEST_POINTS = 30
"""A view that sees fewer points takes the range of depth of all views."""
RANGE = (0.01, 0.995)
"""Quantiles of the points' depth; beyond them lie single wrong ones."""
STEPS = Steps(small=0.08, jump=0.6, edge=20.0, least=0.12)
"""In units of the photos' unlikeness."""
NEARER, FARTHER = 0.7, 2.0
"""How much nearer and farther than its points a scene may reach."""


@dataclass(frozen=True)
class DenseOptions:
    """How dense depth is looked for, and when it is believed."""

    width: int = 320
    """px; of the photos that are compared."""
    others: int = 4
    """Photos that each one is compared with."""
    fewest_planes: int = 32
    most_planes: int = 96
    """Planes of depth that are tried; in between, one for each pixel that they move by."""
    agreeing: int = 2
    """Other views whose own depth must confirm a pixel's."""
    apart: float = 1.5
    """px; farther from where it started, a pixel that goes to another view and comes back by that
    view's depth is not confirmed."""
    unlike: float = 0.03
    """Nor where the two depths differ by more than this share."""


@dataclass(frozen=True, eq=False)
class DensePhoto:
    """A view's depth, at the size of the photo that was compared."""

    camera: Camera
    depth: DepthMap
    """Valid where other views confirm it."""


def dense_depths(
    views: Sequence[View],
    points: Float[Tensor, "p 3"],
    options: DenseOptions = DenseOptions(),
    counter: Counter = silent,
) -> tuple[DensePhoto, ...]:
    """Find the depth of photos by comparing each with its neighbours over planes of depth.

    Args:
        views: with known poses; two at least.
        points: of the scene, in the working frame: they tell between which depths to look.
        options: how.
        counter: shows how far it is.

    Raises:
        DataError: no view sees the points, or no two views see the same.
    """
    photos = [GreyPhoto.of(view, options.width) for view in views]
    neighbours = _neighbours(views, points, options)
    if not any(neighbours):
        raise DataError(f"no two of {len(views)} views see the same from different places")
    ranges = _ranges([photo.camera for photo in photos], points)
    inverse = []
    with counter("dense depth", len(views)) as step:
        for index, photo in enumerate(photos):
            others = [photos[other] for other in neighbours[index]]
            inverse.append(_inverse_depth(photo, others, ranges[index], options))
            step(views[index].name)
    return tuple(
        DensePhoto(photo.camera, _confirmed(index, photos, inverse, neighbours[index], options))
        for index, photo in enumerate(photos)
    )


def _neighbours(
    views: Sequence[View], points: Float[Tensor, "p 3"], options: DenseOptions
) -> list[list[int]]:
    cameras = Cameras.of([view.camera for view in views])
    scores = pair_scores(cameras, points, PairOptions())
    best = scores.argsort(dim=1, descending=True, stable=True)[:, : options.others].tolist()
    return [[b for b in row if float(scores[a, b]) > 0] for a, row in enumerate(best)]


def _ranges(cameras: Sequence[Camera], points: Float[Tensor, "p 3"]) -> list[tuple[float, float]]:
    """Return the nearest and farthest depth to look at, for each camera."""
    seen = []
    for camera in cameras:
        pixels, depth = project(camera, points.float())
        seen.append(depth[inside(camera, pixels, depth)])
    together = torch.cat(seen)
    if not len(together):
        raise DataError("no view sees any of the points that tell how far the scene is away")
    found = []
    for depth in seen:
        ordered = (depth if len(depth) >= FEWEST_POINTS else together).sort().values
        near, far = (float(ordered[int(q * (len(ordered) - 1))]) for q in RANGE)
        found.append((NEARER * near, FARTHER * far))
    return found


def _inverse_depth(
    photo: GreyPhoto,
    others: Sequence[GreyPhoto],
    between: tuple[float, float],
    options: DenseOptions,
) -> Float32[np.ndarray, "h w"]:
    """Return one over the depth that fits best; 0 everywhere where there are no other photos."""
    if not others:
        return np.zeros_like(photo.grey)
    near, far = between
    base = max(float((o.camera.position - photo.camera.position).norm()) for o in others)
    moves = (1 / near - 1 / far) * base * photo.camera.fx
    count = int(min(max(moves, options.fewest_planes), options.most_planes))
    planes = np.linspace(1 / far, 1 / near, count)
    costs = smoothed(photo_costs(photo, others, planes), photo.grey, STEPS)
    return cheapest(costs, planes.astype(np.float32))


def _confirmed(
    index: int,
    photos: Sequence[GreyPhoto],
    inverse: Sequence[Float32[np.ndarray, "h w"]],
    neighbours: Sequence[int],
    options: DenseOptions,
) -> DepthMap:
    """Return a view's depth, valid where enough other views' depth leads back to it."""
    camera, usable = photos[index].camera, torch.from_numpy(photos[index].usable)
    mine = torch.from_numpy(inverse[index])
    if not neighbours:
        return DepthMap(torch.zeros_like(mine), torch.zeros_like(usable), measured=False)
    depth = 1 / mine.clamp_min(1e-9)
    pixels = pixel_centres(camera)
    points = unproject(camera, pixels, depth.flatten())
    votes = torch.zeros(len(pixels))
    for other in neighbours:
        there = photos[other].camera
        at, z = project(there, points)
        hit = inside(there, at, z)
        column, row = at.nan_to_num(0).long().unbind(-1)
        column, row = column.clamp(0, there.width - 1), row.clamp(0, there.height - 1)
        theirs = torch.from_numpy(inverse[other])[row, column]
        centre = torch.stack([column, row], -1) + 0.5
        back = unproject(there, centre, 1 / theirs.clamp_min(1e-9))
        returned, z_back = project(camera, back)
        near = (returned - pixels).norm(dim=-1) <= options.apart
        alike = (z_back / depth.flatten() - 1).abs() <= options.unlike
        votes += hit & near & alike & (theirs > 0)
    valid = (votes >= min(options.agreeing, len(neighbours))).reshape(depth.shape) & usable
    return DepthMap(torch.where(valid, depth, 0.0), valid, measured=False)
