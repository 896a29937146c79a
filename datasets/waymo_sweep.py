"""Waymo's range images as points in the world, with the pixels that see them."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from recon.datasets.drive_source import SourceReturns, SourceSweep, shown
from recon.datasets.range_image import LaserCalibration, in_world, measured
from recon.datasets.waymo_segment import CAMERAS, Frame, LaserScan
from recon.errors import DataError


@dataclass(frozen=True, eq=False)
class WaymoSweep(SourceSweep):
    """The range images of a frame as points in the world."""

    name: str
    frame: Frame
    calibrations: dict[str, LaserCalibration]

    def read(self) -> SourceReturns:
        """Read every laser's returns."""
        return self.gather(shown_only=False)

    def read_shown(self) -> SourceReturns:
        """Read the returns for which a camera is recorded, and place no others."""
        return shown(self.gather(shown_only=True))

    def gather(self, shown_only: bool) -> SourceReturns:
        """Read every laser; leave out what is recorded as seen by no camera, if so wished."""
        assert self.frame.scans is not None
        parts = [
            part
            for scan in self.frame.scans.read()
            for part in self.returns(scan, shown_only)
            if len(part.positions)
        ]
        if not parts:
            return no_returns()
        columns = ([getattr(part, field.name) for part in parts] for field in fields(SourceReturns))
        return SourceReturns(*map(np.concatenate, columns))

    def returns(self, scan: LaserScan, shown_only: bool) -> list[SourceReturns]:
        """Return the points of one laser, return by return."""
        laser = self.calibrations.get(scan.laser)
        if laser is None:
            raise DataError(
                f"{self.name}: laser {scan.laser} has range images and no calibration; download "
                "the calibration again, or read the cameras alone with --drive.lidar A."
            )
        pose = self.frame.vehicle_to_world
        if pose is None and scan.pixel_poses is None:
            raise DataError(
                f"{self.name}: no vehicle pose, which laser {scan.laser} needs; download it, "
                "or read the cameras alone with --drive.lidar A."
            )
        found = []
        for order, (image, projection) in enumerate(
            zip(scan.ranges, scan.projections, strict=True), start=1
        ):
            if image is None:
                continue
            rows, columns = measured(image)
            sensors, pixels = self.seen(projection, rows, columns)
            if shown_only and projection is not None:
                kept = sensors.any(axis=1)
                rows, columns, sensors, pixels = (
                    part[kept] for part in (rows, columns, sensors, pixels)
                )
            count = len(rows)
            whole = np.eye(4) if pose is None else pose
            found.append(
                SourceReturns(
                    in_world(image, rows, columns, laser, whole, scan.pixel_poses),
                    image[rows, columns, 1],
                    np.full(count, order, np.uint8),
                    np.full(count, self.lasers.index(scan.laser), np.uint8),
                    image[rows, columns, 3] > 0,
                    sensors,
                    pixels,
                )
            )
        return found

    def seen(
        self,
        projection: Float32[np.ndarray, "h w 6"] | None,
        rows: Int64[np.ndarray, " n"],
        columns: Int64[np.ndarray, " n"],
    ) -> tuple[UInt8[np.ndarray, "n 2"], Float32[np.ndarray, "n 2 2"]]:
        """Return which cameras see the points, and where.

        Waymo stores whole pixels, counted from the photo's left and upper edge; the middle of the
        pixel is taken.
        """
        if projection is None:
            count = len(rows)
            return np.zeros((count, 2), np.uint8), np.zeros((count, 2, 2), np.float32)
        index = np.zeros(256, np.uint8)
        for number, name in CAMERAS.items():
            if name in self.sensors:
                index[number] = self.sensors.index(name) + 1
        both = projection[rows, columns].reshape(-1, 2, 3)
        return index[both[..., 0].astype(np.uint8)], both[..., 1:] + np.float32(0.5)


def no_returns() -> SourceReturns:
    """Return a sweep that measured nothing."""
    bytes_of = np.zeros(0, np.uint8)
    return SourceReturns(
        np.zeros((0, 3)),
        np.zeros(0, np.float32),
        bytes_of,
        bytes_of,
        np.zeros(0, np.bool_),
        np.zeros((0, 2), np.uint8),
        np.zeros((0, 2, 2), np.float32),
    )
