"""From a KITTI drive, read from either layout, to what every reader hands over."""

import contextlib
from collections.abc import Sequence

import numpy as np

from recon.datasets.drive_source import DriveOptions, SourceSweep
from recon.datasets.drive_steps import choose_steps
from recon.datasets.kitti_drive import KittiCamera, KittiDrive, number_of
from recon.datasets.kitti_sweep import KittiSweep
from recon.datasets.kitti_tracklets import boxes_of
from recon.datasets.photo_header import read_header
from recon.datasets.poses import from_camera_to_world
from recon.datasets.source import SourceCapture, SourceView
from recon.datasets.stereo import StereoDepth
from recon.errors import DataError

EYES = {0: "left, grey", 1: "right, grey", 2: "left, in colour", 3: "right, in colour"}
BY_DEFAULT = (2, 0, 3, 1)
"""The left camera, in colour if there is one."""


def to_source(drive: KittiDrive, kind: str, options: DriveOptions) -> SourceCapture:
    """Choose the cameras and time steps asked for, and translate them.

    Raises:
        DataError: a camera has no photo or calibration, or a frame no pose.
        UsageError: an option is out of its range.
    """
    notes: list[str] = []
    names = choose_cameras(drive, options.cameras, notes)
    cameras = [camera_of(drive, name) for name in names]
    numbers = sorted({frame for name in names for frame in drive.photos[name]})
    steps = choose_steps(numbers[-1] + 1, options)
    frames = [frame for frame in numbers if frame in steps]
    check_poses(drive, frames)
    if len(frames) < len(numbers):
        notes.append(f"{len(frames)} of {len(numbers)} time steps")
    if not drive.times:
        notes.append("nobody says when the photos were taken: 10 a second are assumed")
    views = [view for camera in cameras for view in views_of(drive, camera, frames, notes)]
    return SourceCapture(
        drive.path,
        kind,
        views,
        metric=True,
        notes=notes,
        warnings=list(drive.warnings),
        lidar=sweeps_of(drive, names, frames, views),
        boxes=boxes_of(drive, frames),
    )


def sweeps_of(
    drive: KittiDrive, names: Sequence[str], frames: Sequence[int], views: Sequence[SourceView]
) -> list[SourceSweep]:
    """Return the sweeps of frames, each with the photos of its own frame."""
    laser = drive.velodyne_to_reference
    if laser is None:
        return []
    together: dict[int | None, list[SourceView]] = {}
    for view in views:
        together.setdefault(view.step, []).append(view)
    return [
        KittiSweep(
            drive.time(frame),
            frame,
            ("velodyne",),
            tuple(names),
            drive.velodyne[frame],
            drive.poses[frame] @ laser,
            tuple(together[frame]),
            recorded=False,
        )
        for frame in frames
        if frame in drive.velodyne
    ]


def choose_cameras(drive: KittiDrive, wanted: Sequence[str], notes: list[str]) -> list[str]:
    """Return the folders of the cameras to read; one of them where nobody says which.

    Raises:
        DataError: there is no such folder, or no photo in it.
    """
    folders = {number_of(name): name for name in drive.photos}
    there = ", ".join(drive.photos)
    chosen = []
    for name in wanted:
        number = number_of(name)
        if number is None or number not in folders:
            raise DataError(f"{drive.path}: no camera {name}; --drive.cameras can name {there}.")
        chosen.append(folders[number])
    if not wanted:
        number = next(number for number in BY_DEFAULT if number in folders)
        chosen = [folders[number]]
        if len(folders) > 1:
            notes.append(
                f"{chosen[0]} alone ({EYES[number]}), of {there}; --drive.cameras takes others"
            )
    for name in chosen:
        if not drive.photos[name]:
            raise DataError(
                f"{drive.path / name}: no photo whose name is a number; put the photos there, or "
                "read other cameras with --drive.cameras."
            )
    return sorted(set(chosen))


def camera_of(drive: KittiDrive, name: str) -> KittiCamera:
    """Return a camera, its size taken from the first photo that can be read.

    Raises:
        DataError: none can, or the camera has no calibration.
    """
    photos = list(drive.photos[name].values())
    for photo in photos:
        with contextlib.suppress(DataError):
            header = read_header(photo)
            return drive.camera(name, header.width, header.height)
    header = read_header(photos[0])
    return drive.camera(name, header.width, header.height)


def check_poses(drive: KittiDrive, frames: Sequence[int]) -> None:
    """Refuse photos without a pose.

    Raises:
        DataError: names the first.
    """
    lost = next((frame for frame in frames if frame not in drive.poses), None)
    if lost is not None:
        covered = f", or read only what they cover, with --drive.frames 0 {lost - 1}"
        raise DataError(
            f"{drive.poses_from}: {len(drive.poses)} poses, and none of them for frame {lost}, of "
            f"which there is a photo; download the poses again{covered if lost else ''}."
        )


def views_of(
    drive: KittiDrive, camera: KittiCamera, frames: Sequence[int], notes: list[str]
) -> list[SourceView]:
    """Translate one camera's photos."""
    photos = drive.photos[camera.name]
    depths = stereo_depths(drive, camera, notes)
    return [
        SourceView(
            name=photos[frame].relative_to(drive.path).as_posix(),
            image=photos[frame],
            world_to_camera=world_to_camera(drive, camera, frame),
            intrinsics=camera.intrinsics,
            depth=depths.get(frame),
            sensor=camera.name,
            time=drive.time(frame),
            step=frame,
        )
        for frame in frames
        if frame in photos
    ]


def world_to_camera(drive: KittiDrive, camera: KittiCamera, frame: int) -> np.ndarray:
    """Return a camera's pose; one that cannot be used stays so, for the checks that follow."""
    pose = from_camera_to_world(drive.poses[frame])
    pose[:3, 3] += camera.from_reference
    return pose


def stereo_depths(
    drive: KittiDrive, camera: KittiCamera, notes: list[str]
) -> dict[int, StereoDepth]:
    """Return the depth of a left camera's photos that have a right-hand twin, by frame."""
    number = number_of(camera.name)
    twin = next(
        (name for name in drive.photos if number in (0, 2) and number_of(name) == number + 1), None
    )
    if twin is None or drive.projection.format(number_of(twin)) not in drive.calibration:
        return {}
    right = drive.camera(twin, camera.intrinsics.width, camera.intrinsics.height)
    baseline = float(camera.from_reference[0] - right.from_reference[0])
    pairs = drive.photos[camera.name].keys() & drive.photos[twin].keys()
    if not pairs or baseline <= 0:
        return {}
    notes.append(
        f"depth of {camera.name} by stereo matching with {twin}, {baseline:.3f} m to its right; "
        "it is not measured"
    )
    return {
        frame: StereoDepth(
            drive.photos[camera.name][frame],
            drive.photos[twin][frame],
            camera.intrinsics.fx * baseline,
            camera.intrinsics.cx - right.intrinsics.cx,
        )
        for frame in pairs
    }
