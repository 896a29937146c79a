"""What a reader hands over, before anything is resized, shifted, sorted or split.

A reader only translates its format; `recon.datasets.finalise` does the rest the same way for all.
"""

import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float64, UInt8

from recon.camera import Intrinsics
from recon.datasets.depth_source import DepthSource
from recon.datasets.drive_source import DriveOptions, SourceBoxes, SourceSweep
from recon.datasets.stored_image import ImageSource
from recon.drive_types import RollingShutter
from recon.types import Exif


@dataclass(frozen=True)
class ReadOptions:
    """How a capture is read."""

    format: str | None = None
    """Read as colmap, transforms, blender, llff, kitti, dgp, drivestudio, waymo-v2 or waymo-v1;
    recognised from the folder otherwise."""
    images: str | None = None
    """Folder of the photos below the capture, such as images_4; otherwise what the format names."""
    downscale: float = 1.0
    """Divide widths and heights by this factor, at least 1; photos are resized by area."""
    size: tuple[int, int] | None = None
    """Resize all photos to this width and height, by area, instead of --downscale."""
    hold_every: int | None = None
    """Hold out every n-th view by name where the files bring no split, 8 where not given; of a
    drive every n-th time step but the first, 10 where not given; 0 trains on every view."""
    hold_by: Literal["auto", "name", "step"] = "auto"
    """What --hold-every counts: views by name, the first held out; time steps, the first kept; or
    what fits the capture. Other than auto, it goes before the files' own split."""
    train_list: Path | None = None
    """A file with the names of the training views, one a line; goes before every other rule."""
    test_list: Path | None = None
    """A file with the names of the held-out views, one a line; goes before every other rule."""
    keep_border: bool = False
    """Use the black border that undistortion has left in photos; it is found and masked else."""
    metric: bool = False
    """Take the capture's unit of length as metres, where the files do not say so themselves."""
    start: Literal["points", "matches", "dense", "prior", "random"] = "points"
    """What a fit begins with: points, the capture's own, those of its LiDAR or of the depth of its
    training photos, or else as with dense; matches, points triangulated from training photos;
    dense, these and points wherever neighbouring training photos agree about a pixel's depth;
    prior, those of --prior.model where it is believed, beside the capture's own or matches'; or
    Gaussians at random before the cameras, which is all there is without."""
    drive: DriveOptions = field(default_factory=DriveOptions)


@dataclass(frozen=True, eq=False)
class SourceView:
    """One photo as its source describes it."""

    name: str
    """The photo's name in its source, unique if the source is sound."""
    image: ImageSource
    """The file of the photo, which may be missing, or its place in another file."""
    world_to_camera: Float64[np.ndarray, "4 4"]
    """In the source's frame, OpenCV axes; it may hold anything, also NaN."""
    intrinsics: Intrinsics
    mask: Path | None = None
    """An image that is black where the photo must not be used."""
    depth: DepthSource | None = None
    sensor: str = ""
    time: float = 0.0
    exif: Exif = field(default_factory=Exif)
    """Lens settings that the source states; they go before the photo's own."""
    step: int | None = None
    """The time step of a drive; None elsewhere."""
    shutter: RollingShutter | None = None
    sky: Path | None = None
    """An image that is white where the sky is, and black elsewhere."""
    moving: Path | None = None
    """An image that is white where things move, where the photo must not be used either."""


@dataclass(frozen=True, eq=False)
class SourcePoints:
    """Points in the source's frame."""

    positions: Float64[np.ndarray, "p 3"]
    colors: UInt8[np.ndarray, "p 3"]


@dataclass(frozen=True)
class SourceSplit:
    """The split that came with the files, by view name; views in neither are left alone."""

    train: frozenset[str]
    test: frozenset[str]
    rule: str


@dataclass(frozen=True, eq=False)
class SourceCapture:
    """A capture in its source's own frame and resolution."""

    path: Path
    format: str
    views: list[SourceView]
    points: SourcePoints | None = None
    split: SourceSplit | None = None
    metric: bool = False
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lidar: list[SourceSweep] = field(default_factory=list)
    """By time."""
    boxes: list[SourceBoxes] = field(default_factory=list)
    """By time step."""
    scene: str = ""
    """What the source calls this place and time, such as a Waymo segment; empty where nobody does.
    Protocols list scenes by it."""


class Reader(abc.ABC):
    """One format of captures on disk."""

    name: ClassVar[str]
    """What `--format` calls it."""
    needs: ClassVar[str]
    """The files that make a folder this format, for people."""

    @abc.abstractmethod
    def recognises(self, path: Path) -> bool:
        """Say whether a path looks like this format, from file names alone.

        The path is a folder as a rule; it may also be a file, or not exist.
        """

    @abc.abstractmethod
    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Translate what the folder holds.

        Raises:
            DataError: a file is missing, malformed or holds no view that can be used.
        """
