"""`points.ply`: a cloud of the surface that the training views show."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
import torch

from recon.counter import Counter
from recon.errors import DataError
from recon.export.interface import Exporter, Subject, check_visible
from recon.export.sight_lines import standing
from recon.export.surface import SurfaceImage, SurfaceSettings, grain_of, surface_image
from recon.export.surface_file import Vertices, write_surface
from recon.export.voxels import VoxelMeans
from recon.words import counted

COLUMNS = 9
"""Of a point: position, colour, normal."""


@final
@dataclass(frozen=True)
class Points(Exporter):
    """Points with colours and normals, one in each voxel, the mean of the views' pixels in it.

    Nearer views count more, by the square of the distance, as their depth is more exact.
    """

    settings: SurfaceSettings = field(default_factory=SurfaceSettings)

    file_name = "points.ply"

    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file; see `Exporter.write`."""
        check_visible(subject.gaussians, path)
        stage = subject.stage()
        grain = grain_of(self.settings, stage, subject.views)
        found = VoxelMeans(grain.voxel, COLUMNS)
        with counter("looking", len(subject.views)) as done:
            for view in subject.views:
                _add(found, surface_image(stage, view.camera, grain.farthest))
                done(view)
        rows, _ = found.means()
        with counter("comparing", len(subject.views)) as done:
            kept = standing(torch.from_numpy(rows[:, :3]), stage, subject.views, done).numpy()
        if not kept.any():
            raise DataError(
                f"{path}: not written, because the views agree on no surface within "
                f"{grain.farthest:.3g}{subject.unit}; give a larger --farthest, or fit for longer"
            )
        vertices = _vertices(rows[kept])
        write_surface(path, vertices, None, subject.to_source, metric=subject.metric)
        return (
            f"{counted(len(vertices), 'point')}, one in a voxel of "
            f"{grain.voxel:.3g}{subject.unit}, from depths up to {grain.farthest:.3g}{subject.unit}"
        )


def _add(found: VoxelMeans, image: SurfaceImage) -> None:
    known = image.depth > 0
    columns = (image.points(), image.color, image.normals())
    rows = torch.cat([column[known] for column in columns], dim=1).double().numpy()
    found.add(rows, image.depth[known].double().numpy() ** -2)


def _vertices(rows: np.ndarray) -> Vertices:
    length = np.linalg.norm(rows[:, 6:], axis=1, keepdims=True)
    normals = (rows[:, 6:] / np.maximum(length, 1e-30)).astype(np.float32)
    colors = (rows[:, 3:6] * 255).round().astype(np.uint8)
    return Vertices(np.ascontiguousarray(rows[:, :3]), normals, colors)
