"""The tracked boxes of a DGP scene, in the world."""

from collections.abc import Mapping

import numpy as np

from recon.datasets.box_tracks import kind_of
from recon.datasets.dgp_scene import BOXES, DgpCloud, DgpScene, number, pose
from recon.datasets.drive_source import SourceBoxes
from recon.datasets.json_node import JsonNode


def read_boxes(
    step: int, time: float, clouds: list[DgpCloud], kinds: Mapping[int, str]
) -> SourceBoxes | None:
    """Read the boxes of a time step; None where it has none.

    Args:
        step: the time step.
        time: when it is, in seconds since the capture began.
        clouds: of the time step; boxes are in the axes of the cloud that they are drawn in, and one
            that several clouds have counts once.
        kinds: names of classes by their number.

    Raises:
        DataError: a file is missing or malformed.
    """
    found: dict[str, tuple[str, np.ndarray, list[float]]] = {}
    annotated = [(cloud, cloud.boxes) for cloud in clouds if cloud.boxes is not None]
    for cloud, file in annotated:
        for box in JsonNode.load(file).get("annotations").items():
            track = box.find("instance_id")
            name = "0" if track is None else track.label()
            shape = box.get("box")
            size = [number(shape, key) for key in ("length", "width", "height")]
            kind = kind_of(kinds.get(whole(box, "class_id"), ""))
            place = cloud.sensor_to_world @ pose(shape.get("pose"))
            found.setdefault(name, (kind, place, size))
    if not annotated:
        return None
    return SourceBoxes(
        time,
        step,
        tuple(found),
        tuple(kind for kind, _, _ in found.values()),
        np.array([place for _, place, _ in found.values()]).reshape(-1, 4, 4),
        np.array([size for _, _, size in found.values()]).reshape(-1, 3),
        np.full((len(found), 3), np.nan),
    )


def read_kinds(scene: DgpScene) -> dict[int, str]:
    """Read the names of the boxes' classes, in either version of DGP's ontologies.

    Raises:
        DataError: the file is missing or malformed.
    """
    ontologies = scene.content.find("ontologies")
    key = None if ontologies is None else ontologies.find(BOXES)
    if key is None:
        return {}
    content = JsonNode.load(scene.folder / "ontology" / f"{key.text()}.json")
    named = content.find("name_to_id")
    if named is not None:
        return {node.whole(): name for name, node in named.members().items()}
    return {whole(item, "id"): item.get("name").text() for item in content.get("items").items()}


def whole(node: JsonNode, key: str) -> int:
    """Return a whole number, which is 0 where it was left out."""
    found = node.find(key)
    return 0 if found is None else found.whole()
