"""What known poses say of matches: how far a pixel is from the line on which it has to lie."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from recon.matching.cameras import Cameras
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches

DOUBTFUL = 5.0
"""px; where the median match is further from its line than this, poses look wrong."""
FEWEST = 16
"""With fewer matches that agree with one another, a pair says nothing of its poses."""
NAMED = 5
"""At most so many views are named in a warning."""


def fundamental(cameras: Cameras, a: int, b: int) -> Float64[Tensor, "3 3"]:
    """Return F of unit norm with (x_b, 1) F (x_a, 1) = 0 for pixels of the same point.

    It is zero where both cameras stand at the same place.
    """
    rotation, translation = cameras.relative(a, b)
    x, y, z = translation.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    matrix = _pixel_to_ray(cameras, b).T @ cross @ rotation @ _pixel_to_ray(cameras, a)
    norm = matrix.norm()
    return matrix / norm if float(norm) > 0 else matrix


def epipolar_distances(
    cameras: Cameras, a: int, b: int, matches: Matches
) -> Float64[Tensor, "n 2"]:
    """Measure in pixels how far each pixel is from the line of the other.

    Returns:
        In photo b and in photo a. Where both cameras stand at the same place a line is a point.
    """
    rotation, translation = cameras.relative(a, b)
    if float(translation.norm()) < 1e-9 * (1 + float(cameras.translation[a].norm())):
        return _turn_distances(cameras, a, b, rotation, matches)
    matrix = fundamental(cameras, a, b)
    in_a, in_b = _homogeneous(matches.pixels_a), _homogeneous(matches.pixels_b)
    lines_b, lines_a = in_a @ matrix.T, in_b @ matrix
    value = (in_b * lines_b).sum(dim=1).abs()
    return torch.stack(
        [value / lines[:, :2].norm(dim=1).clamp_min(1e-300) for lines in (lines_b, lines_a)], dim=1
    )


@dataclass(frozen=True)
class Agreement:
    """How well the matches of one pair agree with the poses."""

    a: int
    b: int
    count: int
    median: float
    """px, of the distance in photo b; of all matches."""
    within_a_pixel: float
    """Share of the matches."""
    of_the_consistent: float
    """px, the median of those matches that agree with one another about some motion, whatever the
    poses say. Wrong matches agree about none, so where this is large poses are wrong; NaN where
    too few agree."""


def agreement(cameras: Cameras, pair: PairMatches) -> Agreement:
    """Compare one pair's matches with the poses."""
    count = len(pair.matches)
    if not count:
        return Agreement(pair.a, pair.b, 0, float("nan"), float("nan"), float("nan"))
    distance = epipolar_distances(cameras, pair.a, pair.b, pair.matches)[:, 0]
    median = float(distance.median())
    consistent = median
    if median > DOUBTFUL or count < FEWEST:
        chosen = _consistent(pair.matches)
        consistent = float(distance[chosen].median()) if chosen.any() else float("nan")
    within = float((distance < 1).double().mean())
    return Agreement(pair.a, pair.b, count, median, within, consistent)


def pose_warnings(agreements: Sequence[Agreement], names: Sequence[str]) -> tuple[str, ...]:
    """Warn where matches that agree with one another do not agree with the poses.

    Args:
        agreements: of all pairs.
        names: of the views.
    """
    of_view: dict[int, list[float]] = {}
    for pair in agreements:
        if np.isfinite(pair.of_the_consistent):
            for view in (pair.a, pair.b):
                of_view.setdefault(view, []).append(pair.of_the_consistent)
    medians = {view: float(np.median(values)) for view, values in of_view.items()}
    worst = sorted((m, view) for view, m in medians.items() if m > DOUBTFUL)[::-1]
    if not worst:
        return ()
    named = ", ".join(f"{names[view]} ({median:.0f} px)" for median, view in worst[:NAMED])
    more = f" and {len(worst) - NAMED} more" if len(worst) > NAMED else ""
    overall = float(np.median([value for values in of_view.values() for value in values]))
    whose = "the poses look wrong" if overall > DOUBTFUL else "the poses of some views look wrong"
    return (
        f"{whose}: matches lie {overall:.1f} px from where the poses put them in the median pair "
        f"(expected below {DOUBTFUL:.0f}). Worst: {named}{more}. Check axes, units and the order "
        "of the poses, or leave these views out.",
    )


def _consistent(matches: Matches) -> np.ndarray:
    """Return the matches that one fundamental matrix, fitted to them alone, explains."""
    nobody = np.zeros(len(matches), bool)
    if len(matches) < FEWEST:
        return nobody
    a, b = matches.pixels_a.double().numpy(), matches.pixels_b.double().numpy()
    _, mask = cv2.findFundamentalMat(a, b, cv2.USAC_MAGSAC, 1.0, 0.999, 5000)
    if mask is None:
        return nobody
    # Seven matches fit exactly, whatever they are, and a few more by chance.
    inliers = np.asarray(mask).ravel() > 0
    return inliers if inliers.sum() >= max(FEWEST, 0.2 * len(matches)) else nobody


def _turn_distances(
    cameras: Cameras, a: int, b: int, rotation: Tensor, matches: Matches
) -> Float64[Tensor, "n 2"]:
    turn = torch.linalg.inv(_pixel_to_ray(cameras, b)) @ rotation @ _pixel_to_ray(cameras, a)
    distances = []
    for matrix, start, end in (
        (turn, matches.pixels_a, matches.pixels_b),
        (torch.linalg.inv(turn), matches.pixels_b, matches.pixels_a),
    ):
        there = _homogeneous(start) @ matrix.T
        distances.append((there[:, :2] / there[:, 2:] - end).norm(dim=1))
    return torch.stack(distances, dim=1)


def _pixel_to_ray(cameras: Cameras, view: int) -> Float64[Tensor, "3 3"]:
    """Return the inverse of K."""
    (fx, fy), (cx, cy) = cameras.focal[view].tolist(), cameras.centre[view].tolist()
    rows = [[1 / fx, 0, -cx / fx], [0, 1 / fy, -cy / fy], [0, 0, 1]]
    return torch.tensor(rows, dtype=torch.float64)


def _homogeneous(pixels: Float[Tensor, "n 2"]) -> Float64[Tensor, "n 3"]:
    return torch.cat([pixels.double(), torch.ones(len(pixels), 1, dtype=torch.float64)], dim=1)
