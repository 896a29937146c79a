"""Velocities from where a box was before and after, and kinds in one vocabulary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.datasets.box_tracks import LONGEST, kind_of, with_velocities
from recon.datasets.drive_source import SourceBoxes


def frame(step: int, time: float, places: dict[str, list[float]]) -> SourceBoxes:
    poses = np.tile(np.eye(4), (len(places), 1, 1))
    poses[:, :3, 3] = np.array(list(places.values())).reshape(-1, 3)
    none = np.full((len(places), 3), np.nan)
    kinds = ("vehicle",) * len(places)
    return SourceBoxes(time, step, tuple(places), kinds, poses, np.ones((len(places), 3)), none)


@given(
    st.lists(st.floats(0.05, 0.99 * LONGEST), min_size=2, max_size=6),
    st.tuples(*[st.floats(-3, 3)] * 2),
)
def test_what_accelerates_evenly(gaps: list[float], motion: tuple[float, float]) -> None:
    """Of x = v t + a t²/2 the mean over a span is the velocity in the span's middle."""
    times = np.cumsum([0.0, *gaps])
    speed, change = motion
    frames = [
        frame(i, t, {"a": [speed * t + change * t * t / 2, 0, 1]}) for i, t in enumerate(times)
    ]
    found = with_velocities(frames, range(len(frames)))
    for i, boxes in enumerate(found):
        middle = (times[max(i - 1, 0)] + times[min(i + 1, len(times) - 1)]) / 2
        np.testing.assert_allclose(boxes.velocities, [[speed + change * middle, 0, 0]], atol=1e-6)


def test_tracks_that_come_and_go() -> None:
    frames = [
        frame(0, 0.0, {"once": [0, 0, 0], "long": [0, 0, 0], "a": [0, 0, 0]}),
        frame(1, 1.0, {"a": [2, 0, 0], "b": [0, 0, 0]}),
        frame(2, 1.0 + LONGEST + 0.1, {"long": [9, 0, 0], "a": [3, 0, 0], "b": [1, 0, 0]}),
        frame(3, 3.0, {}),
    ]
    found = with_velocities(frames, [0, 1, 3])
    assert [boxes.step for boxes in found] == [0, 1, 3]
    assert np.isnan(found[0].velocities[:2]).all()
    np.testing.assert_allclose(found[0].velocities[2], [2, 0, 0])
    # The later neighbour is too far away, so the earlier one and the box itself tell.
    np.testing.assert_allclose(found[1].velocities[0], [2, 0, 0])
    assert np.isnan(found[1].velocities[1]).all()
    assert found[2].velocities.shape == (0, 3)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Car", "vehicle"),
        ("Bus/RV/Caravan", "vehicle"),
        ("Towed Object", "vehicle"),
        ("Motorcycle", "vehicle"),
        ("vehicle.bicycle", "cyclist"),
        ("Person_sitting", "pedestrian"),
        ("Pedestrian with Object", "pedestrian"),
        ("STOP_SIGN", "sign"),
        ("Wheeled Slow", "unknown"),
        ("scar", "unknown"),
        ("", "unknown"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind
