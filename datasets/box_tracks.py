"""What data sets leave out of their boxes: velocities, and kinds in one vocabulary."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from recon.datasets.drive_source import SourceBoxes

LONGEST = 1.5
"""Seconds; what an object did in a longer time is not known."""
KINDS = {
    "sign": {"sign"},
    "cyclist": {"cyclist", "bicycle", "bicyclist"},
    "pedestrian": {"pedestrian", "person", "human"},
    "vehicle": {
        "vehicle", "car", "truck", "van", "bus", "caravan", "trailer", "towed", "train", "tram",
        "motorcycle", "motorcyclist",
    },
}  # fmt: skip
"""By kind, the words that mean it; a name with words of several kinds is of the first."""


def kind_of(name: str) -> str:
    """Return the kind of box that a data set's class means, "unknown" where nothing is known."""
    words = set(re.findall("[a-z]+", name.lower()))
    return next((kind for kind, meant in KINDS.items() if words & meant), "unknown")


def with_velocities(
    frames: Sequence[SourceBoxes], wanted: Sequence[int] | range
) -> list[SourceBoxes]:
    """Work out velocities from where each track was before and after.

    The two neighbours in time give the mean velocity between them; at the ends of a track, or
    where a neighbour is more than LONGEST away, the other and the box itself do. A box with no
    neighbour has none.

    Args:
        frames: all boxes, by time.
        wanted: the steps to return.
    """
    seen: dict[str, list[tuple[float, np.ndarray]]] = {}
    for boxes in frames:
        for track, pose in zip(boxes.tracks, boxes.poses, strict=True):
            seen.setdefault(track, []).append((boxes.time, pose[:3, 3]))
    found = {track: velocities(places) for track, places in seen.items()}
    return [
        replace(
            boxes,
            velocities=np.array([found[track][boxes.time] for track in boxes.tracks]).reshape(
                -1, 3
            ),
        )
        for boxes in frames
        if boxes.step in wanted
    ]


def velocities(places: Sequence[tuple[float, np.ndarray]]) -> Mapping[float, np.ndarray]:
    """Return an object's velocities by time, NaN where unknown."""
    found = {}
    for i, (time, place) in enumerate(places):
        near = [places[j] for j in (i - 1, i + 1) if 0 <= j < len(places)]
        near = [(t, p) for t, p in near if 0 < abs(t - time) <= LONGEST]
        known = near if len(near) == 2 else [*near, (time, place)]
        (first, start), (last, end) = known[0], known[-1]
        found[time] = (end - start) / (last - first) if last != first else np.full(3, np.nan)
    return found
