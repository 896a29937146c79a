"""The cameras of a capture in the scene, with small photos in them."""

import math
import threading
from typing import final

import cv2
import numpy as np
import torch
import viser
from scipy.spatial.transform import Rotation

from recon.errors import ReconError
from recon.pictures import Picture
from recon.types import Capture, View
from recon.viewer.session import Session

MOST = 300
"""Cameras that are shown, evenly chosen: browsers draw each of them by itself."""
THUMBNAIL = 96
"""px across."""
TRAIN, TEST = (90, 150, 255), (255, 170, 60)
"""sRGB of cameras that were learned from, and of those held out."""
SIZE = 0.4
"""Of a camera, in the usual distance to the nearest other one."""
ROOM = 1.5
"""A person as near to a camera as so many of its sizes would see the inside of it."""


@final
class Frusta:
    """They are made when they are first asked for: photos take a while to read."""

    def __init__(self, session: Session, capture: Capture) -> None:
        self._session, self._capture = session, capture
        self._handles: list[viser.CameraFrustumHandle] = []
        self._wanted = False
        self._size = size_of(capture.views)
        self._lock = threading.Lock()

    def show(self, wanted: bool) -> None:
        """Show all cameras, or none."""
        with self._lock:
            self._wanted = wanted
            if wanted and not self._handles:
                self._make()
        self.arrange()

    def arrange(self) -> None:
        """Hide those in which the person stands, all of them at a photo: they stand in the way."""
        if not self._handles:
            return
        wanted = self._wanted and self._session.look.at is None
        here = self._session.camera().position.detach().cpu().numpy()
        for handle in self._handles:
            apart = float(np.linalg.norm(np.asarray(handle.position) - here))
            visible = wanted and apart > ROOM * self._size
            if handle.visible != visible:
                handle.visible = visible

    def _make(self) -> None:
        views = self._capture.views[:: max(1, math.ceil(len(self._capture.views) / MOST))]
        test = {view.name for view in self._capture.test}
        for number, view in enumerate(views):
            self._handles.append(self._add(number, view, view.name in test))

    def _add(self, number: int, view: View, held_out: bool) -> viser.CameraFrustumHandle:
        camera = view.camera
        to_world = camera.world_to_camera[:3, :3].detach().cpu().double().numpy().T
        try:
            photo = small(view.photo.pixels().numpy())
        except ReconError as error:
            self._session.fail(error)
            photo = None
        handle = self._session.client.scene.add_camera_frustum(
            f"/cameras/{number}",
            fov=2 * math.atan(camera.height / 2 / camera.fy),
            aspect=camera.width / camera.height,
            scale=self._size,
            thickness=0.03 * self._size,
            color=TEST if held_out else TRAIN,
            image=photo,
            format="jpeg",
            wxyz=Rotation.from_matrix(to_world).as_quat(scalar_first=True),
            position=camera.position.detach().cpu().double().numpy(),
        )

        @handle.on_click
        def _(_: object) -> None:
            # Who points at the scene behind it does not mean the camera.
            if not self._session.picking:
                self._session.stand_at(view)

        return handle


def small(photo: Picture) -> Picture:
    """Return a photo of `THUMBNAIL` pixels' width."""
    rows = max(1, round(photo.shape[0] * THUMBNAIL / photo.shape[1]))
    thumbnail: Picture = cv2.resize(photo, (THUMBNAIL, rows), interpolation=cv2.INTER_AREA)
    return thumbnail


def size_of(views: tuple[View, ...]) -> float:
    """Return how large cameras are drawn: smaller than the way to the next one."""
    places = torch.stack([view.camera.position.detach().cpu() for view in views]).double()
    apart = torch.cdist(places, places)
    apart[apart < 1e-6] = math.inf
    nearest = np.asarray(apart.min(dim=1).values)
    usual = float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 1.0
    return SIZE * usual
