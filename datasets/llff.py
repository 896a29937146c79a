"""LLFF's poses_bounds.npy: one row of 17 numbers for each photo, in the order of their names.

A row is a 3x5 matrix [R | t | (height, width, focal length)], R's columns being the camera's down,
right and backward axes in the world, then the nearest and farthest depth, which are not needed.
Source: the README of LLFF (Mildenhall et al. 2019). The frame is kept as it stands in the file.
"""

from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from recon.camera import Intrinsics
from recon.datasets.folders import photo_folder, photos_in
from recon.datasets.poses import from_camera_to_world
from recon.datasets.source import Reader, ReadOptions, SourceCapture, SourceView
from recon.errors import DataError


class LlffReader(Reader):
    """Reads poses_bounds.npy and the photos beside it."""

    name: ClassVar[str] = "llff"
    needs: ClassVar[str] = "poses_bounds.npy, and as many photos in images"

    def recognises(self, path: Path) -> bool:
        """Say whether there is a poses_bounds.npy."""
        return (path / "poses_bounds.npy").is_file()

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read every row."""
        rows = read_rows(path / "poses_bounds.npy")
        notes: list[str] = []
        folder = photo_folder(path, options.images, notes)
        photos = photos_in(folder)
        if len(photos) != len(rows):
            raise DataError(
                f"{path / 'poses_bounds.npy'}: {len(rows)} poses for {len(photos)} photos in "
                f"{folder.name}; rows belong to photos by order, so keep exactly the photos posed."
            )
        views = [read_view(photo, row) for photo, row in zip(photos, rows, strict=True)]
        return SourceCapture(path, self.name, views, metric=options.metric, notes=notes)


def read_rows(path: Path) -> Float64[np.ndarray, "n 17"]:
    """Read the file.

    Raises:
        DataError: it is no array of numbers with 17 columns; pickled objects are never loaded.
    """
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: not a plain array ({error}); run LLFF's imgs2poses.") from error
    if not isinstance(rows, np.ndarray) or rows.shape[1:] != (17,) or rows.dtype.kind not in "fiu":
        raise DataError(f"{path}: expected n rows of 17 numbers; run LLFF's imgs2poses again.")
    return np.asarray(rows, np.float64)


def read_view(photo: Path, row: Float64[np.ndarray, "17"]) -> SourceView:
    """Translate one row; sizes that are no numbers become 0, for the checks to find."""
    matrix = row[:15].reshape(3, 5)
    down, right, backward, position, size = matrix.T
    pose = np.eye(4)
    pose[:3] = np.stack([right, down, -backward, position], axis=1)
    height, width, focal = size.tolist()
    lens = Intrinsics(whole(width), whole(height), focal, focal, width / 2, height / 2)
    return SourceView(photo.name, photo, from_camera_to_world(pose), lens)


def whole(size: float) -> int:
    """Round a size to pixels; 0 where it is no number."""
    return round(size) if np.isfinite(size) else 0
