"""Depth from files beside the photos, matched by their names without suffix."""

import zipfile
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import final

import numpy as np
import torch
from jaxtyping import Float64

from recon.datasets.decode import decode_depth
from recon.errors import DataError
from recon.evidence.store import digest
from recon.files import sha256
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthKind, DepthMap

SUFFIXES = (".npz", ".npy", ".png", ".tif", ".tiff")
VERSION = "1"


@dataclass(frozen=True)
class DepthFiles:
    """A folder of depth maps, one for each photo and of its size."""

    folder: Path
    """Files bear the photos' names: depth/left/0001.png, or depth/0001.png, for left/0001.jpg."""
    steps_per_unit: float = 1000.0
    """What image files count in one metre, or one unit of the capture: 1000 for millimetres, 256
    for KITTI's. Arrays (.npy, .npz) are in the unit itself."""
    kind: DepthKind = field(default=DepthKind.METRIC)
    """What is known of the scale."""


@final
class FilePrior(DepthPrior):
    """Depth that another program worked out: 16 bit images, .npy, or .npz with "depth" in it.

    Values that are 0, negative or not finite are not valid. An .npz may also hold "confidence".
    """

    def __init__(self, files: DepthFiles) -> None:
        if not files.folder.is_dir():
            raise DataError(f"{files.folder}: no such folder; expected depth files, one a photo.")
        self.files = files

    @property
    def name(self) -> str:
        """Say that it is files."""
        return "file"

    @property
    def uses_focal_length(self) -> bool:
        """Depth is the files' own."""
        return False

    def identity(self) -> str:
        """Digest the settings and what all the files hold."""
        return digest(self.name, VERSION, self._contents)

    def predict(self, frame: Frame) -> PriorDepth:
        """Return the file's depth.

        Raises:
            DataError: no file or several fit the frame, or the file is not of its size.
        """
        path = self.path_of(frame.name)
        values, trust = _read(path)
        if path.suffix.lower() not in (".npy", ".npz"):
            values = values / self.files.steps_per_unit
        height, width = frame.pixels.shape[:2]
        for found in (values, trust):
            if found is not None and found.shape != (height, width):
                raise DataError(
                    f"{path}: {found.shape[1]}x{found.shape[0]} pixels; expected {width}x{height} "
                    f"as {frame.name} has. Resize the depth, or leave --downscale out."
                )
        z = torch.from_numpy(values.astype(np.float32))
        valid = z.isfinite() & (z > 0)
        confidence = None
        if trust is not None:
            clipped = np.clip(np.nan_to_num(trust), 0, 1).astype(np.float32)
            confidence = torch.where(valid, torch.from_numpy(clipped), 0.0)
        return PriorDepth(DepthMap(torch.where(valid, z, 0.0), valid, self.files.kind), confidence)

    def path_of(self, name: str) -> Path:
        """Return the file of a view.

        Raises:
            DataError: none or several fit.
        """
        whole = PurePosixPath(name)
        below = not whole.is_absolute() and ".." not in whole.parts
        for stem in (whole.with_suffix(""), whole.stem) if below else (whole.stem,):
            places = [self.files.folder / f"{stem}{suffix}" for suffix in SUFFIXES]
            found = [place for place in places if place.is_file()]
            if len(found) > 1:
                raise DataError(
                    f"{found[0]} and {found[1].name} both fit {name}; keep one of them."
                )
            if found:
                return found[0]
        raise DataError(
            f"{self.files.folder}: no depth for {name}; expected {whole.stem} with one of "
            f"{', '.join(SUFFIXES)}."
        )

    @cached_property
    def _contents(self) -> str:
        paths = sorted(p for p in self.files.folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        parts = (f"{path.relative_to(self.files.folder)} {sha256(path)}" for path in paths)
        settings = {**asdict(self.files), "folder": ""}
        return digest(repr(settings), *parts)


def _read(
    path: Path,
) -> tuple[Float64[np.ndarray, "a b"], Float64[np.ndarray, "c d"] | None]:
    if path.suffix.lower() != ".npz":
        return decode_depth(path), None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = ("depth", "confidence")
            found = [arrays.get(name) for name in names]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read ({error}); save it with numpy.savez.") from error
    if found[0] is None:
        raise DataError(f'{path}: holds no array "depth"; expected one of shape (height, width).')
    found = [
        np.squeeze(array) if array is not None and array.ndim > 2 else array for array in found
    ]
    for array in found:
        if array is not None and (array.ndim != 2 or array.dtype.kind not in "fiu"):
            raise DataError(
                f"{path}: expected numbers of shape (height, width), found {array.dtype} of shape "
                f"{array.shape}."
            )
    depth, trust = (None if array is None else array.astype(np.float64) for array in found)
    assert depth is not None
    return depth, trust
