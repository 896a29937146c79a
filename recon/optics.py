"""Thin lenses from the numbers that photographers know."""

import torch

from recon.errors import UsageError
from recon.types import Camera, ThinLens


def thin_lens(strength: float, focus_distance: float) -> ThinLens:
    """Return the lens of a strength K, focused at a distance.

    Args:
        strength: K in px·m, at least 0: an infinitely far point is blurred to a disc of
            K / focus_distance pixels.
        focus_distance: along the optical axis, in the unit of the scene; infinite is allowed.

    Raises:
        UsageError: a number is out of its range.
    """
    if not strength >= 0:
        raise UsageError(f"a lens of strength {strength}; expected 0 or more, in px·m")
    if not focus_distance > 0:
        raise UsageError(f"a focus distance of {focus_distance}; expected more than 0, or inf")
    return ThinLens(torch.tensor(float(strength)), torch.tensor(1 / float(focus_distance)))


def camera_lens(
    camera: Camera, f_number: float, focus_distance: float, sensor_width_mm: float = 36.0
) -> ThinLens:
    """Return the lens of a real camera; lengths of the scene must be metres.

    The focal length in pixels of a calibrated camera is the distance v from lens to sensor. With
    the thin-lens equation 1/f = 1/v + 1/s, the aperture's diameter is A = f/N, and a point at depth
    z is drawn as a disc of A v |1/s - 1/z|: the strength is K = A v with v in pixels.

    Args:
        camera: gives the width in pixels and the focal length.
        f_number: N, more than 0.
        focus_distance: s, in metres; infinite is allowed.
        sensor_width_mm: 36 for full frame, 23.5 for APS-C, about 6 to 10 for phones.

    Raises:
        UsageError: a number is out of its range.
    """
    if not (f_number > 0 and sensor_width_mm > 0):
        raise UsageError(
            f"f-number {f_number} on a sensor {sensor_width_mm} mm wide; expected more than 0"
        )
    to_sensor = camera.fx * sensor_width_mm / camera.width / 1000
    # Also right for an infinite focus distance, where f = v.
    focal_length = 1 / (1 / to_sensor + 1 / focus_distance) if focus_distance > 0 else 0.0
    return thin_lens(focal_length / f_number * camera.fx, focus_distance)
