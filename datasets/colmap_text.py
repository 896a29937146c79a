"""COLMAP's text files: cameras.txt, images.txt, points3D.txt.

Source: COLMAP's documentation, "Output Format".
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recon.datasets.colmap_model import ColmapCamera, ColmapImage, ColmapModel, ColmapPoints
from recon.errors import DataError


def read_text(folder: Path) -> ColmapModel:
    """Read a sub-model.

    Raises:
        DataError: a line cannot be read; the message names file and line.
    """
    return ColmapModel(
        read_cameras(folder / "cameras.txt"),
        read_images(folder / "images.txt"),
        read_points(folder / "points3D.txt"),
    )


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines, without comments; empty lines count, for images.txt needs them."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.startswith("#"):
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a text file ({error}); export the model again.") from error


def broken(path: Path, number: int, expected: str) -> DataError:
    """Return the error that says which line does not make sense."""
    return DataError(f"{path}, line {number}: expected {expected}; export the model again.")


def read_cameras(path: Path) -> dict[int, ColmapCamera]:
    """Read cameras.txt."""
    cameras = {}
    for number, line in lines(path):
        if not line:
            continue
        words = line.split()
        try:
            camera = ColmapCamera(
                int(words[0]),
                words[1],
                int(words[2]),
                int(words[3]),
                tuple(map(float, words[4:])),
            )
        except (ValueError, IndexError) as error:
            raise broken(path, number, "CAMERA_ID MODEL WIDTH HEIGHT PARAMS...") from error
        cameras[camera.number] = camera
    return cameras


def read_images(path: Path) -> list[ColmapImage]:
    """Read images.txt: a line for each pose; the line of observations after it is passed over."""
    images = []
    rows = lines(path)
    for number, line in rows:
        if not line:
            continue
        words = line.split(maxsplit=9)
        try:
            qw, qx, qy, qz, tx, ty, tz = map(float, words[1:8])
            images.append(
                ColmapImage(int(words[0]), (qw, qx, qy, qz), (tx, ty, tz), int(words[8]), words[9])
            )
        except (ValueError, IndexError) as error:
            expected = "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"
            raise broken(path, number, expected) from error
        next(rows, None)
    return images


def read_points(path: Path) -> ColmapPoints:
    """Read points3D.txt, without the tracks; a missing file holds no points."""
    positions, colors = [], []
    for number, line in lines(path) if path.is_file() else ():
        if not line:
            continue
        words = line.split(maxsplit=7)
        try:
            positions.append([float(word) for word in words[1:4]])
            colors.append([np.uint8(int(word)) for word in words[4:7]])
        except (ValueError, OverflowError) as error:
            raise broken(path, number, "POINT3D_ID X Y Z R G B ERROR TRACK...") from error
        if len(words) < 8:
            raise broken(path, number, "POINT3D_ID X Y Z R G B ERROR TRACK...")
    return ColmapPoints(
        np.array(positions, np.float64).reshape(-1, 3), np.array(colors, np.uint8).reshape(-1, 3)
    )
