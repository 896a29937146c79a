"""Points and triangles as PLY, in the input's frame, as CloudCompare, MeshLab and Blender read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int32, UInt8

from recon.files import replacing
from recon.scene_file import frame_comments
from recon.types import Similarity


@dataclass(frozen=True, eq=False)
class Vertices:
    """Places on a surface."""

    positions: Float64[np.ndarray, "n 3"]
    """In the working frame."""
    normals: Float32[np.ndarray, "n 3"]
    """Unit vectors, outwards."""
    colors: UInt8[np.ndarray, "n 3"]
    """sRGB."""

    def __len__(self) -> int:
        """Count them."""
        return len(self.positions)


def write_surface(
    path: Path,
    vertices: Vertices,
    faces: Int32[np.ndarray, "f 3"] | None,
    to_source: Similarity,
    *,
    metric: bool,
) -> None:
    """Write points, or a mesh; positions in double precision, as maps' coordinates need.

    Args:
        path: what stood there is replaced, as a whole or not at all.
        vertices: in the working frame.
        faces: indices of three vertices each, counter-clockwise from outside; None for points.
        to_source: from the working frame to the input's.
        metric: whether the input's lengths are metres; said in a comment of the file.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    what = "Points" if faces is None else "A mesh"
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *frame_comments(what, metric),
        f"element vertex {len(vertices)}",
        *(f"property double {axis}" for axis in "xyz"),
        *(f"property float n{axis}" for axis in "xyz"),
        *(f"property uchar {color}" for color in ("red", "green", "blue")),
    ]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write("\n".join([*header, "end_header\n"]).encode("ascii"))
        file.write(_vertex_rows(vertices, to_source).data)
        if faces is not None:
            file.write(_face_rows(faces).data)


def _vertex_rows(vertices: Vertices, to_source: Similarity) -> np.ndarray:
    kind = np.dtype([("xyz", "<f8", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
    rows = np.empty(len(vertices), kind)
    rows["xyz"] = to_source.apply(torch.from_numpy(vertices.positions)).numpy()
    rows["normal"] = vertices.normals @ to_source.rotation.numpy().T
    rows["rgb"] = vertices.colors
    return rows


def _face_rows(faces: Int32[np.ndarray, "f 3"]) -> np.ndarray:
    rows = np.empty(len(faces), np.dtype([("count", "u1"), ("vertices", "<i4", 3)]))
    rows["count"], rows["vertices"] = 3, faces
    return rows
