"""From a reader's findings to a Capture: checks, sizes, the working frame, and the split."""

import math
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import torch
from jaxtyping import Bool, Float64

from recon.datasets.black_border import black_border
from recon.datasets.depth_points import depth_points
from recon.datasets.images import PhotoFile
from recon.datasets.lidar_points import lidar_points
from recon.datasets.moving import without_moving
from recon.datasets.place_drive import Resize, place_boxes, place_sweep
from recon.datasets.points import place_points
from recon.datasets.source import ReadOptions, SourceCapture
from recon.datasets.split import split_views, training_sweeps
from recon.datasets.stored_image import ImageSource
from recon.datasets.undistort import share_kept
from recon.datasets.usable_views import SMALLEST, Usable, distorted, transparent, usable_views
from recon.drive_types import moving_tracks
from recon.errors import DataError, UsageError
from recon.focal_stack import focal_stack
from recon.out_of_focus import out_of_focus
from recon.types import Capture, Exif, Similarity, View
from recon.words import counted

BLACK = (0.0, 0.0, 0.0)


Border = Bool[np.ndarray, "h w"]
CameraKey = tuple[str, int, int, bool]
"""Sensor, width, height, and whether its photos are turned."""


def finalise(source: SourceCapture, options: ReadOptions, start_points: bool = True) -> Capture:
    """Check, sort, resize, shift and split what a reader found.

    Views that cannot be used are left out with a warning.

    Raises:
        DataError: no view can be used.
        UsageError: an option is out of its range.
    """
    if not (math.isfinite(options.downscale) and options.downscale >= 1):
        raise UsageError(f"--downscale {options.downscale}: expected 1 (as it is) or more.")
    if options.size is not None and options.downscale != 1:
        raise UsageError("--size and --downscale both say how large photos are; give one.")
    if not (math.isfinite(options.drive.voxel) and options.drive.voxel > 0):
        raise UsageError(f"--drive.voxel {options.drive.voxel}: expected metres, more than 0.")
    notes, warnings = list(source.notes), list(source.warnings)
    usable = sorted(usable_views(source, warnings), key=lambda found: found.view.name)
    if not usable:
        reasons = "\n  ".join(warnings[:5]) or "the files list no view"
        raise DataError(f"{source.path}: no view can be used as {source.format}.\n  {reasons}")
    notes += describe(usable, source)
    borders = {} if options.keep_border else find_borders(usable, source.background, notes)
    centres = np.stack([centre(found.world_to_camera) for found in usable])
    offset = centres.mean(axis=0)
    views = tuple(
        build_view(found, offset, source, options, borders.get(camera_key(found)))
        for found in usable
    )
    check_sizes(views, options)
    names, steps = [view.name for view in views], [view.step for view in views]
    split = split_views(names, source.split, options, steps)
    swept = [sweep.step for sweep in source.lidar]
    split = replace(split, sweeps=training_sweeps(swept, split, steps, options.drive.lidar))
    boxes = tuple(place_boxes(found, offset) for found in source.boxes)
    moving = moving_tracks(boxes) if options.drive.moving == "mask" else frozenset()
    views = without_moving(views, boxes, moving, notes)
    points = source.points if options.start in ("points", "prior") else None
    own = options.start == "points" or (options.start == "prior" and bool(source.lidar))
    gather = start_points and points is None and own
    if gather:
        points = lidar_points(
            [source.lidar[i] for i in split.sweeps],
            {boxes.step: boxes.only(moving) for boxes in source.boxes},
            {(v.sensor, v.step): v.image for v in (usable[i].view for i in split.train)},
            options.drive.voxel,
            warnings,
        )
    # LiDAR sees all around, so only points that the source brings can tell of wrong poses.
    cloud = place_points(points, views if source.points else (), offset, warnings)
    if gather and points is None:
        cloud = depth_points([views[i] for i in split.train], notes, warnings)
    photos = {
        found.view.sensor: Resize(found.intrinsics, view.camera.width, view.camera.height)
        for found, view in zip(usable, views, strict=True)
    }
    trained = [views[i] for i in split.train]
    stack = focal_stack(trained) if source.metric else None
    blurred = out_of_focus(trained, cloud) if source.metric and not stack else None
    notes += [found.describe() for found in (stack, blurred) if found]
    return Capture(
        path=source.path,
        format=source.format,
        views=views,
        split=split,
        points=cloud,
        metric=source.metric,
        to_source=Similarity.shift(torch.from_numpy(offset)),
        background=source.background if transparent(usable) else BLACK,
        notes=tuple(notes),
        warnings=tuple(warnings),
        lidar=tuple(place_sweep(sweep, offset, photos) for sweep in source.lidar),
        boxes=boxes,
    )


def check_sizes(views: tuple[View, ...], options: ReadOptions) -> None:
    """Refuse to shrink photos beyond recognition.

    Raises:
        UsageError: a shrunk photo has a side of less than SMALLEST.
    """
    camera = min((view.camera for view in views), key=lambda c: min(c.width, c.height))
    if min(camera.width, camera.height) < SMALLEST:
        flag = f"--downscale {options.downscale:g}" if options.size is None else "--size"
        raise UsageError(
            f"{flag} leaves photos of {camera.width}x{camera.height} pixels; "
            f"expected {SMALLEST} or more on each side, so shrink them less."
        )


def centre(world_to_camera: Float64[np.ndarray, "4 4"]) -> Float64[np.ndarray, "3"]:
    """Return a camera's centre of projection."""
    return np.asarray(-world_to_camera[:3, :3].T @ world_to_camera[:3, 3])


def build_view(
    found: Usable,
    offset: Float64[np.ndarray, "3"],
    source: SourceCapture,
    options: ReadOptions,
    border: Border | None,
) -> View:
    """Build the view at the working resolution, in the working frame."""
    pose = found.world_to_camera.copy()
    pose[:3, 3] += pose[:3, :3] @ offset
    lens = found.intrinsics
    width, height = options.size or (
        max(1, round(side / options.downscale)) for side in (lens.width, lens.height)
    )
    photo = PhotoFile(
        found.view.image,
        lens,
        width,
        height,
        found.upright,
        source.background,
        found.view.mask,
        found.view.depth,
        border,
        found.view.sky,
        found.view.moving if options.drive.moving == "mask" else None,
    )
    return View(
        name=found.view.name,
        camera=lens.resized(width, height).pinhole(torch.from_numpy(pose).float()),
        photo=photo,
        exif=replace(found.header.exif, **stated(found.view.exif)),
        sensor=found.view.sensor,
        time=found.view.time,
        step=found.view.step,
        shutter=found.view.shutter,
    )


def camera_key(found: Usable) -> CameraKey:
    """Return what the photos of one camera have in common."""
    lens = found.intrinsics
    return (found.view.sensor, lens.width, lens.height, found.upright)


def find_borders(
    usable: list[Usable], background: tuple[float, float, float], notes: list[str]
) -> dict[CameraKey, Border]:
    """Find the black border of each camera whose photos came undistorted, and tell of it."""
    groups: dict[CameraKey, list[ImageSource]] = {}
    for found in usable:
        if found.intrinsics.distortion is None:
            groups.setdefault(camera_key(found), []).append(found.view.image)
    borders = {}
    for key, photos in groups.items():
        border = black_border(photos, key[3], background)
        if border is not None:
            borders[key] = border
            notes.append(
                f"a black border, the same in all {len(photos)} photos"
                f"{' of ' + key[0] if key[0] else ''} ({border.mean():.1%} of their pixels), is "
                "masked: undistortion leaves one (--keep-border uses it)"
            )
    return borders


def stated(exif: Exif) -> dict[str, float]:
    """Return the lens settings that are known, by name."""
    return {name: value for name, value in asdict(exif).items() if value is not None}


def describe(usable: list[Usable], source: SourceCapture) -> list[str]:
    """Tell of what is done to the photos on the way."""
    notes = []
    lenses = Counter(type(u.intrinsics.distortion).__name__ for u in usable if distorted(u))
    kept = min(share_kept(u.intrinsics) for u in usable)
    for name, count in lenses.items():
        notes.append(
            f"lens distortion ({name}) undone in {counted(count, 'view')}: focal length and "
            f"principal point stay, at least {kept:.0%} of each photo is kept, what it does not "
            "cover is masked"
        )
    resized = [u for u in usable if u.intrinsics.width != u.view.intrinsics.width]
    if resized:
        u = resized[0]
        notes.append(
            f"{len(resized)} photos are not of their camera's size (such as {u.view.name}, "
            f"{u.intrinsics.width}x{u.intrinsics.height} for {u.view.intrinsics.width}x"
            f"{u.view.intrinsics.height}): intrinsics scaled to the photos"
        )
    turned = sum(u.upright for u in usable)
    if turned:
        notes.append(
            f"{counted(turned, 'photo')} turned by their EXIF orientation, to fit their cameras"
        )
    if transparent(usable):
        named = {BLACK: "black", (1.0, 1.0, 1.0): "white"}
        color = named.get(source.background, f"sRGB {source.background}")
        notes.append(f"transparent photos are laid on {color}")
    return notes
