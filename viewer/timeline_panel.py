"""The panel of a drive: time steps and cameras, the way, the laser, and a look from beside it."""

import threading
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import viser

from recon.errors import ReconError
from recon.viewer.controls import Event, put
from recon.viewer.drive import Drive, lidar_points, shifted
from recon.viewer.panel import Panel
from recon.viewer.player import Player
from recon.viewer.session import Session
from recon.viewer.subject import Subject

ASIDE = 5.0
"""Units of length to either side of the way, up to which the slider goes."""
WAY = (255, 210, 0)
"""sRGB of the way."""
BELOW = 1.4
"""Metres below the cameras, at which the way is drawn: near the road, so that one looks along it
and not through it."""
DOT = 0.03
"""Edge of a LiDAR point, in units of length."""


@final
class TimelinePanel(Panel):
    """Drive through the capture, and beside where it drove."""

    title = "Drive"

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        """Only captures with time steps are drives."""
        capture = subject.source.capture
        return capture is not None and Drive.of(capture) is not None

    def build(self, session: Session) -> None:
        """Add the timeline and what belongs to it."""
        capture = session.subject.source.capture
        drive = None if capture is None else Drive.of(capture)
        assert drive is not None
        gui, unit = session.client.gui, session.subject.unit
        last = len(drive.steps) - 1
        step = gui.add_slider("Time step", min=0, max=last, step=1, initial_value=0)
        sensor = gui.add_dropdown("Camera", drive.sensors, visible=len(drive.sensors) > 1)
        play = gui.add_checkbox("Play", False)
        speed = gui.add_slider("Steps a second", min=0.5, max=10.0, step=0.5, initial_value=4.0)
        aside = gui.add_slider(
            f"To the right ({unit})" if unit else "To the right",
            min=-ASIDE,
            max=ASIDE,
            step=0.1,
            initial_value=0.0,
            hint="Look from beside the way, where no camera was.",
        )
        way = gui.add_checkbox("Show the way", False)
        lidar = gui.add_checkbox("Show LiDAR", False, visible=bool(drive.sweeps))
        world = _World(session, drive)

        def place() -> Place:
            return Place(step.value, sensor.value, aside.value)

        def move(event: Event) -> None:
            # What the player sets comes back without a browser.
            if event.client is not None:
                world.go(place())

        for control in (step, sensor, aside):
            control.on_update(move)

        def tick() -> None:
            put(step, (step.value + 1) % len(drive.steps))
            world.go(place())

        player = Player(tick, session.fail)
        session.on_close(player.stop)

        @play.on_update
        def _(_: Event) -> None:
            if play.value:
                player.start(lambda: 1 / speed.value)
            else:
                player.stop()

        @way.on_update
        def _(_: Event) -> None:
            world.show_way(way.value)

        @lidar.on_update
        def _(_: Event) -> None:
            world.show_lidar(lidar.value, step.value)


@dataclass(frozen=True)
class Place:
    """Where a person is in a drive."""

    index: int
    """Of the time step."""
    sensor: str
    aside: float
    """Units of length to the right of the camera."""


class _World:
    """What the panel does in one browser."""

    def __init__(self, session: Session, drive: Drive) -> None:
        self._session, self._drive = session, drive
        self._way: viser.LineSegmentsHandle | None = None
        self._points: viser.PointCloudHandle | None = None
        self._lidar = False
        self._lock = threading.Lock()

    def go(self, place: Place) -> None:
        """Stand at a place of the drive."""
        view = self._drive.view(place.index, place.sensor)
        if place.aside == 0:
            self._session.stand_at(view)
        else:
            up = self._session.subject.up.double().cpu().numpy()
            right = self._drive.to_the_right(place.index, up)
            self._session.alter(lambda look: replace(look, at=None))
            self._session.go_to(shifted(view.camera, place.aside * right))
        if self._lidar:
            self.show_lidar(True, place.index)

    def show_way(self, wanted: bool) -> None:
        """Draw where the car went, or no longer."""
        if self._way is not None:
            self._way.remove()
            self._way = None
        if wanted:
            subject = self._session.subject
            down = -subject.up.double().cpu().numpy() * (BELOW if subject.metric else 0.0)
            path = self._drive.path + down
            self._way = self._session.client.scene.add_line_segments(
                "/way",
                np.stack([path[:-1], path[1:]], axis=1),
                WAY,
                thickness=4.0,
                thickness_units="screen",
            )

    def show_lidar(self, wanted: bool, index: int) -> None:
        """Draw the laser's points of a step, coloured by their distance, or none."""
        self._lidar = wanted
        with self._lock:
            points, self._points = self._points, None
            if points is not None:
                points.remove()
            sweep = self._drive.sweeps.get(self._drive.steps[index])
            if not wanted or sweep is None:
                return
            span = self._session.look.depths
            try:
                found = lidar_points(sweep, self._drive.path[index], span)
            except ReconError as error:
                self._session.fail(error)
                return
            self._points = self._session.client.scene.add_point_cloud(
                "/lidar",
                found.positions,
                found.colors,
                point_size=DOT,
                point_shading="flat",
                precision="float32",
            )
