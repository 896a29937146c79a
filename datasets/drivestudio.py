"""Folders that drivestudio or EmerNeRF have prepared, above all of Waymo segments.

For each time step there is one pose of the car, which holds for all its photos and points.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from recon.datasets.drive_cameras import choose_cameras, with_photos
from recon.datasets.drive_source import DriveOptions, SourceBoxes
from recon.datasets.drive_steps import choose_steps
from recon.datasets.drivestudio_boxes import read_boxes
from recon.datasets.drivestudio_cameras import camera_name, camera_of, is_waymo, views_of
from recon.datasets.drivestudio_files import Photos, photos_in, read_matrix
from recon.datasets.drivestudio_sweep import DrivestudioSweep
from recon.datasets.source import Reader, ReadOptions, SourceCapture, SourceView
from recon.datasets.waymo_segment import LASERS
from recon.errors import DataError

SECONDS = 0.1
"""From one time step to the next; the folder does not say."""


class DrivestudioReader(Reader):
    """Reads images, ego_pose, extrinsics, intrinsics, lidar, masks and instances."""

    name: ClassVar[str] = "drivestudio"
    needs: ClassVar[str] = (
        "images/000_0.jpg and more, ego_pose, extrinsics and intrinsics, as drivestudio prepares "
        "Waymo segments"
    )

    def recognises(self, path: Path) -> bool:
        """Say whether there are photos, extrinsics and intrinsics."""
        return all((path / name).is_dir() for name in ("images", "extrinsics", "intrinsics"))

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read a drive."""
        photos = photos_in(path / "images")
        if not photos:
            raise DataError(
                f"{path / 'images'}: no photo such as 000_0.jpg, which is time step and camera; "
                "put the photos there."
            )
        return to_source(path, photos, options.drive)


def to_source(path: Path, photos: Photos, options: DriveOptions) -> SourceCapture:
    """Choose the cameras and time steps asked for, and translate them.

    Raises:
        DataError: a pose or a lens is missing or malformed.
        UsageError: an option is out of its range.
    """
    waymo = is_waymo(path, list(photos))
    numbers = {camera_name(number, waymo): number for number in photos}
    sensors = choose_cameras(path / "images", list(numbers), options.cameras)
    cameras = [camera_of(path, numbers[name], waymo, photos) for name in sensors]
    there = sorted({step for of_camera in photos.values() for step in of_camera})
    wanted = choose_steps(there[-1] + 1, options)
    steps = [step for step in there if step in wanted]
    cars = {step: car_pose(path, step, there) for step in steps}
    times = {step: SECONDS * (step - there[0]) for step in there}
    warnings: list[str] = []
    found = [view for camera in cameras for view in views_of(path, camera, cars, times)]
    views = with_photos(found, steps, warnings)
    lidar = sweeps_of(path, cars, views, sensors, times) if waymo else []
    return SourceCapture(
        path,
        DrivestudioReader.name,
        views,
        metric=True,
        notes=[
            f"{len(steps)} of {len(there)} time steps, {SECONDS} s apart, as nobody says more",
            "photos have the car's pose of their time step, as there is no other: those taken "
            "earlier or later are off by what the car drove between",
            *tell_of_masks(views),
            tell_of_lidar(path, waymo, len(lidar), len(steps)),
        ],
        warnings=warnings,
        lidar=list(lidar),
        boxes=boxes_of(path, steps, times, warnings),
    )


def car_pose(path: Path, step: int, there: Sequence[int]) -> Float64[np.ndarray, "4 4"]:
    """Read the pose of the car at a time step.

    Raises:
        DataError: it is missing or malformed.
    """
    file = path / "ego_pose" / f"{step:03d}.txt"
    before, after = (there[0], step - 1), (step + 1, there[-1])
    first, last = before if before[1] - before[0] > after[1] - after[0] else after
    remedy = f"read time steps without it, such as --drive.frames {first} {last}"
    return read_matrix(file, remedy if first <= last else "take its photos away")


def sweeps_of(
    path: Path,
    cars: dict[int, Float64[np.ndarray, "4 4"]],
    views: list[SourceView],
    sensors: tuple[str, ...],
    times: dict[int, float],
) -> list[DrivestudioSweep]:
    """Return the sweeps of the time steps that have one."""
    files = {step: path / "lidar" / f"{step:03d}.bin" for step in cars}
    return [
        DrivestudioSweep(
            times[step],
            step,
            tuple(LASERS.values()),
            sensors,
            file,
            cars[step],
            tuple(view for view in views if view.step == step),
            recorded=False,
        )
        for step, file in files.items()
        if file.is_file()
    ]


def tell_of_lidar(path: Path, waymo: bool, count: int, steps: int) -> str:
    """Say what becomes of the LiDAR."""
    if not waymo:
        return "no LiDAR: it is read of Waymo segments only, and here cameras look along z"
    if count == 0:
        return f"no LiDAR: nothing for these time steps in {path / 'lidar'}"
    return (
        f"LiDAR in {count} of {steps} time steps; its points are found in the photos by "
        "projection, and what lies behind others is left out; on things that move they are off"
    )


def tell_of_masks(views: list[SourceView]) -> list[str]:
    """Say how many photos have masks."""
    sky = sum(view.sky is not None for view in views)
    moving = sum(view.moving is not None for view in views)
    return [
        f"{count} of {len(views)} photos have a mask of {what}"
        for count, what in ((sky, "the sky"), (moving, "what moves"))
    ]


def boxes_of(
    path: Path, steps: list[int], times: dict[int, float], warnings: list[str]
) -> list[SourceBoxes]:
    """Read the boxes; what is wrong with them becomes a warning."""
    try:
        return read_boxes(path, steps, times)
    except DataError as error:
        warnings.append(f"no boxes: {error}")
        return []
