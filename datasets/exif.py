"""What a photograph says of its own making.

Source: CIPA DC-008 (Exif 3.0), attribute information.
"""

import math

from PIL import Image
from PIL.ExifTags import IFD, Base

from recon.types import Exif

# How each orientation leads to the upright picture; 1 is upright already.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNS_SIDEWAYS = {5, 6, 7, 8}


def read_exif(image: Image.Image) -> Exif:
    """Read the lens settings; what is absent, zero or infinite stays None."""
    tags = image.getexif().get_ifd(IFD.Exif)

    def number(tag: Base) -> float | None:
        value = tags.get(tag)
        value = value[0] if isinstance(value, tuple) and value else value
        try:
            number = float(value)
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        return number if math.isfinite(number) and number > 0 else None

    distance = number(Base.SubjectDistance)
    return Exif(
        f_number=number(Base.FNumber),
        focal_length_mm=number(Base.FocalLength),
        focal_length_35mm=number(Base.FocalLengthIn35mmFilm),
        # A numerator of all ones means infinity, which is no distance to focus at.
        focus_distance=distance if distance is not None and distance < 4e9 else None,
        exposure_seconds=number(Base.ExposureTime),
        iso=number(Base.ISOSpeedRatings),
    )


def orientation(image: Image.Image) -> int:
    """Return the orientation tag, 1 to 8; 1 where it is absent or nonsense."""
    value = image.getexif().get(Base.Orientation, 1)
    return value if value in UPRIGHT else 1
