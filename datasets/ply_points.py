"""Points with colours from a PLY file."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from plyfile import PlyData, PlyParseError  # type: ignore[import-untyped]

from recon.datasets.folders import is_file, within
from recon.datasets.source import SourcePoints
from recon.errors import DataError

SMALLEST_VERTEX = 6  # "0 0 0\n"; binary ones take more.
HEADER = 65536


def read_points(folder: Path, name: str, warnings: list[str]) -> SourcePoints | None:
    """Read points below a folder; what cannot be read is a warning, for a scene fits without.

    Args:
        folder: that of the capture, which the path must not leave.
        name: relative to the folder.
        warnings: what is added to.
    """
    path = within(folder, name)
    if path is None or not is_file(path):
        warnings.append(f"no points: there is no {name} below {folder}")
        return None
    try:
        return read_ply(path)
    except DataError as error:
        warnings.append(f"no points: {error}")
        return None


def read_ply(path: Path) -> SourcePoints:
    """Read the vertices of a PLY file; grey where it has no colours.

    Raises:
        DataError: the file is no PLY, has no x, y, z, or claims more than it holds.
    """
    with path.open("rb") as file:
        head = file.read(HEADER)
    claimed = [line.split() for line in head.split(b"\n") if line.startswith(b"element vertex")]
    if not claimed or not claimed[0][-1].isdigit():
        raise DataError(f"{path}: no PLY file with vertices; export it again.")
    if int(claimed[0][-1]) * SMALLEST_VERTEX > path.stat().st_size:
        raise DataError(
            f"{path}: claims {int(claimed[0][-1])} vertices and has {path.stat().st_size} bytes; "
            "it is cut off, copy it again."
        )
    try:
        vertices = PlyData.read(str(path), mmap=False)["vertex"].data
        positions = np.stack([vertices[axis].astype(np.float64) for axis in "xyz"], axis=1)
    except (OSError, ValueError, KeyError, PlyParseError) as error:
        raise DataError(f"{path}: cannot be read as points ({error}); export it again.") from error
    return SourcePoints(positions, colors(vertices))


def colors(vertices: np.ndarray) -> UInt8[np.ndarray, "p 3"]:
    """Return colours in 8 bits: bytes as they are, fractions of one scaled, grey where absent."""
    if not {"red", "green", "blue"} <= set(vertices.dtype.names or ()):
        return np.full((len(vertices), 3), 128, np.uint8)
    stored = np.stack([vertices[channel] for channel in ("red", "green", "blue")], axis=1)
    if stored.dtype.kind == "f":
        stored = np.rint(np.clip(np.nan_to_num(stored), 0, 1) * 255)
    return stored.astype(np.uint8)
