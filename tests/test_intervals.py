"""Bootstrap intervals against scipy's, and against what must hold."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from recon.intervals import RESAMPLED, interval


@pytest.mark.parametrize("count", [5, 12, 40])
def test_single_views_are_resampled_as_scipy_does(count: int) -> None:
    values = 25 + 3 * np.random.default_rng(count).normal(size=count)
    drawn = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLED, method="percentile", rng=np.random.default_rng(7)
    )
    low, high = drawn.confidence_interval
    found = interval(values, list(range(count)))
    # Both are drawn at random; their bounds' own noise is about a fiftieth of the width.
    assert found == pytest.approx((low, high), abs=0.08 * (high - low))
    assert interval(values, list(range(count))) == found


def test_photos_of_one_moment_are_drawn_together() -> None:
    """Copies of a view tell nothing new: the interval is that of the views without them."""
    values = np.random.default_rng(1).normal(size=9)
    alone = interval(values, list(range(9)))
    copied = interval(np.repeat(values, 4), np.repeat(np.arange(9), 4).tolist())
    assert alone is not None
    assert copied == pytest.approx(alone, abs=1e-12)
    apart = interval(np.repeat(values, 4), list(range(36)))
    assert apart is not None
    assert apart[1] - apart[0] < 0.7 * (alone[1] - alone[0])


def test_views_without_a_value_do_not_count() -> None:
    values = np.array([1.0, np.nan, 2.0, 4.0, np.nan])
    assert interval(values, list("abcde")) == interval(values[[0, 2, 3]], list("acd"))
    assert interval(values[:2], ["a", "b"]) is None
    assert interval(values, ["a"] * 5) is None
