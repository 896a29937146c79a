"""Our lens in the numbers of other programs, so that a scene looks the same in all of them.

The rasterizers widen each Gaussian by sigma = c/4, which matches the disc of a circle of confusion
of diameter c. Others widen it more for what they call the same lens: Spark by the radius, c/2, and
splat-transform by the diameter, c. So the numbers returned here describe an aperture half or a
quarter as wide as the real one, and the picture is ours.
"""

import math

from recon.errors import UsageError
from recon.optics import open_strength, thin_lens
from recon.types import Camera, ThinLens

SENSOR_HEIGHT = 0.024
"""Metres; splat-transform's default --sensor-size."""


def spark_aperture_angle(lens: ThinLens, camera: Camera) -> float:
    """Return Spark 2's `apertureAngle`, in radians, for its `focalDistance` at the lens' focus.

    Spark widens by fx tan(angle / 2) |z - s| / z.

    Raises:
        UsageError: the lens has no aperture, or focuses at infinity, which Spark cannot.
    """
    inverse_focus = float(lens.inverse_focus)
    if not inverse_focus > 0:
        raise UsageError("Spark has no focus at infinity; choose a focus distance")
    return 2 * math.atan(open_strength(lens) * inverse_focus / (4 * camera.fx))


def lens_of_spark(aperture_angle: float, focal_distance: float, camera: Camera) -> ThinLens:
    """Return the lens that draws what Spark does; the inverse of `spark_aperture_angle`.

    Raises:
        UsageError: the angle is not between 0 and pi, or the distance is not more than 0.
    """
    if not (0 <= aperture_angle < math.pi and 0 < focal_distance < math.inf):
        raise UsageError(
            f"an aperture angle of {aperture_angle} focused at {focal_distance}; expected an angle "
            "from 0 to pi and a distance of more than 0"
        )
    return thin_lens(4 * camera.fx * math.tan(aperture_angle / 2) * focal_distance, focal_distance)


def splat_transform_f_stop(
    lens: ThinLens, camera: Camera, sensor_height: float = SENSOR_HEIGHT
) -> float:
    """Return splat-transform's `--f-stop` for its `--focus-distance` at the lens' focus.

    It widens by f f_px / (N s) |1 - s/z|, where f = f_px sensor_height / height, in metres.

    Raises:
        UsageError: the lens has no aperture, or the sensor no height.
    """
    if not 0 < sensor_height < math.inf:
        raise UsageError(f"a sensor {sensor_height} m high; expected more than 0")
    focal_length = camera.fy * sensor_height / camera.height
    return 4 * focal_length * camera.fy / open_strength(lens)


def lens_of_splat_transform(
    f_stop: float, focus_distance: float, camera: Camera, sensor_height: float = SENSOR_HEIGHT
) -> ThinLens:
    """Return the lens that draws what splat-transform does; the inverse of the above.

    Raises:
        UsageError: a number is not more than 0.
    """
    if not (0 < f_stop < math.inf and 0 < sensor_height < math.inf):
        raise UsageError(
            f"f/{f_stop} on a sensor {sensor_height} m high; expected more than 0 of both"
        )
    focal_length = camera.fy * sensor_height / camera.height
    return thin_lens(4 * focal_length * camera.fy / f_stop, focus_distance)
