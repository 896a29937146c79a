"""LiDAR sweeps and boxes, put into a capture's working frame."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8

from recon.camera import Intrinsics
from recon.datasets.drive_source import SourceBoxes, SourceReturns, SourceSweep
from recon.drive_types import Boxes, Returns, Sweep


@dataclass(frozen=True)
class Resize:
    """A camera's photo as stored, and its size in the views."""

    intrinsics: Intrinsics
    width: int
    height: int

    def place(self, pixels: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Return where points of the photo as stored lie in a view."""
        lens = self.intrinsics
        return lens.undistorted(pixels) * [self.width / lens.width, self.height / lens.height]


@dataclass(frozen=True, eq=False)
class PlacedSweep(Sweep):
    """A sweep of a source, shifted and with its pixels undistorted and resized."""

    source: SourceSweep
    offset: Float64[np.ndarray, "3"]
    """Of the working frame's origin in the source's frame."""
    photos: dict[str, Resize]
    """By sensor; those that have no view are absent."""

    def returns(self) -> Returns:
        """Read and place the points."""
        return self.placed(self.source.read())

    def shown(self) -> Returns:
        """Read and place those that a camera shows."""
        return self.placed(self.source.read_shown())

    def placed(self, found: SourceReturns) -> Returns:
        """Shift the points, and move their pixels from the photos to the views."""
        return Returns(
            positions=torch.from_numpy(found.positions - self.offset).float(),
            intensity=torch.from_numpy(found.intensity),
            order=torch.from_numpy(found.order),
            laser=torch.from_numpy(found.laser),
            unlabeled=torch.from_numpy(found.unlabeled),
            sensors=torch.from_numpy(found.sensors),
            pixels=torch.from_numpy(self.pixels(found.sensors, found.pixels)),
        )

    def pixels(
        self, sensors: UInt8[np.ndarray, "n 2"], pixels: Float32[np.ndarray, "n 2 2"]
    ) -> Float32[np.ndarray, "n 2 2"]:
        """Move pixels from the photos to the views; NaN where there is none."""
        placed = np.full(pixels.shape, np.nan, np.float32)
        for number, name in enumerate(self.sensors, start=1):
            if name in self.photos:
                there = sensors == number
                placed[there] = self.photos[name].place(pixels[there].astype(np.float64))
        return placed


def place_sweep(
    sweep: SourceSweep, offset: Float64[np.ndarray, "3"], photos: dict[str, Resize]
) -> PlacedSweep:
    """Put a sweep into the working frame; nothing is read yet."""
    return PlacedSweep(
        sweep.time,
        sweep.step,
        sweep.lasers,
        sweep.sensors,
        sweep,
        offset,
        photos,
        recorded=sweep.recorded,
    )


def place_boxes(boxes: SourceBoxes, offset: Float64[np.ndarray, "3"]) -> Boxes:
    """Shift boxes."""
    poses = boxes.poses.copy()
    poses[:, :3, 3] -= offset
    return Boxes(
        boxes.time,
        boxes.step,
        boxes.tracks,
        boxes.kinds,
        torch.from_numpy(poses).float(),
        torch.from_numpy(boxes.sizes).float(),
        torch.from_numpy(boxes.velocities).float(),
    )
