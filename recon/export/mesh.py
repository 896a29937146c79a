"""`mesh.ply`: the surface that the training views show, as triangles."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float32, Int32
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from recon.counter import Counter
from recon.errors import DataError
from recon.export.fusion import Fusion
from recon.export.interface import Exporter, Subject, check_visible
from recon.export.sight_lines import standing
from recon.export.surface import SurfaceSettings, grain_of, surface_image
from recon.export.surface_file import Vertices, write_surface
from recon.words import counted

CRUMB = 100
"""Triangles; pieces of fewer are left out."""


@final
@dataclass(frozen=True)
class Mesh(Exporter):
    """Triangles with colours, from the median depth of all training views, fused."""

    settings: SurfaceSettings = field(default_factory=SurfaceSettings)

    file_name = "mesh.ply"

    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file; see `Exporter.write`."""
        check_visible(subject.gaussians, path)
        stage = subject.stage()
        grain = grain_of(self.settings, stage, subject.views)
        fusion = Fusion(grain)
        with counter("looking", len(subject.views)) as done:
            for view in subject.views:
                fusion.add(surface_image(stage, view.camera, grain.farthest))
                done(view)
        positions, colors, faces = fusion.mesh()
        with counter("comparing", len(subject.views)) as done:
            kept = standing(torch.from_numpy(positions), stage, subject.views, done).numpy()
        faces = without_crumbs(faces[kept[faces].all(axis=1)], len(positions))
        if not len(faces):
            raise DataError(
                f"{path}: not written, because the views agree on no surface within "
                f"{grain.farthest:.3g}{subject.unit}; give a larger --farthest, or another --voxel "
                f"than {grain.voxel:.3g}"
            )
        used, faces = np.unique(faces, return_inverse=True)
        faces = faces.reshape(-1, 3).astype(np.int32)
        positions, colors = positions[used], colors[used]
        vertices = Vertices(
            positions.astype(np.float64),
            normals_of(positions, faces),
            (colors.clip(0, 1) * 255).round().astype(np.uint8),
        )
        write_surface(path, vertices, faces, subject.to_source, metric=subject.metric)
        return (
            f"{counted(len(faces), 'triangle')}, fused in voxels of {grain.voxel:.3g}"
            f"{subject.unit}, from depths up to {grain.farthest:.3g}{subject.unit}"
        )


def without_crumbs(faces: Int32[np.ndarray, "f 3"], count: int) -> Int32[np.ndarray, "g 3"]:
    """Leave out pieces of fewer than `CRUMB` triangles.

    Args:
        faces: indices of vertices.
        count: of vertices.
    """
    first, second = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    joined = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    _, piece = connected_components(joined, directed=False)
    of_face = piece[faces[:, 0]]
    large = np.bincount(of_face, minlength=1)[of_face] >= CRUMB
    return np.asarray(faces[large])


def normals_of(
    positions: Float32[np.ndarray, "v 3"], faces: Int32[np.ndarray, "f 3"]
) -> Float32[np.ndarray, "v 3"]:
    """Return each vertex's unit normal: the mean of its triangles', by their area."""
    a, b, c = (positions[faces[:, i]].astype(np.float64) for i in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(positions), 3))
    for corner in range(3):
        for axis in range(3):
            total[:, axis] += np.bincount(
                faces[:, corner], weights=across[:, axis], minlength=len(positions)
            )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.asarray((total / np.maximum(length, 1e-30)).astype(np.float32))
