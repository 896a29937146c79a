"""The range images of a Waymo v2 segment, from three components joined by frame and laser."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recon.datasets.waymo_component import Component
from recon.datasets.waymo_segment import LASERS, LaserScan, Scans
from recon.errors import DataError

RETURNS = ("range_image_return1", "range_image_return2")
CAMERAS_ONLY = "Without it the cameras still work: --drive.lidar A."


@dataclass(frozen=True, eq=False)
class RowScans(Scans):
    """The range images of one frame."""

    parts: dict[str, Component]
    rows: dict[str, dict[str, int]]
    """Row by laser and component."""

    def read(self) -> list[LaserScan]:
        """Read every laser that measured something."""
        return [self.scan(laser, rows) for laser, rows in self.rows.items() if "lidar" in rows]

    def scan(self, laser: str, rows: dict[str, int]) -> LaserScan:
        """Read one laser."""
        return LaserScan(
            laser,
            tuple(self.image("lidar", rows, name, 4) for name in RETURNS),
            tuple(self.image("lidar_camera_projection", rows, name, 6) for name in RETURNS),
            self.image("lidar_pose", rows, RETURNS[0], 6),
        )

    def image(
        self, component: str, rows: dict[str, int], name: str, channels: int
    ) -> np.ndarray | None:
        """Read a range image; None where there is none.

        Raises:
            DataError: it has another shape.
        """
        if component not in rows:
            return None
        part = self.parts[component]
        columns = (part.column(f"{name}.values"), part.column(f"{name}.shape"))
        if columns[0] not in part.rows.columns:
            return None
        # All columns of the component are asked for, so that both returns are read at once.
        row = part.rows.row(rows[component], tuple(blob_columns(part)))
        values = row[columns[0]].values
        if values is None or len(values) == 0:
            return None
        shape = tuple(row[columns[1]].as_py() or ())
        if len(shape) != 3 or shape[2] != channels or np.prod(shape) != len(values):
            raise DataError(
                f"{part.rows.path}, row {rows[component]}: component {component} has a range image "
                f"of shape {shape} with {len(values)} values; expected height x width x {channels}."
            )
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float32).reshape(shape)


def blob_columns(part: Component) -> list[str]:
    """List the columns of a component that hold range images."""
    names = [part.column(f"{name}.{what}") for name in RETURNS for what in ("values", "shape")]
    return [name for name in names if name in part.rows.columns]


def lidar_of(path: Path, parts: dict[str, Component], warnings: list[str]) -> dict[int, RowScans]:
    """Return the range images of each frame, by time.

    Args:
        path: of the segment, for messages.
        parts: the components, `lidar` among them.
        warnings: grows by what is lost where a component is missing.

    Raises:
        DataError: a component or column is missing that LiDAR cannot do without.
    """
    for needed in ("lidar_calibration", "vehicle_pose"):
        if needed not in parts:
            raise DataError(
                f"{path}: component {needed} is missing, and the LiDAR cannot be placed without "
                f"it; download it. {CAMERAS_ONLY}"
            )
    parts["lidar"].require((f"{RETURNS[0]}.values", f"{RETURNS[0]}.shape"), CAMERAS_ONLY)
    losses = {
        "lidar_pose": "the points of the top laser are smeared by the car's own motion",
        "lidar_camera_projection": "LiDAR points have no colours and no recorded pixels",
    }
    used = {"lidar": parts["lidar"]}
    for name, loss in losses.items():
        if name in parts:
            used[name] = parts[name]
            used[name].require((f"{RETURNS[0]}.values", f"{RETURNS[0]}.shape"), CAMERAS_ONLY)
        else:
            warnings.append(f"component {name} is missing: {loss}")
    rows: dict[int, dict[str, dict[str, int]]] = {}
    for name, part in used.items():
        keys = zip(part.times(), part.names("laser_name", LASERS), strict=True)
        for i, (time, laser) in enumerate(keys):
            rows.setdefault(time, {}).setdefault(laser, {})[name] = i
    return {time: RowScans(used, lasers) for time, lasers in rows.items()}
