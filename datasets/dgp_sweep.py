"""The point clouds of a DGP scene, in the world."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.datasets.dgp_scene import DgpCloud
from recon.datasets.drive_source import SourceReturns, SourceSweep
from recon.datasets.seen_points import seen_points
from recon.datasets.source import SourceView
from recon.errors import DataError

COLUMNS = ("X", "Y", "Z", "INTENSITY")
"""Of a cloud that does not name its own."""
WITHOUT = "or read the cameras alone with --drive.lidar A"


@dataclass(frozen=True, eq=False)
class DgpSweep(SourceSweep):
    """One point cloud, placed by its own pose; its points are taken to be of that moment."""

    cloud: DgpCloud
    views: tuple[SourceView, ...]
    """Of the same time step."""

    def read(self) -> SourceReturns:
        """Read the points, and find them in the photos."""
        values = read_cloud(self.cloud.file, self.cloud.columns)
        values = values[np.isfinite(values).all(axis=1)]
        pose = self.cloud.sensor_to_world
        positions = values[:, :3] @ pose[:3, :3].T + pose[:3, 3]
        count = len(positions)
        return SourceReturns(
            positions,
            values[:, 3].astype(np.float32),
            np.ones(count, np.uint8),
            np.zeros(count, np.uint8),
            np.zeros(count, np.bool_),
            *seen_points(positions, self.views, self.sensors),
        )


def read_cloud(file: Path, columns: tuple[str, ...]) -> Float64[np.ndarray, "n 4"]:
    """Read x, y, z and intensity from the array `data` of an .npz file, without its objects.

    Args:
        file: the file.
        columns: what the array's columns hold; those of a structured array name themselves.

    Raises:
        DataError: there is no such array of numbers.
    """
    try:
        with np.load(file, allow_pickle=False) as archive:
            data = np.asarray(archive["data"])
        if data.dtype.names is not None:
            columns = tuple(name for name in COLUMNS if name in data.dtype.names)
            data = np.stack([data[name].reshape(-1) for name in columns], axis=-1)
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file; copy it from the data set, {WITHOUT}.") from error
    except KeyError as error:
        raise DataError(
            f"{file}: no array called `data`; copy it again from the data set, {WITHOUT}."
        ) from error
    except (OSError, ValueError, IndexError, AttributeError, TypeError, EOFError) as error:
        raise unreadable(file, error) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError) as error:
        raise unreadable(file, error) from error
    columns = columns or COLUMNS
    if data.dtype.kind not in "fiu" or data.ndim != 2 or data.shape[1] < 3:
        raise DataError(
            f"{file}: `data` has the shape {data.shape} and holds {data.dtype}, expected a row of "
            f"numbers for each point; copy it again from the data set, {WITHOUT}."
        )
    if not set("XYZ") <= set(columns[: data.shape[1]]):
        raise DataError(
            f"{file}: its {data.shape[1]} columns hold {' '.join(columns)}, expected X, Y and Z "
            f"among them; copy it again from the data set, {WITHOUT}."
        )
    intensity = data.shape[1] > 3 and "INTENSITY" in columns[: data.shape[1]]
    found = [data[:, columns.index(name)] for name in COLUMNS[: 3 + intensity]]
    if not intensity:
        found.append(np.zeros(len(data)))
    return np.stack(found, axis=-1).astype(np.float64)


def unreadable(file: Path, error: Exception) -> DataError:
    """Return the error of a file that is no archive of plain arrays."""
    return DataError(
        f"{file}: no plain array of numbers ({error}); objects are not unpacked, as they can run "
        f"code. Copy it again from the data set, {WITHOUT}."
    )
