"""Bootstrap intervals of means (Efron 1979, percentiles)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

LEVEL = 0.95
RESAMPLED = 10_000
"""Resampled sets; the bounds' own noise is then about a fiftieth of the interval's width."""


def interval(
    values: Float64[np.ndarray, " n"], groups: Sequence[object]
) -> tuple[float, float] | None:
    """Return the bounds between which the mean falls in 95 of 100 resampled sets.

    Groups are drawn with replacement, each with all of its values: photos of one time step show the
    same moment, so that they are no independent samples. The draws are the same at every call.

    Args:
        values: nan where there is none.
        groups: whose each value is.

    Returns:
        None where fewer than two groups have values.
    """
    known = np.isfinite(values)
    names = [name for name, use in zip(groups, known, strict=True) if use]
    if len(set(names)) < 2:
        return None
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    index = np.array([place[name] for name in names])
    sums, counts = np.bincount(index, values[known]), np.bincount(index)
    drawn: Int64[np.ndarray, "r g"]
    drawn = np.random.default_rng(0).integers(len(place), size=(RESAMPLED, len(place)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
