"""Costs of depths, smoothed along lines of the photo: flat areas follow what surrounds them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class Steps:
    """What it costs to change the depth from a pixel to its neighbour."""

    small: float
    """By one depth to the next, as on slanted surfaces."""
    jump: float
    """By more, where the photo does not change as well."""
    edge: float
    """A jump where grey changes by d, 0 to 1, costs 1 / (1 + edge d) of it."""
    least: float
    """But no jump costs less than this."""


def smoothed(
    costs: Float32[np.ndarray, "h w d"], grey: Float32[np.ndarray, "h w"], steps: Steps
) -> Float32[np.ndarray, "h w d"]:
    """Return the sums of the cheapest paths from four sides to each pixel and depth.

    Hirschmüller, Stereo Processing by Semiglobal Matching, 2008, equations 13 and 14, along rows
    and columns.
    """
    total = np.zeros_like(costs)
    _add_paths(costs, grey, steps, total)
    _add_paths(costs[::-1], grey[::-1], steps, total[::-1])
    across = np.ascontiguousarray(costs.transpose(1, 0, 2))
    sideways = np.zeros_like(across)
    _add_paths(across, grey.T, steps, sideways)
    _add_paths(across[::-1], grey.T[::-1], steps, sideways[::-1])
    total += sideways.transpose(1, 0, 2)
    return total


def _add_paths(
    costs: Float32[np.ndarray, "n m d"],
    grey: Float32[np.ndarray, "n m"],
    steps: Steps,
    total: Float32[np.ndarray, "n m d"],
) -> None:
    """Add the costs of the paths from the first line down, in place."""
    before = costs[0].copy()
    total[0] += before
    for line in range(1, len(costs)):
        cheapest = before.min(axis=1, keepdims=True)
        change = np.abs(grey[line] - grey[line - 1])[:, None]
        jump = np.maximum(steps.jump / (1 + steps.edge * change), steps.least)
        path = np.minimum(before, cheapest + jump)
        np.minimum(path[:, 1:], before[:, :-1] + steps.small, out=path[:, 1:])
        np.minimum(path[:, :-1], before[:, 1:] + steps.small, out=path[:, :-1])
        path += costs[line] - cheapest
        total[line] += path
        before = path


def cheapest(
    costs: Float32[np.ndarray, "h w d"], places: Float32[np.ndarray, " d"]
) -> Float32[np.ndarray, "h w"]:
    """Return where each pixel's costs are lowest, by a parabola through the lowest three.

    Args:
        costs: of at least three depths.
        places: what the costs are of, evenly spaced.
    """
    count = costs.shape[2]
    lowest = costs.argmin(axis=2)
    inner = lowest.clip(1, count - 2)
    a, b, c = (np.take_along_axis(costs, inner[..., None] + k, 2)[..., 0] for k in (-1, 0, 1))
    bend = a - 2 * b + c
    tip = np.where(bend > 0, (a - c) / np.where(bend > 0, 2 * bend, 1), 0).clip(-0.5, 0.5)
    offset = np.where(lowest == inner, tip, lowest - inner)
    step = places[1] - places[0]
    place: Float32[np.ndarray, "h w"] = (places[0] + (inner + offset) * step).astype(np.float32)
    return place
