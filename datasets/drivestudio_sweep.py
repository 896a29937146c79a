"""LiDAR as drivestudio stores it of Waymo segments: the first returns of all five lasers.

Each point has 14 float32: where its laser was, where it hit, the flow of the scene there, that
flow's class (-1 to 4), whether it is ground, intensity, elongation, and the laser's number from 0.
Places are in the car's axes at the time step, the car's own motion while the lasers turned undone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from recon.datasets.drive_source import SourceReturns, SourceSweep
from recon.datasets.seen_points import seen_points
from recon.datasets.source import SourceView
from recon.errors import DataError

COLUMNS = 14
POINT_BYTES = 4 * COLUMNS
POINTS, FLOW_CLASS, GROUND, INTENSITY, LASER = slice(3, 6), 9, 10, 11, 13
REMEDY = "copy it again, or read the cameras alone with --drive.lidar A"


@dataclass(frozen=True, eq=False)
class DrivestudioSweep(SourceSweep):
    """The points of a time step."""

    file: Path
    vehicle_to_world: Float64[np.ndarray, "4 4"]
    views: tuple[SourceView, ...]
    """Of the same time step."""

    def read(self) -> SourceReturns:
        """Read the points, and find them in the photos."""
        values = read_points(self.file, len(self.lasers))
        pose, count = self.vehicle_to_world, len(values)
        positions = values[:, POINTS].astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]
        return SourceReturns(
            positions,
            np.ascontiguousarray(values[:, INTENSITY]),
            np.ones(count, np.uint8),
            values[:, LASER].astype(np.uint8),
            np.zeros(count, np.bool_),
            *seen_points(positions, self.views, self.sensors),
        )


def read_points(file: Path, lasers: int) -> Float32[np.ndarray, "n 14"]:
    """Read a file of points; those that are nowhere are left out.

    Raises:
        DataError: the file is missing, or holds something else.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error}); {REMEDY}.") from error
    if len(content) % POINT_BYTES:
        raise DataError(
            f"{file}: {len(content)} bytes are no multiple of {POINT_BYTES}, which are the "
            f"{COLUMNS} float32 of a point; {REMEDY}."
        )
    values = np.frombuffer(content, "<f4").astype(np.float32).reshape(-1, COLUMNS)
    for column, low, high in ((FLOW_CLASS, -1, 4), (GROUND, 0, 1), (LASER, 0, lasers - 1)):
        if not np.isin(values[:, column], np.arange(low, high + 1)).all():
            raise DataError(
                f"{file}: column {column} of its points is not always a whole number from {low} "
                f"to {high}, so these are not drivestudio's {COLUMNS} columns; {REMEDY}."
            )
    return np.asarray(values[np.isfinite(values).all(axis=1)])
