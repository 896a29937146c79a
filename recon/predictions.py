"""Rendered views on disk: written before anything is scored, and read back for scoring.

A folder holds `predictions/<view>.png` (8 bit) and `depth/<view>.npz` with the float32 arrays
`expected` and `median` (z along the optical axis, 0 where nothing was drawn) and `alpha`.
"""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from recon.errors import DataError
from recon.files import remove, replacing, sha256
from recon.pictures import as_8_bit, read_png, write_png
from recon.raster.interface import COVERED, Rasterizer
from recon.scene import Scene
from recon.types import Camera, View
from recon.view_files import file_stems

NAMES = ("expected", "median", "alpha")
UNREADABLE = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class PredictedDepth:
    """How deep a scene says a view is."""

    expected: Float[Tensor, "h w"]
    """Along the optical axis, as everywhere."""
    median: Float[Tensor, "h w"] | None
    """None where only one kind is known."""
    alpha: Float[Tensor, "h w"]

    def covered(self) -> tuple[Float[Tensor, "h w"], Float[Tensor, "h w"] | None]:
        """Return expected and median depth where the scene covers the pixel, 0 elsewhere."""
        covered = self.alpha >= COVERED
        if self.median is None:
            return torch.where(covered, self.expected, 0), None
        # Rounding may leave a pixel that is just covered without a median.
        covered &= self.median > 0
        return torch.where(covered, self.expected, 0), torch.where(covered, self.median, 0)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a scene says a view looks like."""

    color: UInt8[Tensor, "h w 3"]
    depth: PredictedDepth | None
    """None where nobody predicted it."""


@dataclass(frozen=True)
class PredictionFiles:
    """Where the prediction of one view lies."""

    color: Path
    depth: Path | None
    """.npz as above, or .npy or .npy.gz with one depth; None where nobody predicted it."""
    beside_photo: bool = False
    """Whether the picture shows the photo too, at the left of the prediction."""

    def load(self, camera: Camera) -> Prediction:
        """Read the prediction of a view of this camera's size.

        Raises:
            DataError: a file is missing, damaged, or of another size.
        """
        wide = 2 * camera.width if self.beside_photo else camera.width
        pixels = read_png(self.color, wide, camera.height)[:, wide - camera.width :]
        color = torch.from_numpy(np.ascontiguousarray(pixels))
        return Prediction(color, None if self.depth is None else _read_depth(self.depth, camera))

    def digests(self) -> dict[str, str]:
        """Return the files' SHA-256."""
        found = {"prediction_sha256": sha256(self.color)}
        if self.depth is not None:
            found["depth_prediction_sha256"] = sha256(self.depth)
        return found


def prediction_files(folder: Path, views: Sequence[View]) -> dict[str, PredictionFiles]:
    """Return each view's files by the view's name."""
    return {
        name: PredictionFiles(_color_file(folder, stem), _depth_file(folder, stem))
        for name, stem in file_stems([view.name for view in views]).items()
    }


def _color_file(folder: Path, stem: str) -> Path:
    return folder / "predictions" / f"{stem}.png"


def _depth_file(folder: Path, stem: str) -> Path:
    return folder / "depth" / f"{stem}.npz"


def predict(
    scene: Scene,
    views: Sequence[View],
    rasterizer: Rasterizer,
    folder: Path,
    *,
    sh_degree: int = 3,
    on_view: Callable[[View], None] = lambda view: None,
) -> None:
    """Render every view and write what came out, after removing what the folder held before.

    So an interrupted call leaves a folder that cannot be scored, not a mixture of two scenes.

    Args:
        scene: on the rasterizer's device, in the frame of the views' cameras.
        views: of which photos are never looked at.
        rasterizer: draws them.
        folder: created where it does not exist.
        sh_degree: see `Rasterizer.render`.
        on_view: called after each view, for progress.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    for pattern in ("predictions/*.png", "depth/*.npz", "summary.json", "views.csv"):
        for earlier in folder.glob(pattern):
            remove(earlier)
    stems = file_stems([view.name for view in views])
    for view in views:
        with torch.no_grad():
            render = scene.draw(
                rasterizer, view.camera, taken_as=view, sh_degree=sh_degree, median=True
            )
        assert render.median_depth is not None
        write_png(_color_file(folder, stems[view.name]), as_8_bit(render.color))
        _write_arrays(
            _depth_file(folder, stems[view.name]),
            expected=render.expected_depth,
            median=render.median_depth,
            alpha=render.alpha,
        )
        on_view(view)


def _write_arrays(path: Path, *, expected: Tensor, median: Tensor, alpha: Tensor) -> None:
    expected_z, median_z, covered = (a.float().cpu().numpy() for a in (expected, median, alpha))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, expected=expected_z, median=median_z, alpha=covered)


def _read_depth(path: Path, camera: Camera) -> PredictedDepth:
    return _read_one(path, camera) if path.suffix in (".npy", ".gz") else _read_all(path, camera)


def _read_all(path: Path, camera: Camera) -> PredictedDepth:
    """Read what `predict` has written."""
    shape = (camera.height, camera.width)
    expected = (
        f"expected the arrays {NAMES} of {camera.width}x{camera.height} float32 values, render the "
        "views again"
    )
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in NAMES]
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read ({error}); {expected}") from error
    for array in arrays:
        if array.shape != shape or array.dtype != np.float32:
            raise DataError(f"{path}: holds {array.dtype} of shape {array.shape}; {expected}")
    return PredictedDepth(*(torch.from_numpy(array) for array in arrays))


def _read_one(path: Path, camera: Camera) -> PredictedDepth:
    """Read one depth a pixel, which is known where it is finite and more than 0."""
    shape = (camera.height, camera.width)
    expected = (
        f"expected one array of {camera.width}x{camera.height} float values, height first, render "
        "the views again"
    )
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read ({error}); {expected}") from error
    if array.shape not in (shape, (*shape, 1)) or array.dtype.kind != "f":
        raise DataError(f"{path}: holds {array.dtype} of shape {array.shape}; {expected}")
    z = array.reshape(shape).astype(np.float32)
    known = np.isfinite(z) & (z > 0)
    depth = torch.from_numpy(np.where(known, z, np.float32(0)))
    return PredictedDepth(depth, None, torch.from_numpy(known).float())
