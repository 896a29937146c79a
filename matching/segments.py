"""Sums and maxima over the observations of each track."""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor


def total(
    values: Float64[Tensor, "m ..."], track: Int64[Tensor, " m"], count: int
) -> Float64[Tensor, "t ..."]:
    """Sum the values of each track."""
    return torch.zeros(count, *values.shape[1:], dtype=torch.float64).index_add(0, track, values)


def largest(
    values: Float64[Tensor, " m"], track: Int64[Tensor, " m"], count: int
) -> Float64[Tensor, " t"]:
    """Return the largest value of each track."""
    lowest = torch.full((count,), -torch.inf, dtype=torch.float64)
    return lowest.scatter_reduce(0, track, values, "amax")


def any_of(
    values: Bool[Tensor, " m"], track: Int64[Tensor, " m"], count: int
) -> Bool[Tensor, " t"]:
    """Say of each track whether any of its values is true."""
    return torch.zeros(count, dtype=torch.int64).index_add(0, track, values.long()) > 0
