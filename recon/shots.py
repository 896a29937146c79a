"""Which pictures to take: views of a capture, or a path through it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from recon.camera import resized
from recon.errors import DataError, UsageError
from recon.paths import interpolated, spin, wobble
from recon.render import Shot, Stage, distance_at
from recon.types import Camera, Capture, View

ViewChoice = Literal["test", "train", "all"]
PathChoice = Literal["through", "spin", "wobble"]

WIDEST = 16384
"""px; a picture of that width already takes gigabytes to render."""


@dataclass(frozen=True)
class PathSettings:
    """A way through the scene."""

    path: PathChoice | None = None
    """Which path; through where only --along is given. through: the cameras of the capture, in the
    order of their names; spin: once around what they look at; wobble: a small ellipse at one
    view."""
    frames: int = 120
    """How many pictures, at least 1."""
    view: str | None = None
    """The view to wobble at, by its name or the end of it; the middle one where not given."""
    radius: float = 0.05
    """Half the width of a wobble, as a share of the distance to what the view looks at."""


def shots_of_views(capture: Capture, which: ViewChoice) -> list[Shot]:
    """Return views of a capture as shots.

    Raises:
        DataError: there are none of this choice.
    """
    views = {"test": capture.test, "train": capture.train, "all": capture.views}[which]
    if not views:
        raise DataError(
            f"{capture.path}: no {which} views to render; expected at least one, choose all views"
        )
    return [Shot(view.name, view.camera, view) for view in views]


def shots_along(capture: Capture, stage: Stage, settings: PathSettings) -> list[Shot]:
    """Return numbered shots on a path; of a rig, the first sensor leads.

    Raises:
        UsageError: no picture is asked for, or the radius is no length.
        DataError: there is no such view, or this capture has no such path.
    """
    if settings.frames < 1:
        raise UsageError(f"a path of {settings.frames} frames; expected 1 or more")
    if not 0 <= settings.radius < math.inf:
        raise UsageError(f"--radius {settings.radius}: expected 0 or more.")
    views = [view for view in capture.views if view.sensor == capture.views[0].sensor]
    cameras = [view.camera for view in views]
    match settings.path:
        case "through" | None:
            path = interpolated(cameras, settings.frames)
        case "spin":
            path = spin(cameras, settings.frames)
        case "wobble":
            camera = _chosen(capture, settings.view).camera
            distance = distance_at(stage, camera)
            path = wobble(camera, settings.frames, settings.radius * distance, distance)
    return [Shot(f"{i:05d}", camera) for i, camera in enumerate(path)]


def at_width(shots: Sequence[Shot], width: int) -> list[Shot]:
    """Return the shots with another number of columns; rows follow.

    Raises:
        UsageError: the width is below 1 or beyond WIDEST.
    """
    if not 1 <= width <= WIDEST:
        raise UsageError(f"pictures {width} pixels wide; expected 1 to {WIDEST}")

    def scaled(camera: Camera) -> Camera:
        return resized(camera, width, max(1, round(camera.height * width / camera.width)))

    return [replace(shot, camera=scaled(shot.camera)) for shot in shots]


def _chosen(capture: Capture, name: str | None) -> View:
    if name is None:
        return capture.views[len(capture.views) // 2]
    exact = [view for view in capture.views if view.name == name]
    ending = [view for view in capture.views if name in _endings(view.name)]
    found = exact or ending
    if len(found) != 1:
        raise DataError(
            f"{capture.path}: {len(found)} views are called {name}; expected one, such as "
            f"{capture.views[0].name}"
        )
    return found[0]


def _endings(name: str) -> set[str]:
    """Return what a person may call the view a/b/c.png: c, c.png, b/c.png and so on."""
    parts = PurePosixPath(name).parts
    return {"/".join(parts[i:]) for i in range(len(parts))} | {PurePosixPath(name).stem}
