"""The nouns of the project, and every convention, stated once.

* Camera axes are OpenCV's: x right, y down, z forward. Poses are `world_to_camera`. The centre of
  the top left pixel is (0.5, 0.5).
* The working frame of a capture is its source frame, shifted so that the cameras stand around the
  origin; `Capture.to_source` leads back. Lengths are metres where `Capture.metric`, else the
  source's own units.
* Depth is z along the optical axis, not the distance along the ray.
* Photos are sRGB, 8 bit; rendered images are float32 `h w 3` in [0, 1], sRGB. Blur is computed in
  linear light.
* Masks say True for *use this pixel*, sky masks for *sky and nothing else*.
* Quaternions are (w, x, y, z). Spherical harmonics go to degree 3.
"""

import abc
import enum
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from recon.drive_types import Boxes, RollingShutter, Sweep


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera: a pose, a focal length and a principal point, in pixels."""

    world_to_camera: Float[Tensor, "4 4"]
    """Rigid transform from the working frame to the camera's axes; may require gradients."""
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @property
    def position(self) -> Float[Tensor, "3"]:
        """The centre of projection in the working frame."""
        rotation, translation = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        return -rotation.T @ translation

    def moved(self, world_to_camera: Float[Tensor, "4 4"]) -> "Camera":
        """Return this camera at another pose."""
        return replace(self, world_to_camera=world_to_camera)


@dataclass(frozen=True, eq=False)
class ThinLens:
    """A thin lens as the rasterizers use it: c(z) = strength * |inverse_focus - 1/z|.

    c is the circle of confusion, a diameter in pixels of the camera that renders. A disc of
    diameter c has the variance c²/16 per axis, so the matched Gaussian has sigma = c / 4.
    """

    strength: Float[Tensor, ""]
    """K in px·m: the aperture's diameter times the focal length in pixels."""
    inverse_focus: Float[Tensor, ""]
    """1 / focus distance, in 1/m; 0 focuses at infinity."""


class DepthKind(enum.Enum):
    """What is known of a depth map's scale."""

    METRIC = "metric"
    """Metres, or the capture's own unit where the capture is not metric."""
    SCALE = "scale"
    """Right up to one factor."""
    AFFINE = "affine"
    """Right up to a factor and an offset."""
    AFFINE_DISPARITY = "affine_disparity"
    """The inverse is right up to a factor and an offset."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """Depth per pixel, with the pixels that hold a value."""

    z: Float[Tensor, "h w"]
    """Depth along the optical axis; 0 where not valid."""
    valid: Bool[Tensor, "h w"]
    kind: DepthKind = DepthKind.METRIC
    measured: bool = True
    """Whether an instrument did; False where photos were matched, which errs where they mislead."""


@dataclass(frozen=True)
class Exif:
    """What a photograph says of its own making; None where it is silent."""

    f_number: float | None = None
    focal_length_mm: float | None = None
    focal_length_35mm: float | None = None
    """The focal length that would give the same angle on a 36 mm wide sensor."""
    focus_distance: float | None = None
    """Metres."""
    exposure_seconds: float | None = None
    iso: float | None = None


class Photo(abc.ABC):
    """Pixels on disk. Every call reads and decodes; whoever needs them twice keeps them."""

    @abc.abstractmethod
    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        """Decode the photo, undistorted and resized to its view's camera.

        Raises:
            DataError: the file is missing or cannot be decoded; the message names it.
        """

    @abc.abstractmethod
    def valid(self) -> Bool[Tensor, "h w"] | None:
        """Return the pixels to use, or None where all are: masks, the border of undistortion."""

    @abc.abstractmethod
    def depth(self) -> DepthMap | None:
        """Return the depth that came with the photo or its pair; None where there is none."""

    @abc.abstractmethod
    def sky(self) -> Bool[Tensor, "h w"] | None:
        """Return the pixels that show nothing but sky, or None where nobody says."""


@dataclass(frozen=True, eq=False)
class View:
    """One photo and the camera that took it."""

    name: str
    """Unique in its capture; the photo's path below the capture, as a rule."""
    camera: Camera
    """At the working resolution, without distortion."""
    photo: Photo
    exif: Exif = field(default_factory=Exif)
    sensor: str = ""
    """Which camera of a rig; empty where there is one."""
    time: float = 0.0
    """Seconds since the capture began; 0 where unknown."""
    step: int | None = None
    """The time step of a drive, the same for all cameras of the rig; None elsewhere."""
    shutter: RollingShutter | None = None
    """How the photo was read out; None where all lines are of one moment, or nothing is known."""


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points with colours, in the working frame."""

    positions: Float[Tensor, "p 3"]
    colors: UInt8[Tensor, "p 3"]

    def __len__(self) -> int:
        """Count the points."""
        return len(self.positions)


@dataclass(frozen=True, eq=False)
class Similarity:
    """x -> scale * rotation @ x + translation, in float64."""

    scale: float
    rotation: Float[Tensor, "3 3"]
    translation: Float[Tensor, "3"]

    @staticmethod
    def shift(offset: Float[Tensor, "3"]) -> "Similarity":
        """Return the similarity that adds an offset."""
        return Similarity(1.0, torch.eye(3, dtype=torch.float64), offset.double())

    def apply(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Map points; computed and returned in float64."""
        return self.scale * points.double() @ self.rotation.T + self.translation

    def inverse(self) -> "Similarity":
        """Return the way back."""
        rotation = self.rotation.T.contiguous()
        return Similarity(1 / self.scale, rotation, -(rotation @ self.translation) / self.scale)


@dataclass(frozen=True)
class Split:
    """Which views train and which test, by index, and the rule that said so."""

    train: tuple[int, ...]
    test: tuple[int, ...]
    rule: str
    """For people: "every 8th by name", "the files' own", "lists"."""
    sweeps: tuple[int, ...] = ()
    """Which LiDAR sweeps may initialise and supervise; the others may only test."""


@dataclass(frozen=True, eq=False)
class Capture:
    """What a reader found on disk: formats differ only up to here."""

    path: Path
    format: str
    """"colmap", "transforms", "llff", "blender", ..."""
    views: tuple[View, ...]
    """Sorted by name."""
    split: Split
    points: PointCloud | None
    """For a fit to begin with. None where the source brings none; of a drive, thinned from the
    training sweeps, and None unless asked for."""
    metric: bool
    """Whether lengths are metres."""
    to_source: Similarity
    """From the working frame to the source's own frame, in which scenes are exported."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """sRGB behind the scene: what photos with transparency were laid on."""
    notes: tuple[str, ...] = ()
    """Choices a person should know of: the sub-model taken, the distortion undone."""
    warnings: tuple[str, ...] = ()
    """What was skipped, and why."""
    lidar: tuple[Sweep, ...] = ()
    """All sweeps, by time, whether they may train or not."""
    boxes: tuple[Boxes, ...] = ()
    """The tracked objects, by time step."""

    @property
    def train(self) -> tuple[View, ...]:
        """The views that may be learned from."""
        return tuple(self.views[i] for i in self.split.train)

    @property
    def test(self) -> tuple[View, ...]:
        """The views that are held out."""
        return tuple(self.views[i] for i in self.split.test)

    @property
    def training_sweeps(self) -> tuple[Sweep, ...]:
        """The sweeps that may be learned from."""
        return tuple(self.lidar[i] for i in self.split.sweeps)

    @property
    def extent(self) -> float:
        """The radius of the cameras around their centre, times 1.1."""
        positions = torch.stack([view.camera.position for view in self.views])
        return 1.1 * float((positions - positions.mean(0)).norm(dim=-1).max())
