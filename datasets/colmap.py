"""COLMAP reconstructions, text or binary, with any number of sub-models.

Photos are looked for in `images`, or in the folder that `ReadOptions.images` names (images_2,
images_4, ...); their intrinsics then follow the photos' own size. Files on rigs and frames, which
newer versions write beside, repeat what images and cameras say and are not needed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.datasets import colmap_binary, colmap_text
from recon.datasets.colmap_cameras import intrinsics
from recon.datasets.colmap_model import ColmapImage, ColmapModel
from recon.datasets.folders import photo_folder, sensors
from recon.datasets.photo_lookup import look_up
from recon.datasets.source import Reader, ReadOptions, SourceCapture, SourcePoints, SourceView
from recon.errors import DataError


class ColmapReader(Reader):
    """Reads `sparse/0` and its like."""

    name: ClassVar[str] = "colmap"
    needs: ClassVar[str] = (
        "cameras, images and points3D as .bin or .txt, in sparse/0, sparse or the folder itself"
    )

    def recognises(self, path: Path) -> bool:
        """Say whether there is a sub-model."""
        return bool(sub_models(path))

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read the sub-model with the most images."""
        folder, notes = largest(path)
        model = read_model(folder)
        photos = photo_folder(path, options.images, notes)
        files = look_up(path, photos, [image.name for image in model.images], notes)
        views, warnings = translate(model, files)
        warnings += unregistered(photos, files)
        points = SourcePoints(model.points.positions, model.points.colors)
        return SourceCapture(
            path, self.name, views, points, notes=notes, warnings=warnings, metric=options.metric
        )


def is_binary(folder: Path) -> bool:
    """Say whether a folder holds a binary sub-model; binary goes before text where both are."""
    return (folder / "cameras.bin").is_file() and (folder / "images.bin").is_file()


def is_text(folder: Path) -> bool:
    """Say whether a folder holds a text sub-model."""
    return (folder / "cameras.txt").is_file() and (folder / "images.txt").is_file()


def sub_models(path: Path) -> list[Path]:
    """List the folders with a sub-model: those of `sparse`, else `sparse`, else the folder."""
    sparse = path / "sparse"
    below = sorted(sparse.iterdir()) if sparse.is_dir() else []
    for group in (below, [sparse], [path]):
        found = [folder for folder in group if is_binary(folder) or is_text(folder)]
        if found:
            return found
    return []


def read_images(folder: Path) -> list[ColmapImage]:
    """Read only the poses of a sub-model."""
    if is_binary(folder):
        return colmap_binary.read_images(folder / "images.bin")
    return colmap_text.read_images(folder / "images.txt")


def read_model(folder: Path) -> ColmapModel:
    """Read a sub-model."""
    return colmap_binary.read_binary(folder) if is_binary(folder) else colmap_text.read_text(folder)


def largest(path: Path) -> tuple[Path, list[str]]:
    """Choose the sub-model with the most images, the first of equals, and say so."""
    folders = sub_models(path)
    if not folders:
        raise DataError(f"{path}: no COLMAP model; expected {ColmapReader.needs}.")
    if len(folders) == 1:
        return folders[0], []
    counts = {folder: len(read_images(folder)) for folder in folders}
    best = max(folders, key=lambda folder: counts[folder])
    rest = ", ".join(f"{f.name} with {n}" for f, n in counts.items() if f != best)
    return best, [
        f"{len(folders)} sub-models: took {best.name} with {counts[best]} images, left {rest}"
    ]


def translate(
    model: ColmapModel, files: Mapping[str, Path | None]
) -> tuple[list[SourceView], list[str]]:
    """Turn COLMAP's images into views, and say which could not be."""
    lenses, refused = {}, {}
    for number, camera in model.cameras.items():
        try:
            lenses[number] = intrinsics(camera)
        except DataError as error:
            refused[number] = str(error)
    views, warnings = [], []
    folders = sensors([image.name for image in model.images])
    for image, sensor in zip(model.images, folders, strict=True):
        path = files[image.name]
        if image.camera in refused:
            warnings.append(f"skipped {image.name}: {refused[image.camera]}")
        elif image.camera not in lenses:
            warnings.append(f"skipped {image.name}: camera {image.camera} is not in cameras")
        elif path is None:
            warnings.append(f"skipped {image.name}: its name leads out of the folder of photos")
        else:
            pose = world_to_camera(image)
            views.append(SourceView(image.name, path, pose, lenses[image.camera], sensor=sensor))
    return views, warnings


def world_to_camera(image: ColmapImage) -> Float64[np.ndarray, "4 4"]:
    """Build the pose; NaN where the quaternion has no direction."""
    pose = np.eye(4)
    w, x, y, z = image.quaternion
    largest_part = max(abs(w), abs(x), abs(y), abs(z))
    if 1e-9 < largest_part < np.inf:
        direction = np.array([x, y, z, w]) / largest_part
        pose[:3, :3] = Rotation.from_quat(direction).as_matrix()
    else:
        pose[:3, :3] = np.nan
    pose[:3, 3] = image.translation
    return pose


def unregistered(photos: Path, files: Mapping[str, Path | None]) -> list[str]:
    """Name the photos that COLMAP gave no camera."""
    known = {path for path in files.values() if path is not None}
    suffixes = {path.suffix for path in known}
    rest = sorted(p.name for p in photos.rglob("*") if p.suffix in suffixes and p not in known)
    if not rest:
        return []
    some = ", ".join(rest[:5]) + (", ..." if len(rest) > 5 else "")
    return [f"{len(rest)} photos in {photos.name} have no camera and are not used: {some}"]
