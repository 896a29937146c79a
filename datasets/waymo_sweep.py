"""Waymo's range images as points in the world, with the pixels that see them."""

from dataclasses import dataclass

import numpy as np

from recon.datasets.drive_source import SourceReturns, SourceSweep
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
        assert self.frame.scans is not None
        parts = [
            part
            for scan in self.frame.scans.read()
            for part in self.returns(scan)
            if len(part.positions)
        ]
        if not parts:
            return no_returns()
        columns = zip(*map(fields, parts), strict=True)
        return SourceReturns(*map(np.concatenate, columns))

    def returns(self, scan: LaserScan) -> list[SourceReturns]:
        """Return the points of one laser, return by return."""
        laser = self.calibrations.get(scan.laser)
        if laser is None:
            raise DataError(
                f"{self.name}: laser {scan.laser} has range images and no calibration; download "
                "the calibration again, or read the cameras alone with --drive.lidar A."
            )
        found = []
        for order, (image, projection) in enumerate(
            zip(scan.ranges, scan.projections, strict=True), start=1
        ):
            if image is None:
                continue
            rows, columns = measured(image)
            pose = self.frame.vehicle_to_world
            if pose is None and scan.pixel_poses is None:
                raise DataError(
                    f"{self.name}: no vehicle pose, which laser {scan.laser} needs; download it, "
                    "or read the cameras alone with --drive.lidar A."
                )
            count = len(rows)
            found.append(
                SourceReturns(
                    in_world(
                        image,
                        rows,
                        columns,
                        laser,
                        np.eye(4) if pose is None else pose,
                        scan.pixel_poses,
                    ),
                    image[rows, columns, 1],
                    np.full(count, order, np.uint8),
                    np.full(count, self.lasers.index(scan.laser), np.uint8),
                    image[rows, columns, 3] > 0,
                    *self.seen(None if projection is None else projection[rows, columns], count),
                )
            )
        return found

    def seen(self, projection: np.ndarray | None, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which cameras see the points, and where.

        Waymo stores whole pixels, counted from the photo's left and upper edge; the middle of the
        pixel is taken.
        """
        if projection is None:
            return np.zeros((count, 2), np.uint8), np.zeros((count, 2, 2), np.float32)
        index = np.zeros(256, np.uint8)
        for number, name in CAMERAS.items():
            if name in self.sensors:
                index[number] = self.sensors.index(name) + 1
        both = projection.reshape(count, 2, 3)
        return index[both[..., 0].astype(np.uint8)], both[..., 1:].astype(np.float32) + 0.5


def fields(returns: SourceReturns) -> tuple[np.ndarray, ...]:
    """List the columns of returns, in the order of their declaration."""
    return (
        returns.positions,
        returns.intensity,
        returns.order,
        returns.laser,
        returns.unlabeled,
        returns.sensors,
        returns.pixels,
    )


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
