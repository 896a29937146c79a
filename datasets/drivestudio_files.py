"""The small files of a folder that drivestudio has prepared: photos by name, numbers as text."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.datasets.poses import checked_pose
from recon.errors import DataError

PHOTO = re.compile(r"(\d{1,9})_(\d{1,3})\.(?:jpg|jpeg|png)", re.ASCII)
"""Time step and camera."""

Photos = Mapping[int, Mapping[int, Path]]
"""By camera, then by time step."""


def photos_in(folder: Path) -> Photos:
    """Return the photos of a folder; other files in it are ignored."""
    found: dict[int, dict[int, Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (name := PHOTO.fullmatch(file.name)) is not None:
            found.setdefault(int(name[2]), {})[int(name[1])] = file
    return {camera: found[camera] for camera in sorted(found)}


def read_matrix(file: Path, remedy: str) -> Float64[np.ndarray, "4 4"]:
    """Read a pose, its rotation made exact: the world's origin can be far.

    Args:
        file: four lines of four numbers.
        remedy: what else can be done than to copy the file again.

    Raises:
        DataError: the file is missing, or holds no rigid transform.
    """
    numbers = read_numbers(file, (16,), remedy)
    try:
        return checked_pose(numbers.reshape(4, 4))
    except DataError as error:
        raise DataError(f"{file}: {error}; {remedy}.") from error


def read_numbers(file: Path, counts: Sequence[int], remedy: str) -> Float64[np.ndarray, " n"]:
    """Read as many numbers as a file must hold, separated by blanks.

    Raises:
        DataError: the file is missing, or holds something else.
    """
    try:
        words = file.read_text(encoding="utf-8").split()
        numbers = np.array([float(word) for word in words])
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file; copy it again, or {remedy}.") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: no numbers as text ({str(error)[:80]}); copy it again, or {remedy}."
        ) from error
    if len(numbers) not in counts or not np.isfinite(numbers).all():
        raise DataError(
            f"{file}: {len(numbers)} numbers, expected {' or '.join(map(str, counts))} finite "
            f"ones; copy it again, or {remedy}."
        )
    return numbers
