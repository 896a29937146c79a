"""The camera of a photo that stands alone, as the commands that look at such photos need it."""

import math
from pathlib import Path

import torch

from recon.errors import UsageError
from recon.types import Camera, Exif


def check_focal_px(focal_px: float | None) -> None:
    """Refuse what is no focal length.

    Raises:
        UsageError: it is given, and not more than 0 or not finite.
    """
    if focal_px is not None and not 0 < focal_px < math.inf:
        raise UsageError(f"--focal-px {focal_px}: expected more than 0.")


def stated_camera(exif: Exif, width: int, height: int, focal_px: float | None) -> Camera | None:
    """Return a photo's camera, or None where nobody says its focal length.

    Args:
        exif: of the photo; its 35 mm equivalent counts where no focal length is given.
        width: of the photo, in px.
        height: of the photo, in px.
        focal_px: as the user gives it.
    """
    focal = focal_px
    if focal is None and exif.focal_length_35mm is not None:
        focal = exif.focal_length_35mm / 36 * max(width, height)
    return None if focal is None else centred_camera(focal, width, height)


def centred_camera(focal: float, width: int, height: int) -> Camera:
    """Return the camera of a focal length that looks through the middle of its photo."""
    return Camera(torch.eye(4), focal, focal, width / 2, height / 2, width, height)


def no_focal_length(path: Path) -> UsageError:
    """Return what to say where metres are asked for without one."""
    return UsageError(
        f"{path}: its EXIF does not say the focal length, which metres need; give it in pixels "
        "with --focal-px."
    )
