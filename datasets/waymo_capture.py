"""From a Waymo segment, read from either generation of files, to what every reader hands over."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.datasets.drive_source import DriveOptions, SourceBoxes
from recon.datasets.drive_steps import choose_steps
from recon.datasets.poses import checked_pose, from_camera_to_world
from recon.datasets.source import SourceCapture, SourceView
from recon.datasets.waymo_segment import (
    CAMERAS,
    KINDS,
    CameraCalibration,
    CameraImage,
    Frame,
    Segment,
)
from recon.datasets.waymo_sweep import WaymoSweep
from recon.drive_types import RollingShutter
from recon.errors import DataError

CLOCKS = 0.5
"""Seconds that a photo may be from its frame; frames are 0.1 s apart."""
MIDDLE = 0.05
"""Seconds from a frame's time, when its sweep begins, to the middle of the sweep: that is what the
car's pose and the boxes are of."""
WAYMO_TO_OPENCV = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""From OpenCV's camera axes to Waymo's, so that camera_to_vehicle @ this has OpenCV's axes."""


def to_source(path: Path, kind: str, segment: Segment, options: DriveOptions) -> SourceCapture:
    """Choose the cameras and time steps asked for, and translate them.

    Raises:
        DataError: a camera asked for has no photo, or no frame is left.
        UsageError: an option is out of its range.
    """
    steps = choose_steps(len(segment.frames), options)
    cameras = choose_cameras(segment, options.cameras)
    warnings = list(segment.warnings)
    began = segment.frames[0].timestamp_micros * 1e-6
    chosen = [(step, segment.frames[step]) for step in steps]
    views = []
    for step, frame in chosen:
        for image in frame.images:
            if image.camera in cameras:
                apart = image.pose_time - frame.timestamp_micros * 1e-6
                if not abs(apart) <= CLOCKS:
                    warnings.append(
                        f"skipped {view_name(step, image.camera)}: its clock is {apart:.3f} s from "
                        f"its frame's, expected within {CLOCKS} s"
                    )
                    continue
                views.append(to_view(step, image, segment.cameras[image.camera], began))
    absent = sorted(set(segment.cameras) - set(cameras))
    if absent and not options.cameras:
        warnings.append(f"calibrated cameras without any photo: {', '.join(absent)}")
    return SourceCapture(
        path,
        kind,
        views,
        metric=True,
        notes=[f"segment {segment.name}, {len(steps)} of {len(segment.frames)} time steps"],
        warnings=warnings,
        lidar=[
            WaymoSweep(
                frame.timestamp_micros * 1e-6 - began,
                step,
                tuple(segment.lasers),
                cameras,
                f"{path}, time step {step}",
                frame,
                segment.lasers,
            )
            for step, frame in chosen
            if frame.scans is not None
        ],
        scene=segment.name,
        boxes=[to_boxes(step, frame, began) for step, frame in chosen if frame.objects is not None],
    )


def choose_cameras(segment: Segment, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the cameras to read, in Waymo's order.

    Raises:
        DataError: one that is asked for took no photo.
    """
    there = {image.camera for frame in segment.frames for image in frame.images}
    for name in wanted:
        if name not in there:
            raise DataError(
                f"segment {segment.name}: camera {name} has no photo; "
                f"--drive.cameras can name {', '.join(sorted(there)) or 'none'}."
            )
    chosen = set(wanted) or there
    unknown = sorted(chosen - set(segment.cameras))
    if unknown:
        raise DataError(
            f"segment {segment.name}: camera {unknown[0]} has photos and no calibration; download "
            "the calibration again, or name the others with --drive.cameras."
        )
    return tuple(name for name in CAMERAS.values() if name in chosen)


def view_name(step: int, camera: str) -> str:
    """Name a view by its camera and time step."""
    return f"{camera}/{step:04d}"


def to_view(step: int, image: CameraImage, camera: CameraCalibration, began: float) -> SourceView:
    """Translate a photo; its pose is that of the moment when its middle line was exposed.

    Waymo states the car's pose at a time a few milliseconds off, and how the car moved.
    """
    time, vehicle_to_world = image.pose_time, image.vehicle_to_world
    if image.exposure is not None and image.motion is not None:
        later = image.exposure.middle - time
        if abs(later) <= CLOCKS:
            time = image.exposure.middle
            vehicle_to_world = vehicle_to_world.copy()
            vehicle_to_world[:3, 3] += later * image.motion.linear
            turn = Rotation.from_rotvec(later * image.motion.angular).as_matrix()
            vehicle_to_world[:3, :3] = turn @ vehicle_to_world[:3, :3]
    camera_to_world = vehicle_to_world @ camera.camera_to_vehicle @ WAYMO_TO_OPENCV
    return SourceView(
        name=view_name(step, image.camera),
        image=image.image,
        world_to_camera=inverted(camera_to_world),
        intrinsics=camera.intrinsics,
        sensor=image.camera,
        time=time - began,
        step=step,
        shutter=rolling_shutter(image, camera, vehicle_to_world),
    )


def inverted(camera_to_world: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "4 4"]:
    """Invert a pose; one that cannot be used stays so, for the checks that follow.

    The world's origin can be far, so a rotation stored in float32 is made exact before its
    transpose is taken for its inverse.
    """
    try:
        return from_camera_to_world(checked_pose(camera_to_world))
    except DataError:
        return from_camera_to_world(camera_to_world)


def rolling_shutter(
    image: CameraImage, camera: CameraCalibration, vehicle_to_world: Float64[np.ndarray, "4 4"]
) -> RollingShutter | None:
    """Return how the camera moved during readout, where all of it is known."""
    if image.exposure is None or image.motion is None or camera.read_out is None:
        return None
    arm = vehicle_to_world[:3, :3] @ camera.camera_to_vehicle[:3, 3]
    linear = image.motion.linear + np.cross(image.motion.angular, arm)
    return RollingShutter(
        image.exposure.readout,
        camera.read_out,
        torch.from_numpy(linear).float(),
        torch.from_numpy(image.motion.angular).float(),
    )


def to_boxes(step: int, frame: Frame, began: float) -> SourceBoxes:
    """Place the boxes of a frame in the world."""
    objects = frame.objects
    assert objects is not None
    assert frame.vehicle_to_world is not None
    local = np.tile(np.eye(4), (len(objects.tracks), 1, 1))
    local[:, :3, :3] = Rotation.from_euler("z", objects.headings[:, None]).as_matrix()
    local[:, :3, 3] = objects.centers
    return SourceBoxes(
        frame.timestamp_micros * 1e-6 + MIDDLE - began,
        step,
        objects.tracks,
        tuple(KINDS.get(kind, "unknown") for kind in objects.kinds),
        frame.vehicle_to_world @ local,
        objects.sizes,
        objects.velocities,
    )
