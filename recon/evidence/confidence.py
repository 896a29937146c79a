"""How far each pixel of a depth prior may be trusted: does it agree with what else is known?

Errors are |ln z - ln z'|, so relative errors of depth, and those beyond a cap count as the cap: how
wrong a wrong depth is must not matter. An agreement is 1 without error and a Gaussian of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import inside, project, unproject
from recon.evidence.interface import SparseDepth
from recon.types import Camera, DepthMap


@dataclass(frozen=True)
class Trust:
    """What counts as agreement."""

    tolerance: float = 0.1
    """Relative error of depth at which an agreement is 0.61."""
    cap: float = 0.3
    """Relative error beyond which a depth is simply wrong; and behind another view's surface by
    more than this, a point is taken as hidden from that view."""
    reach: float = 0.03
    """How far a known depth speaks for the pixels around it, in widths of the photo: there it
    counts 0.61."""
    unknown: float = 0.5
    """Confidence where nothing can be compared."""
    doubt: float = 0.2
    """Witnesses that `unknown` counts for, beside the real ones."""


def agreement(z: Float[Tensor, "*n"], other: Float[Tensor, "*n"], trust: Trust) -> Tensor:
    """Return 1 for equal depths, and the same small number for all that differ by the cap or more.

    Args:
        z: positive.
        other: positive, of the same shape.
        trust: the tolerance and the cap.
    """
    error = (z.double().log() - other.double().log()).abs().clamp(max=math.log1p(trust.cap))
    return torch.exp(-0.5 * (error / math.log1p(trust.tolerance)) ** 2).float()


def trust_by_points(
    prior: DepthMap, sparse: SparseDepth, trust: Trust | None = None
) -> Float[Tensor, "h w"]:
    """Return how well an aligned prior agrees with the known depths around each pixel.

    Each point is a witness for its surroundings, less so the farther away.

    Args:
        prior: in the points' unit.
        sparse: known depths in the same photo.
        trust: what counts as agreement.

    Returns:
        Values in [0, 1]: `unknown` far from all points, 0 where the prior is not valid.
    """
    trust = trust or Trust()
    height, width = prior.z.shape
    row, column = sparse.index(width, height)
    use = prior.valid[row, column] & (sparse.depth > 0) & sparse.depth.isfinite()
    row, column, weight = row[use], column[use], sparse.weight[use]
    agreed = agreement(prior.z[row, column], sparse.depth[use], trust) * weight
    sums = torch.zeros(2, height, width)
    for total, values in zip(sums, (agreed, weight), strict=True):
        total.index_put_((row, column), values.float(), accumulate=True)
    around = _spread(sums, trust.reach * width)
    return _verdict(around[0], around[1], prior, trust)


def trust_by_views(
    camera: Camera,
    prior: DepthMap,
    others: Sequence[tuple[Camera, DepthMap]],
    trust: Trust | None = None,
) -> Float[Tensor, "h w"]:
    """Return how well an aligned prior agrees with those of neighbouring views.

    Each pixel's point is looked up in the neighbour's prior, and the point found there is brought
    back; the larger of the two errors counts. A neighbour is no witness for what lies outside of
    its photo, or behind the surface that it sees.

    Args:
        camera: of the view.
        prior: of the view; all priors in one unit, that of the cameras' positions.
        others: the neighbours' cameras and priors.
        trust: what counts as agreement.

    Returns:
        Values in [0, 1]: `unknown` without a witness, 0 where the prior is not valid.
    """
    trust = trust or Trust()
    agreed, witnesses = torch.zeros(2, *prior.z.shape)
    row, column = torch.nonzero(prior.valid, as_tuple=True)
    pixels = torch.stack([column, row], dim=-1).double() + 0.5
    z = prior.z[row, column].double()
    points = unproject(camera, pixels, z)
    for other_camera, other in others:
        seen, expected = project(other_camera, points)
        hits = inside(other_camera, seen, expected)
        cell = seen.nan_to_num().floor().long()
        there_row = cell[:, 1].clamp(0, other_camera.height - 1)
        there_column = cell[:, 0].clamp(0, other_camera.width - 1)
        found = other.z[there_row, there_column].double()
        hits &= other.valid[there_row, there_column] & (expected <= (1 + trust.cap) * found)
        back = project(camera, unproject(other_camera, seen[hits], found[hits]))[1]
        # Brought back behind the camera, it is as wrong as can be.
        back = back.clamp(min=1e-6 * z[hits])
        there = agreement(expected[hits], found[hits], trust)
        vote = torch.minimum(there, agreement(z[hits], back, trust))
        agreed[row[hits], column[hits]] += vote
        witnesses[row[hits], column[hits]] += 1
    return _verdict(agreed, witnesses, prior, trust)


def combined(parts: Sequence[Float[Tensor, "h w"]]) -> Float[Tensor, "h w"]:
    """Return the product of confidences that come from different witnesses."""
    return torch.stack(list(parts)).prod(dim=0)


def _verdict(
    agreed: Float[Tensor, "h w"],
    witnesses: Float[Tensor, "h w"],
    prior: DepthMap,
    trust: Trust,
) -> Float[Tensor, "h w"]:
    """Return the mean agreement, drawn to `unknown` where witnesses are few."""
    mean = (agreed + trust.doubt * trust.unknown) / (witnesses + trust.doubt)
    return torch.where(prior.valid, mean, 0.0).clamp(0, 1)


def _spread(sums: Float[Tensor, "c h w"], sigma: float) -> Float[Tensor, "c h w"]:
    """Convolve with a Gaussian whose middle is 1; nothing comes from outside of the photo."""
    reach = math.ceil(4 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return torch.stack(
        [
            torch.from_numpy(
                cv2.sepFilter2D(one.numpy(), -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT)
            )
            for one in sums
        ]
    )
