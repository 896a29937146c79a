"""Matching photos by key points: each takes the most alike of the other photo, if both agree."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.matching.matcher import Matches


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """The key points of one photo."""

    pixels: Float[Tensor, "n 2"]
    descriptors: Float[Tensor, "n d"]
    """Of length 1."""


def mutual_nearest(a: KeyPoints, b: KeyPoints, ratio: float) -> Matches:
    """Match the key points that are one another's nearest.

    Args:
        a: of one photo.
        b: of the other photo.
        ratio: the nearest is taken only where it is closer than this factor times the second
            nearest, in both directions (Lowe 2004, section 7.1); 1 takes all.

    Returns:
        Matches, confident by how much closer the nearest is than the second nearest.
    """
    if min(len(a.pixels), len(b.pixels)) < 2:
        return Matches.none()
    partner, closeness = _nearest(a.descriptors @ b.descriptors.T)
    limit = ratio if ratio < 1 else torch.inf
    # The way back is asked only for those that are left.
    index = (closeness < limit).nonzero()[:, 0]
    back, back_closeness = _nearest(b.descriptors[partner[index]] @ a.descriptors.T)
    keep = (back == index) & (back_closeness < limit)
    index, worst = index[keep], torch.maximum(closeness[index], back_closeness)[keep]
    confidence = (1 - worst).clamp(0, 1)
    return Matches(a.pixels[index].cpu(), b.pixels[partner[index]].cpu(), confidence.cpu())


def _nearest(cosine: Float[Tensor, "n m"]) -> tuple[Tensor, Tensor]:
    """Return each row's best column, and its distance over the second best's."""
    best, column = cosine.topk(2, dim=1)
    distance = (2 - 2 * best).clamp_min(0).sqrt()
    return column[:, 0], distance[:, 0] / distance[:, 1].clamp_min(1e-9)
