"""What a drive brings besides photos: LiDAR sweeps, tracked boxes, and how a photo was read out."""

import abc
import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import compress

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

MOVING = 1.0
"""Units of length a second; an object that was ever faster moves."""


class ReadOut(enum.Enum):
    """The way in which a sensor's lines follow one another over the photo."""

    DOWN = "down"
    RIGHT = "right"
    UP = "up"
    LEFT = "left"


@dataclass(frozen=True, eq=False)
class RollingShutter:
    """How a camera moved while its photo was read out line by line.

    The line read `dt` seconds after the view's time was seen from `position + dt * linear`, with
    axes turned by `dt * angular` (radians, in the working frame).
    """

    readout: float
    """Seconds from the first line's exposure to the last's."""
    direction: ReadOut
    linear: Float[Tensor, "3"]
    """Velocity of the centre of projection in the working frame, in units of length a second."""
    angular: Float[Tensor, "3"]
    """Angular velocity in the working frame, in radians a second."""


@dataclass(frozen=True, eq=False)
class Returns:
    """What one sweep measured: points, and where the photos show them."""

    positions: Float[Tensor, "n 3"]
    """In the working frame; each where it was when the laser hit it."""
    intensity: Float[Tensor, " n"]
    order: UInt8[Tensor, " n"]
    """1 for a beam's first return, 2 for its second."""
    laser: UInt8[Tensor, " n"]
    """Index into `Sweep.lasers`."""
    unlabeled: Bool[Tensor, " n"]
    """Whether the point lies in a zone where moving objects have no boxes."""
    sensors: UInt8[Tensor, "n 2"]
    """Index into `Sweep.sensors`, plus 1, of up to two cameras that see the point; 0 for none."""
    pixels: Float[Tensor, "n 2 2"]
    """x and y in those cameras' views of the sweep's step; NaN where there is none. Those that the
    source recorded (`Sweep.recorded`) hold for the lines' own times, so they are right where a
    projection, which knows one pose for a photo, is off by the rolling shutter."""

    def __len__(self) -> int:
        """Count the returns."""
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Sweep(abc.ABC):
    """One turn of a drive's lasers; the points stay on disk until asked for."""

    time: float
    """Seconds since the capture began, when the sweep did."""
    step: int
    """The time step; views of the same step belong to it."""
    lasers: tuple[str, ...]
    sensors: tuple[str, ...]
    """Names of cameras, as in `View.sensor`."""
    recorded: bool = field(default=True, kw_only=True)
    """Whether the source says which pixels show the points; else they are projected by the poses
    of both, and are off where things moved, or the car turned, between sweep and photo."""

    @abc.abstractmethod
    def returns(self) -> Returns:
        """Read and place the points; every call reads again.

        Raises:
            DataError: they cannot be read; the message names the file and the record.
        """

    @abc.abstractmethod
    def shown(self) -> Returns:
        """Read and place the points that a camera shows, all where none is shown; takes less time.

        Raises:
            DataError: they cannot be read; the message names the file and the record.
        """


@dataclass(frozen=True, eq=False)
class Boxes:
    """The tracked objects of one time step."""

    time: float
    """Seconds since the capture began."""
    step: int
    tracks: tuple[str, ...]
    """Who is who: the same name at every step."""
    kinds: tuple[str, ...]
    """"vehicle", "pedestrian", "cyclist", "sign" or "unknown"."""
    poses: Float[Tensor, "n 4 4"]
    """From a box's axes (origin in its centre, x forward, y left, z up) to the working frame."""
    sizes: Float[Tensor, "n 3"]
    """Length, width and height."""
    velocities: Float[Tensor, "n 3"]
    """In the working frame, in units of length a second; NaN where unknown."""

    def __len__(self) -> int:
        """Count the boxes."""
        return len(self.tracks)

    @property
    def speeds(self) -> Float[Tensor, " n"]:
        """The velocities' lengths; NaN where unknown."""
        speeds: Tensor = torch.linalg.vector_norm(self.velocities, dim=-1)
        return speeds

    def only(self, tracks: Collection[str]) -> "Boxes":
        """Return the boxes of some objects."""
        kept = torch.tensor([track in tracks for track in self.tracks], dtype=torch.bool)
        return Boxes(
            self.time,
            self.step,
            tuple(compress(self.tracks, kept)),
            tuple(compress(self.kinds, kept)),
            self.poses[kept],
            self.sizes[kept],
            self.velocities[kept],
        )


def moving_tracks(frames: Iterable[Boxes]) -> frozenset[str]:
    """Return the tracks that were ever faster than `MOVING`.

    One that waits at a light and drives on moves, at every time step: where it waited, a part of
    the photos shows the road. Objects whose speed nobody knows count as still.
    """
    return frozenset(
        track
        for boxes in frames
        for track, speed in zip(boxes.tracks, boxes.speeds.tolist(), strict=True)
        if speed > MOVING
    )
