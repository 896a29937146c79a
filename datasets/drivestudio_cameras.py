"""The cameras of a folder that drivestudio has prepared.

Waymo's extrinsics have a camera look along its x axis with z up; those of Argoverse 2, KITTI and
nuPlan are OpenCV's, along z with y down. Nothing says which, but in each a camera stands upright on
its car, so the axis that points up tells.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.camera import Intrinsics
from recon.datasets.drivestudio_files import Photos, read_matrix, read_numbers
from recon.datasets.folders import is_file
from recon.datasets.photo_header import read_header
from recon.datasets.poses import from_camera_to_world
from recon.datasets.source import SourceView
from recon.datasets.waymo_segment import CAMERAS, lens_of
from recon.errors import DataError

Pose = Float64[np.ndarray, "4 4"]

WAYMO_TO_OPENCV = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
UPRIGHT = 0.7
"""Cosine of the largest angle between a camera's up direction and its car's."""
OFF_CENTRE = 0.25
"""Of the photo's width; a principal point farther from its middle belongs to other photos."""
MOVING = ("fine_dynamic_masks/all", "dynamic_masks/all", "dynamic_masks")
"""Segmented, or where there are none, the rectangles around boxes of what moves; as drivestudio has
them, or as EmerNeRF does."""
OTHERS = "read other cameras with --drive.cameras"


@dataclass(frozen=True, eq=False)
class DrivestudioCamera:
    """A camera and its photos."""

    name: str
    photos: Mapping[int, Path]
    """By time step."""
    intrinsics: Intrinsics
    camera_to_vehicle: Pose
    """With OpenCV's axes on the camera's side."""


def is_waymo(path: Path, numbers: Sequence[int]) -> bool:
    """Say whether extrinsics have Waymo's axes on the camera's side, from the first that is there.

    Raises:
        DataError: there is none, or it says nothing.
    """
    for number in numbers:
        with suppress(DataError):
            return looks_along_x(path, number)
    return looks_along_x(path, numbers[0])


def looks_along_x(path: Path, number: int) -> bool:
    """Say whether a camera's z axis points up on its car, not its negative y axis.

    Raises:
        DataError: the extrinsic is missing or malformed, or neither axis does.
    """
    file = extrinsic_file(path, number)
    _, y_up, z_up = read_matrix(file, OTHERS)[2, :3] * [1, -1, 1]
    if max(y_up, z_up) < UPRIGHT:
        raise DataError(
            f"{file}: neither the z axis nor the negative y axis of the camera points up on the "
            f"car (by {z_up:.2f} and {y_up:.2f} of 1), so its axes are not known; {OTHERS}."
        )
    return bool(z_up > y_up)


def extrinsic_file(path: Path, number: int) -> Path:
    """Return where a camera's extrinsic is.

    Raises:
        DataError: there is one for each frame instead.
    """
    file = path / "extrinsics" / f"{number}.txt"
    if not is_file(file) and any(file.parent.glob(f"*_{number}.txt")):
        raise DataError(
            f"{file.parent}: an extrinsic for each frame, as drivestudio writes of nuScenes and "
            "PandaSet, which is not read; only those of Waymo, Argoverse 2, KITTI and nuPlan are."
        )
    return file


def camera_name(number: int, waymo: bool) -> str:
    """Return Waymo's name of a camera that drivestudio counts from 0, or its number."""
    return CAMERAS.get(number + 1, f"CAMERA_{number}") if waymo else f"CAMERA_{number}"


def camera_of(path: Path, number: int, waymo: bool, photos: Photos) -> DrivestudioCamera:
    """Read a camera's extrinsic and its lens; its size is that of the first photo that is sound.

    Raises:
        DataError: a file is missing or malformed, or does not fit the photos.
    """
    if looks_along_x(path, number) != waymo:
        raise DataError(
            f"{extrinsic_file(path, number)}: the camera has other axes than the others; {OTHERS}."
        )
    pose = read_matrix(extrinsic_file(path, number), OTHERS)
    file = path / "intrinsics" / f"{number}.txt"
    numbers = read_numbers(file, (9,), OTHERS)
    width, height = size_of(list(photos[number].values()))
    if min(numbers[:2]) <= 0 or abs(numbers[2] - width / 2) > OFF_CENTRE * width:
        fx, fy, cx, _ = numbers[:4].tolist()
        raise DataError(
            f"{file}: focal lengths of {fx:g} and {fy:g} and a principal point at x = {cx:g} do "
            f"not fit photos {width} pixels wide. Where the photos were resized, scale the first "
            f"four numbers as well, or {OTHERS}."
        )
    return DrivestudioCamera(
        camera_name(number, waymo),
        photos[number],
        lens_of(width, height, numbers.tolist()),
        pose @ WAYMO_TO_OPENCV if waymo else pose,
    )


def size_of(photos: Sequence[Path]) -> tuple[int, int]:
    """Return the width and height of the first photo that can be read.

    Raises:
        DataError: none can.
    """
    for photo in photos:
        with suppress(DataError):
            header = read_header(photo)
            return header.width, header.height
    header = read_header(photos[0])
    return header.width, header.height


def views_of(
    path: Path, camera: DrivestudioCamera, cars: Mapping[int, Pose], times: Mapping[int, float]
) -> list[SourceView]:
    """Return a camera's views at the time steps that have a car's pose."""
    moving = next((name for name in MOVING if (path / name).is_dir()), MOVING[-1])
    return [
        SourceView(
            str(photo.relative_to(path)),
            photo,
            from_camera_to_world(cars[step] @ camera.camera_to_vehicle),
            camera.intrinsics,
            sensor=camera.name,
            time=times[step],
            step=step,
            sky=mask(path / "sky_masks", photo),
            moving=mask(path / moving, photo),
        )
        for step, photo in camera.photos.items()
        if step in cars
    ]


def mask(folder: Path, photo: Path) -> Path | None:
    """Return a photo's mask in a folder, if it is there."""
    file = folder / f"{photo.stem}.png"
    return file if is_file(file) else None
