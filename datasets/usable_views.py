"""Which of the views that a reader found can be used, and why the others cannot."""

import math
from dataclasses import astuple, dataclass

import numpy as np
from jaxtyping import Float64

from recon.camera import Intrinsics
from recon.datasets.folders import is_file
from recon.datasets.photo_header import PhotoHeader, read_header
from recon.datasets.poses import checked_pose
from recon.datasets.source import SourceCapture, SourceView
from recon.datasets.undistort import share_kept
from recon.errors import DataError

LEAST_KEPT = 0.05
"""A lens that leaves less than this of a photo is wrong, or no lens for a pinhole."""
SMALLEST = 11
"""px; the window of SSIM."""


@dataclass(frozen=True, eq=False)
class Usable:
    """A view that passed every check."""

    view: SourceView
    world_to_camera: Float64[np.ndarray, "4 4"]
    intrinsics: Intrinsics
    """At the photo's own size."""
    header: PhotoHeader
    upright: bool


def usable_views(source: SourceCapture, warnings: list[str]) -> list[Usable]:
    """Keep the views that can be used; say of each other one why not."""
    kept: list[Usable] = []
    names: set[str] = set()
    for view in source.views:
        try:
            if view.name in names:
                raise DataError("its name came before; the first is kept")
            kept.append(check(view))
            names.add(view.name)
        except DataError as error:
            warnings.append(f"skipped {view.name}: {error}")
    return kept


def check(view: SourceView) -> Usable:
    """Check one view.

    Raises:
        DataError: pose, intrinsics, photo, depth or a mask cannot be used.
    """
    lens = view.intrinsics
    bent = () if lens.distortion is None else astuple(lens.distortion)
    numbers = (lens.fx, lens.fy, lens.cx, lens.cy, *bent)
    sizes = (lens.width, lens.height)
    if not all(map(math.isfinite, numbers)) or min(lens.fx, lens.fy, *sizes) <= 0:
        raise DataError(
            f"its camera is {lens.width}x{lens.height} with the parameters {numbers}; expected "
            "finite numbers and positive focal lengths and sizes"
        )
    pose = checked_pose(view.world_to_camera)
    if view.depth is not None:
        view.depth.check()
    files = {"mask": view.mask, "sky mask": view.sky, "mask of what moves": view.moving}
    for kind, path in files.items():
        if path is not None and not is_file(path):
            raise DataError(f"{path}: no such {kind}; put it there or take its entry out.")
    header = read_header(view.image)
    upright = not fits(header.width, header.height, lens)
    width, height = (header.height, header.width) if upright else (header.width, header.height)
    if upright and not (header.sideways and fits(width, height, lens)):
        raise DataError(
            f"{view.image} has {header.width}x{header.height} pixels and its camera "
            f"{lens.width}x{lens.height}, another shape; use the photo that was calibrated"
        )
    if min(width, height) < SMALLEST:
        raise DataError(
            f"{view.image} has {width}x{height} pixels; expected {SMALLEST} or more on each side, "
            "as SSIM compares windows of that size. Take it out, or put a larger one there"
        )
    if share_kept(lens) < LEAST_KEPT:
        raise DataError(
            f"undoing its lens distortion {lens.distortion} would leave less than {LEAST_KEPT:.0%} "
            "of the photo; calibrate again, or cut wide photos into perspective views"
        )
    return Usable(view, pose, lens.resized(width, height), header, upright)


def fits(width: int, height: int, lens: Intrinsics) -> bool:
    """Say whether a photo is the camera's, resized; rounding may have cost a pixel."""
    return abs(width * lens.height / lens.width - height) <= 1.5


def transparent(usable: list[Usable]) -> bool:
    """Say whether what lies behind the scene can be seen in a photo."""
    return any(found.header.transparent for found in usable)


def distorted(found: Usable) -> bool:
    """Say whether there is a distortion to undo."""
    return found.intrinsics.distortion is not None
