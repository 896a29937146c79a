"""From image files to arrays of numbers."""

import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from recon.datasets.exif import UPRIGHT, orientation
from recon.datasets.photo_header import unreadable
from recon.datasets.stored_image import ImageSource, open_bytes
from recon.errors import DataError


def decode(
    path: ImageSource, upright: bool, background: tuple[float, float, float]
) -> UInt8[np.ndarray, "h w 3"]:
    """Decode any photo to 8 bit sRGB: grey is repeated, 16 bit rounded, transparency filled.

    Raises:
        DataError: the file is missing, cut off or no image.
    """
    try:
        with open_bytes(path) as file, Image.open(file) as image:
            if upright and orientation(image) in UPRIGHT:
                return to_rgb(image.transpose(UPRIGHT[orientation(image)]), background)
            return to_rgb(image, background)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; put the photo back where it was.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def to_rgb(
    image: Image.Image, background: tuple[float, float, float]
) -> UInt8[np.ndarray, "h w 3"]:
    """Turn any kind of pixels into 8 bit sRGB."""
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float64) / 257
        return np.repeat(np.clip(np.rint(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)
    if image.mode == "F":
        raise ValueError("floating-point pixels, of which nobody says where white is")
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA")).astype(np.float32)
        alpha = rgba[..., 3:] / 255
        behind = np.array(background, np.float32) * 255
        return np.rint(rgba[..., :3] * alpha + behind * (1 - alpha)).astype(np.uint8)
    return np.array(image.convert("RGB"))


def decode_values(path: Path) -> np.ndarray:
    """Decode the numbers of a one-channel image, of a colour image its brightness."""
    try:
        with Image.open(path) as image:
            single = image.mode in {"1", "L", "F"} or image.mode.startswith("I")
            return np.asarray(image if single else image.convert("L"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; put it back or take its entry out.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise unreadable(path, error) from error


def decode_depth(path: Path) -> Float64[np.ndarray, "h w"]:
    """Read stored depth values: any one-channel image, or .npy without pickled objects."""
    if path.suffix.lower() != ".npy":
        return decode_values(path).astype(np.float64)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: not a plain array of numbers ({error}); save it with numpy.save, no objects."
        ) from error
    values = np.squeeze(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: expected depth as numbers of shape (height, width), "
            f"found {values.dtype} of shape {values.shape}."
        )
    return np.asarray(values, np.float64)
