"""Estimates that outliers do not lead astray."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

STEPS = 20


def robust_line(x: Float64[Tensor, " n"], y: Float64[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """Fit y = factor * x + offset with a factor above 0, by least squares reweighted (Cauchy).

    It begins with the line between the quartiles, which a fourth of outliers at either end leaves
    alone.
    """
    levels = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    (x1, x2, x3), (y1, y2, y3) = x.quantile(levels), y.quantile(levels)
    factor = (y3 - y1) / (x3 - x1).clamp_min(1e-12 * (1 + x2.abs()))
    offset = y2 - factor * x2
    for _ in range(STEPS):
        error = y - factor * x - offset
        scale = (1.4826 * error.abs().median()).clamp_min(1e-12 * (1 + y2.abs()))
        weight = 1 / (1 + (error / (2 * scale)).square())
        mean_x, mean_y = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
        spread = (weight * (x - mean_x).square()).sum()
        steeper = (weight * (x - mean_x) * (y - mean_y)).sum() / spread.clamp_min(1e-300)
        if not bool(steeper > 0):
            break
        factor, offset = steeper, mean_y - steeper * mean_x
    return factor, offset


def median_by(
    values: Float64[Tensor, " m"], group: Int64[Tensor, " m"], count: int
) -> Float64[Tensor, " g"]:
    """Return the median of each group's values; NaN where there is none."""
    medians = torch.full((count,), torch.nan, dtype=torch.float64)
    for index in torch.unique(group).tolist():
        medians[index] = values[group == index].median()
    return medians
