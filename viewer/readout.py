"""What a lens does, in words for a photographer."""

import math

from recon.optics import f_number_of, hyperfocal_distance, sharp_range
from recon.types import Camera
from recon.viewer.look import LensDial, sharp_bound


def lens_words(dial: LensDial, camera: Camera, metric: bool) -> str:
    """Say from where to where the lens is sharp, and how wide it is.

    Args:
        dial: the lens as it is set.
        camera: of the picture at rest.
        metric: whether lengths are metres; without them there is no f-number.
    """
    lens = dial.lens(camera)
    if lens is None:
        return "Everything is sharp."
    bound, unit = sharp_bound(camera), " m" if metric else ""
    near, far = sharp_range(lens, bound)
    lines = [
        f"Sharp from **{length(near)}{unit}** to **{length(far)}{unit if far < math.inf else ''}**",
        f"Hyperfocal distance **{length(hyperfocal_distance(lens, bound))}{unit}**",
    ]
    if float(lens.strength) > 0 and metric:
        number = f_number_of(lens, camera, dial.sensor_width(camera))
        aperture = 1000 * float(lens.strength) / camera.fx
        lines.append(f"Aperture **{aperture:.3g} mm**, f/{number:.3g}")
    blur = float(lens.strength) * float(lens.inverse_focus) / camera.width
    lines.append(f"The far distance blurs to {blur:.2%} of the width")
    return "  \n".join(lines)


def length(value: float) -> str:
    """Write a length in three digits."""
    return "infinity" if value == math.inf else f"{value:.3g}"
