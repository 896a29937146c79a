"""What a reader of drives hands over besides photos, in the source's own frame."""

import abc
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from itertools import compress
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8


@dataclass(frozen=True)
class DriveOptions:
    """Which part of a drive is read, and what its LiDAR may be used for."""

    cameras: tuple[str, ...] = ()
    """Names of the cameras to read, such as FRONT FRONT_LEFT or image_2; where absent all, of
    KITTI the left one."""
    frames: tuple[int, int] | None = None
    """First and last time step to read, both included, counted from 0; all where absent."""
    stride: int = 1
    """Read every n-th time step only."""
    lidar: Literal["A", "B", "C"] = "B"
    """Which LiDAR sweeps may start and supervise a fit: A none (cameras only), B those of the
    training time steps, C all, which leaks the test steps' depth."""
    moving: Literal["mask", "keep"] = "mask"
    """Pixels in the boxes of objects that move (faster than 1 m/s at some time) are used neither to
    fit nor to score, nor are LiDAR points: mask; or they are like all others: keep."""
    voxel: float = 0.2
    """The fit starts from LiDAR points thinned to one in each cube with this edge, in metres."""


@dataclass(frozen=True, eq=False)
class SourceReturns:
    """The points of one sweep."""

    positions: Float64[np.ndarray, "n 3"]
    intensity: Float32[np.ndarray, " n"]
    order: UInt8[np.ndarray, " n"]
    """1 for a beam's first return, 2 for its second."""
    laser: UInt8[np.ndarray, " n"]
    """Index into the sweep's lasers."""
    unlabeled: Bool[np.ndarray, " n"]
    """Whether the point lies in a zone without labels."""
    sensors: UInt8[np.ndarray, "n 2"]
    """Index into the sweep's sensors, plus 1, of up to two cameras that see it; 0 for none."""
    pixels: Float32[np.ndarray, "n 2 2"]
    """x and y in those cameras' photos as stored, distorted; means nothing where there is none."""

    def __len__(self) -> int:
        """Count the returns."""
        return len(self.positions)

    def chosen(self, rows: Bool[np.ndarray, " n"]) -> "SourceReturns":
        """Return some of the points."""
        return SourceReturns(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass(frozen=True, eq=False)
class SourceSweep(abc.ABC):
    """One turn of a drive's lasers, read when asked."""

    time: float
    """Seconds since the capture began."""
    step: int
    lasers: tuple[str, ...]
    sensors: tuple[str, ...]
    recorded: bool = field(default=True, kw_only=True)
    """Whether the source says which pixels show the points; else they are projected."""

    @abc.abstractmethod
    def read(self) -> SourceReturns:
        """Read the points.

        Raises:
            DataError: they cannot be read.
        """

    def read_shown(self) -> SourceReturns:
        """Read the points that a camera shows; all of them where no point is shown by any.

        A sweep that knows beforehand which those are does not place the others.

        Raises:
            DataError: they cannot be read.
        """
        return shown(self.read())


def shown(returns: SourceReturns) -> SourceReturns:
    """Return the points that a camera shows; all of them where no point is shown by any."""
    rows = np.asarray(returns.sensors.any(axis=1))
    return returns.chosen(rows) if rows.any() and not rows.all() else returns


@dataclass(frozen=True, eq=False)
class SourceBoxes:
    """The tracked objects of one time step; see `recon.drive_types.Boxes`."""

    time: float
    step: int
    tracks: tuple[str, ...]
    kinds: tuple[str, ...]
    poses: Float64[np.ndarray, "n 4 4"]
    sizes: Float64[np.ndarray, "n 3"]
    velocities: Float64[np.ndarray, "n 3"]

    def only(self, tracks: Collection[str]) -> "SourceBoxes":
        """Return the boxes of some objects."""
        kept = np.array([track in tracks for track in self.tracks], np.bool_)
        return SourceBoxes(
            self.time,
            self.step,
            tuple(compress(self.tracks, kept)),
            tuple(compress(self.kinds, kept)),
            self.poses[kept],
            self.sizes[kept],
            self.velocities[kept],
        )
