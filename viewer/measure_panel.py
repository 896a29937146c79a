"""The panel of lengths: a distance between two points, a box, and what lies in it as a file."""

from dataclasses import replace
from typing import final

import numpy as np
import torch
import viser

from recon.camera import unproject
from recon.errors import ReconError
from recon.types import Camera
from recon.viewer.controls import Event, put
from recon.viewer.crop import Box
from recon.viewer.look import Look
from recon.viewer.panel import Panel
from recon.viewer.part_file import part_file
from recon.viewer.readout import length
from recon.viewer.session import Session

MARK = (255, 0, 200)
"""sRGB of what is measured."""
EDGE = (255, 210, 0)
"""sRGB of the box."""
THICK = 3.0
"""px; of lines on the screen."""
SHARE = 0.012
"""Radius of a mark, of its distance when it was set."""
NO_POINT = "Click on two points of the scene."


@final
class MeasurePanel(Panel):
    """Measure in the scene, and take a part of it away."""

    title = "Measure and crop"
    expanded = False

    def build(self, session: Session) -> None:
        """Add the controls."""
        _build_ruler(session)
        _build_crop(session)


def _build_ruler(session: Session) -> None:
    gui = session.client.gui
    pick = gui.add_checkbox("Click to measure", False)
    words = gui.add_markdown(NO_POINT)
    clear = gui.add_button("Clear the points", icon=viser.Icon.ERASER, visible=False)
    ruler = Ruler(session)

    def click(x: float, y: float) -> None:
        ruler.add(x, y)
        words.content = ruler.words
        clear.visible = True

    @pick.on_update
    def _(_: Event) -> None:
        if pick.value:
            session.take_clicks(click, lambda: put(pick, False))
        else:
            session.release_clicks(click)

    @clear.on_click
    def _(_: Event) -> None:
        ruler.clear()
        words.content, clear.visible = NO_POINT, False


def _build_crop(session: Session) -> None:
    gui, subject = session.client.gui, session.subject
    box = Box.around(subject.stage.scene.gaussians.means)
    unit = f" ({subject.unit})" if subject.unit else ""
    on = gui.add_checkbox("Crop to a box", False)
    center = gui.add_vector3(f"Centre{unit}", box.center, step=0.01, visible=False)
    size = gui.add_vector3(f"Size{unit}", box.size, min=(0.0, 0.0, 0.0), step=0.01, visible=False)
    save = gui.add_button("Save what is visible as PLY", icon=viser.Icon.DOWNLOAD)
    lines: list[viser.LineSegmentsHandle] = []

    def crop(_: Event) -> None:
        box = Box(center.value, size.value) if on.value else None
        session.alter(lambda look: replace(look, crop=box))

    for control in (on, center, size):
        control.on_update(crop)

    @save.on_click
    def _(_: Event) -> None:
        try:
            content = part_file(session.stage.scene.gaussians, subject)
            session.client.send_file_download("part.ply", content, save_immediately=True)
        except ReconError as error:
            session.fail(error)

    def show(look: Look) -> None:
        center.visible = size.visible = look.crop is not None
        while lines:
            lines.pop().remove()
        if look.crop is not None:
            lines.append(
                session.client.scene.add_line_segments(
                    "/crop",
                    look.crop.outline(),
                    EDGE,
                    thickness=THICK,
                    thickness_units="screen",
                )
            )

    session.on_look(show)


class Ruler:
    """Up to two points on the scene, and the line between them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._points: list[np.ndarray] = []
        self._handles: list[viser.SceneNodeHandle] = []

    @property
    def words(self) -> str:
        """Say how far the points are apart."""
        unit = " m" if self._session.subject.metric else " units of the scene"
        if len(self._points) < 2:
            return "Click on the second point."
        apart = self._points[1] - self._points[0]
        return f"Distance **{length(float(np.linalg.norm(apart)))}{unit}**"

    def add(self, x: float, y: float) -> None:
        """Take the point under a place of the picture; a third one begins anew.

        Raises:
            DataError: there is nothing at that place.
        """
        depth = self._session.distance(x, y)
        if len(self._points) == 2:
            self.clear()
        camera = self._session.camera()
        place = lifted(camera, x, y, depth)
        scene, number = self._session.client.scene, len(self._points)
        self._points.append(place)
        ball = scene.add_icosphere(
            f"/measure/{number}", SHARE * depth, MARK, position=place, cast_shadow=False
        )
        self._handles.append(ball)
        if len(self._points) == 2:
            self._handles.append(
                scene.add_line_segments(
                    "/measure/line",
                    np.stack(self._points)[None],
                    MARK,
                    thickness=THICK,
                    thickness_units="screen",
                )
            )

    def clear(self) -> None:
        """Forget the points."""
        self._points = []
        while self._handles:
            self._handles.pop().remove()


def lifted(camera: Camera, x: float, y: float, depth: float) -> np.ndarray:
    """Return the point at a place of the picture, from (0, 0) to (1, 1), in the working frame."""
    pixel = torch.tensor([[x * camera.width, y * camera.height]], dtype=torch.float64)
    at_hand = camera.moved(camera.world_to_camera.detach().cpu())
    found: np.ndarray = unproject(at_hand, pixel, pixel.new_tensor([depth]))[0].numpy()
    return found
