"""The thin lens of the synthetic camera, in a photographer's units."""

from dataclasses import dataclass

from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.settings import StreetSettings


@dataclass(frozen=True)
class Lens:
    """A lens in front of a sensor that frames what a pinhole camera does."""

    f_number: float
    focal_length_mm: float
    focus_distance: float
    """Metres from the lens, along the optical axis."""
    sensor_width_mm: float

    @property
    def diameter(self) -> float:
        """Of the aperture, in metres."""
        return 1e-3 * self.focal_length_mm / self.f_number

    def strength(self, pinhole: Pinhole) -> float:
        """Return K in px·m: c(z) = K·|1/focus_distance - 1/z| px is the circle of confusion."""
        return self.diameter * pinhole.focal_length

    def aperture(self) -> Aperture:
        """Return what the renderer needs of it."""
        return Aperture(self.focus_distance, self.diameter)


def lens_of(settings: StreetSettings, pinhole: Pinhole, number: int) -> Lens:
    """Choose a lens for a photo.

    The number of the photo says where it is focused; each camera of the rig takes all three turns.
    """
    distance = settings.focus_distance * settings.focus_sweep ** ((number + number // 3) % 3 - 1)
    return framing(pinhole, settings.f_number, distance, settings.sensor_width_mm)


def framing(
    pinhole: Pinhole, f_number: float, focus_distance: float, sensor_width_mm: float
) -> Lens:
    """Return the lens of an f-number that frames the pinhole camera's picture when focused.

    Args:
        pinhole: frames the picture.
        f_number: of the lens.
        focus_distance: s, in metres.
        sensor_width_mm: of the sensor.
    """
    focal_length = framing_focal_length_mm(pinhole, focus_distance, sensor_width_mm)
    return Lens(f_number, focal_length, focus_distance, sensor_width_mm)


def framing_focal_length_mm(
    pinhole: Pinhole, focus_distance: float, sensor_width_mm: float
) -> float:
    """Return the focal length that frames the pinhole camera's picture when focused.

    The sensor stands at the image distance v with 1/f = 1/v + 1/s, and v is the pinhole's focal
    length in the sensor's units (Hecht, Optics, section 5.2).
    """
    v = pinhole.focal_length * sensor_width_mm / pinhole.width
    return 1 / (1 / v + 1 / (1e3 * focus_distance))
