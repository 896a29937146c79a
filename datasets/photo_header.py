"""What can be known of a photo without decoding it, and whether the file is whole."""

import os
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path

from PIL import Image

from recon.datasets.exif import TURNS_SIDEWAYS, orientation, read_exif
from recon.datasets.folders import is_file
from recon.datasets.stored_image import ImageSource, open_bytes
from recon.errors import DataError
from recon.types import Exif

# The marker that ends a file, looked for in its last bytes because some programs append to it.
END_MARKERS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
TAIL = 4096


@dataclass(frozen=True)
class PhotoHeader:
    """The grid of pixels as stored, before any orientation tag, and the lens settings."""

    width: int
    height: int
    sideways: bool
    """Whether the orientation tag turns the photo by a quarter."""
    transparent: bool
    exif: Exif


def read_header(path: ImageSource) -> PhotoHeader:
    """Read a photo's header.

    Raises:
        DataError: the file is missing, no image, or cut off.
    """
    if isinstance(path, Path) and not is_file(path):
        raise DataError(f"{path}: no such file; put the photo there or take its entry out.")
    try:
        with open_bytes(path) as file, Image.open(file) as image:
            if not ends_well(file, image.format):
                image.load()
            return PhotoHeader(
                image.width,
                image.height,
                orientation(image) in TURNS_SIDEWAYS,
                image.has_transparency_data,
                read_exif(image),
            )
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def unreadable(path: ImageSource, error: Exception) -> DataError:
    """Return the error of a photo that cannot be decoded."""
    return DataError(
        f"{path}: cannot be read as an image ({error}); copy it again, or take its entry out."
    )


def ends_well(file: BytesIO | BufferedReader, kind: str | None) -> bool:
    """Say whether a file ends as its kind ends; a quick test, so that most need no decoding."""
    marker = END_MARKERS.get(kind or "")
    if marker is None:
        return False
    place, size = file.tell(), file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL))
    found = marker in file.read()
    file.seek(place)
    return found
