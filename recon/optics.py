"""Thin lenses from the numbers that photographers know, and what follows from them.

With the sensor at a distance v behind a lens of focal length f, points at the distance s are sharp
where 1/f = 1/v + 1/s. A point at depth z is drawn as a disc of diameter A v |1/s - 1/z| for an
aperture of diameter A = f/N (Hecht, Optics, section 5.2). In pixels that is K |1/s - 1/z|, with the
strength K = A v and v in pixels.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import UsageError
from recon.types import Camera, Exif, ThinLens

REFERENCE_WIDTH = 360
"""px; blurs that are chosen for scenes are meant for photos of this width, and scale with it."""
NEAREST = 1e-6
"""Depths must exceed this, in the unit of the scene, to have a circle of confusion."""


def thin_lens(strength: float, focus_distance: float) -> ThinLens:
    """Return the lens of a strength K, focused at a distance.

    Args:
        strength: K in px·m, at least 0: an infinitely far point is blurred to a disc of
            K / focus_distance pixels.
        focus_distance: along the optical axis, in the unit of the scene; infinite is allowed.

    Raises:
        UsageError: a number is out of its range.
    """
    if not 0 <= strength < math.inf:
        raise UsageError(f"a lens of strength {strength}; expected 0 or more, in px·m")
    if not focus_distance > 0:
        raise UsageError(f"a focus distance of {focus_distance}; expected more than 0, or inf")
    return ThinLens(torch.tensor(float(strength)), torch.tensor(1 / float(focus_distance)))


def camera_lens(
    camera: Camera, f_number: float, focus_distance: float, sensor_width_mm: float = 36.0
) -> ThinLens:
    """Return the lens of a calibrated camera; lengths of the scene must be metres.

    The focal length in pixels of a calibrated camera is the distance v from lens to sensor.

    Args:
        camera: gives the width in pixels and the focal length.
        f_number: N, more than 0.
        focus_distance: s, in metres; infinite is allowed.
        sensor_width_mm: 36 for full frame, 23.5 for APS-C, about 6 to 10 for phones.

    Raises:
        UsageError: a number is out of its range.
    """
    _check_f_number(f_number)
    to_sensor = _to_sensor_mm(camera, sensor_width_mm) / 1000
    # Also right for an infinite focus distance, where f = v.
    focal_length = 1 / (1 / to_sensor + 1 / focus_distance) if focus_distance > 0 else 0.0
    return thin_lens(focal_length / f_number * camera.fx, focus_distance)


def photographic_lens(
    f_number: float,
    focal_length_mm: float,
    focus_distance: float,
    sensor_width_mm: float,
    width: int,
) -> ThinLens:
    """Return the lens that EXIF describes, where no calibration says how far the sensor stands.

    Args:
        f_number: N, more than 0.
        focal_length_mm: f as engraved, of the lens focused at infinity.
        focus_distance: s, in metres, more than f; infinite is allowed.
        sensor_width_mm: of the side that is `width` pixels long.
        width: of the picture, in pixels.

    Raises:
        UsageError: a number is out of its range, or the focus is at or inside the focal length,
            where no sensor catches a sharp image.
    """
    _check_f_number(f_number)
    if not (0 < focal_length_mm < math.inf and 0 < sensor_width_mm < math.inf and width > 0):
        raise UsageError(
            f"a focal length of {focal_length_mm} mm on a sensor {sensor_width_mm} mm wide with "
            f"{width} pixels; expected more than 0"
        )
    if not focus_distance > focal_length_mm / 1000:
        raise UsageError(
            f"a focus distance of {focus_distance} m with a focal length of {focal_length_mm} mm; "
            "expected more than the focal length"
        )
    to_sensor_mm = 1 / (1 / focal_length_mm - 1 / (1000 * focus_distance))
    aperture = aperture_diameter(f_number, focal_length_mm)
    return thin_lens(aperture * to_sensor_mm * width / sensor_width_mm, focus_distance)


def aperture_diameter(f_number: float, focal_length_mm: float) -> float:
    """Return the diameter of a lens' entrance pupil, A = f/N, in metres.

    With the focal length in pixels of a calibrated camera it gives the strength, K = A v.

    Raises:
        UsageError: a number is out of its range.
    """
    _check_f_number(f_number)
    if not 0 < focal_length_mm < math.inf:
        raise UsageError(f"a focal length of {focal_length_mm} mm; expected more than 0")
    return focal_length_mm / f_number / 1000


def stated_lens(exif: Exif, camera: Camera) -> ThinLens | None:
    """Return the lens that a photo states, or None where it does not state all of it.

    The aperture is f / N, whatever the size at which the photo is looked at.

    Args:
        exif: f-number, focal length in mm and focus distance in metres are asked for.
        camera: of the photo at the size at which it is looked at.
    """
    stated = (exif.f_number, exif.focal_length_mm, exif.focus_distance)
    numbers = [number for number in stated if number is not None and 0 < number < math.inf]
    if len(numbers) < len(stated):
        return None
    f_number, focal_length_mm, focus_distance = numbers
    return thin_lens(aperture_diameter(f_number, focal_length_mm) * camera.fx, focus_distance)


def f_number_of(lens: ThinLens, camera: Camera, sensor_width_mm: float = 36.0) -> float:
    """Return the N with which `camera_lens` gives this lens; lengths must be metres.

    Raises:
        UsageError: the lens has no aperture, or the sensor no width.
    """
    to_sensor = _to_sensor_mm(camera, sensor_width_mm) / 1000
    focal_length = 1 / (1 / to_sensor + float(lens.inverse_focus))
    return focal_length * camera.fx / open_strength(lens)


def open_strength(lens: ThinLens) -> float:
    """Return K as a number.

    Raises:
        UsageError: it is 0, which no f-number describes.
    """
    strength = float(lens.strength)
    if not strength > 0:
        raise UsageError(f"a lens of strength {strength} has no aperture; expected more than 0")
    return strength


def signed_coc(depth: Float[Tensor, "*n"], lens: ThinLens) -> Float[Tensor, "*n"]:
    """Return K (1/s - 1/z), in px: positive behind the focus, negative before it.

    Its size is the diameter of the circle of confusion. Infinite depth is sky, blurred by K/s. A
    depth that is NaN, negative or below `NEAREST` is unknown: 0, the identity, without gradient.

    Args:
        depth: along the optical axis, in the unit of the scene.
        lens: differentiable in both of its numbers.
    """
    known = depth > NEAREST
    # Chosen before the division, so that no 1 / 0 enters the backward pass.
    nearness = 1 / torch.where(known, depth, 1)
    coc = lens.strength.to(depth) * (lens.inverse_focus.to(depth) - nearness)
    return torch.where(known, coc, 0)


def sharp_range(lens: ThinLens, coc: float) -> tuple[float, float]:
    """Return the nearest and the farthest depth whose circle of confusion is at most `coc` px.

    The farthest is infinite from the hyperfocal distance on; the whole range is, for K = 0.

    Raises:
        UsageError: the bound is not more than 0.
    """
    _check_bound(coc)
    strength, inverse_focus = float(lens.strength), float(lens.inverse_focus)
    reach = coc / strength if strength > 0 else math.inf
    farthest = inverse_focus - reach
    return 1 / (inverse_focus + reach), 1 / farthest if farthest > 0 else math.inf


def hyperfocal_distance(lens: ThinLens, coc: float) -> float:
    """Return the nearest focus distance at which infinity is within `coc` px: H = K / c.

    In photographers' numbers H = f²/(N c) + f. What is farther than H/2 is within the bound then.

    Raises:
        UsageError: the bound is not more than 0.
    """
    _check_bound(coc)
    return float(lens.strength) / coc


def _check_f_number(f_number: float) -> None:
    if not 0 < f_number < math.inf:
        raise UsageError(f"an f-number of {f_number}; expected more than 0")


def _check_bound(coc: float) -> None:
    if not coc > 0:
        raise UsageError(f"a circle of confusion of at most {coc} px; expected more than 0")


def _to_sensor_mm(camera: Camera, sensor_width_mm: float) -> float:
    if not 0 < sensor_width_mm < math.inf:
        raise UsageError(f"a sensor {sensor_width_mm} mm wide; expected more than 0")
    return camera.fx * sensor_width_mm / camera.width
