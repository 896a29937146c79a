"""How one person looks at a scene: what is shown, and through which lens."""

from dataclasses import dataclass, field
from typing import Literal

from recon.optics import camera_lens, thin_lens
from recon.pictures import DepthRange
from recon.types import Camera, ThinLens, View
from recon.viewer.crop import Box

SHARP_SHARE = 1 / 1200
"""Of the longer side of the picture: a circle of confusion up to this counts as sharp, the usual
0.03 mm on full frame (36 mm)."""

Aperture = Literal["f-number", "strength"]
Drawing = Literal["server", "browser"]


@dataclass(frozen=True)
class LensDial:
    """A lens as a person turns it."""

    open: bool = False
    """Where not, everything is sharp."""
    aperture: Aperture = "strength"
    """Which of the two numbers below says how wide it is; an f-number needs metres."""
    f_number: float = 2.8
    strength: float = 20.0
    """K in px·m, for a camera of the focal length `focal` below."""
    focus: float = 5.0
    """Distance along the optical axis, in the unit of the scene."""
    sensor_width_mm: float = 36.0
    """Of the sensor's longer side."""
    focal: float = 360.0
    """px; of the camera for which K is said. Others with a longer one blur more pixels."""

    def lens(self, camera: Camera) -> ThinLens | None:
        """Return the lens for a picture by this camera, None where everything is sharp."""
        if not self.open:
            return None
        if self.aperture == "strength":
            return thin_lens(self.strength * camera.fx / self.focal, self.focus)
        return camera_lens(camera, self.f_number, self.focus, self.sensor_width(camera))

    def sensor_width(self, camera: Camera) -> float:
        """Return how wide the sensor is, in mm: turned on its side where the picture is upright."""
        return self.sensor_width_mm * camera.width / max(camera.width, camera.height)


@dataclass(frozen=True)
class Wipe:
    """What stands left of a line over the picture, at the camera of a photo."""

    left: Literal["photo", "render"]
    share: float
    """Of the photo's width, left of the line."""


@dataclass(frozen=True)
class Look:
    """All that decides what a person sees, but for the place they stand at."""

    layer: str
    """A key of `recon.viewer.layers.LAYERS`."""
    depths: DepthRange
    """What the colours of depth span."""
    lens: LensDial = field(default_factory=LensDial)
    tint: bool = False
    """Whether what is in focus is tinted."""
    drawing: Drawing = "server"
    """Who draws: the scene's rasterizer, exactly, or the browser, fast and without harmonics."""
    rows: int = 540
    """Of a picture at rest, at most."""
    at: View | None = None
    """The photo at whose camera the person stands; None anywhere else."""
    wipe: Wipe | None = None
    """A line with something else left of it; None where there is none."""
    crop: Box | None = None
    """Only what lies in it is drawn; None for all of the scene."""


def sharp_bound(camera: Camera) -> float:
    """Return the largest circle of confusion, in px, that counts as sharp in a picture."""
    return SHARP_SHARE * max(camera.width, camera.height)
