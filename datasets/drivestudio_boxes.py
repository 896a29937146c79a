"""The tracked objects of a folder that drivestudio has prepared: instances/instances_info.json."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.datasets.box_tracks import kind_of, with_velocities
from recon.datasets.drive_source import SourceBoxes
from recon.datasets.json_node import JsonNode
from recon.datasets.poses import FARTHEST, TOLERANCE

FILE = Path("instances", "instances_info.json")
Row = tuple[str, str, Float64[np.ndarray, "4 4"], Float64[np.ndarray, "3"]]
"""Track, kind, pose and size of a box."""


def read_boxes(
    folder: Path, steps: range | list[int], times: dict[int, float]
) -> list[SourceBoxes]:
    """Read the boxes of time steps, in the world; none where the file is not there.

    Args:
        folder: of the drive.
        steps: those to return; velocities need the others too.
        times: of all time steps, in seconds.

    Raises:
        DataError: the file is malformed.
    """
    if not (folder / FILE).is_file():
        return []
    rows: dict[int, list[Row]] = {step: [] for step in times}
    for key, instance in JsonNode.load(folder / FILE).members().items():
        for step, row in boxes_of(key, instance):
            if step in rows:
                rows[step].append(row)
    frames = [frame(step, times[step], rows[step]) for step in sorted(rows)]
    return with_velocities(frames, steps)


def frame(step: int, time: float, rows: list[Row]) -> SourceBoxes:
    """Gather the boxes of a time step."""
    return SourceBoxes(
        time,
        step,
        tuple(track for track, _, _, _ in rows),
        tuple(kind for _, kind, _, _ in rows),
        np.array([pose for _, _, pose, _ in rows]).reshape(-1, 4, 4),
        np.array([size for _, _, _, size in rows]).reshape(-1, 3),
        np.full((len(rows), 3), np.nan),
    )


def boxes_of(key: str, instance: JsonNode) -> list[tuple[int, Row]]:
    """Return the boxes of one object, with their time steps.

    Raises:
        DataError: a list is missing, of another length, or holds something else.
    """
    named = instance.find("id")
    track = key if named is None else named.label()
    kind = kind_of(instance.get("class_name").text())
    lists = instance.get("frame_annotations")
    steps = [node.whole() for node in lists.get("frame_idx").items()]
    count = len(steps)
    poses = array(lists.get("obj_to_world"), (count, 4, 4))
    sizes = array(lists.get("box_size"), (count, 3))
    turns = poses[:, :3, :3]
    off = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(initial=0)
    if off > TOLERANCE:
        raise lists.get("obj_to_world").unlike("rotations and translations")
    found = zip(steps, poses, sizes, strict=True)
    return [(step, (track, kind, pose, size)) for step, pose, size in found]


def array(node: JsonNode, shape: tuple[int, ...]) -> np.ndarray:
    """Return nested lists of numbers as an array.

    Raises:
        DataError: they have another shape, or a number is not finite.
    """
    try:
        found = np.array(node.value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise node.unlike(f"numbers of the shape {shape}") from error
    if found.shape != shape and not (shape[0] == 0 and found.size == 0):
        raise node.unlike(f"numbers of the shape {shape}")
    if not (np.abs(found) < FARTHEST).all():
        raise node.unlike(f"numbers below {FARTHEST:g}")
    return found.reshape(shape)
