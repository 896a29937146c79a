"""What the page shows: a scene that may change, the photos it came from, and where to begin."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import look_at
from recon.gaussians import Gaussians
from recon.pictures import DepthRange, Picture
from recon.render import Stage, covered_depth, distance_at
from recon.run import Run
from recon.sky import upwards
from recon.types import Camera, Capture, Similarity
from recon.viewer.frames import picture_of
from recon.viewer.layer import Vantage
from recon.viewer.live import LiveFit


@dataclass(frozen=True, eq=False)
class Source:
    """Where a scene comes from."""

    title: str
    capture: Capture | None = None
    """Its photos and cameras; None for a file without them."""
    run: Run | None = None
    """Its folder; None for a file."""
    live: LiveFit | None = None
    """The fit that makes it; None where it is done."""
    moved_by: Float[Tensor, "3"] | None = None
    """What was added to the positions of a file to bring them near the origin."""

    @property
    def to_source(self) -> Similarity:
        """From the frame of the scene to that of its file or capture."""
        if self.capture is not None:
            return self.capture.to_source
        return Similarity.shift(torch.zeros(3) if self.moved_by is None else -self.moved_by)


class Subject:
    """A scene for any number of browsers. One picture is drawn at a time."""

    def __init__(self, stage: Stage, source: Source) -> None:
        self._stage, self.source = stage, source
        self._drawing = threading.Lock()
        self.seconds_of_last = 0.0
        """How long the last picture has taken."""
        self._listeners: list[Callable[[], None]] = []
        if source.capture is None:
            self.home, self.up = _home_of(stage.scene.gaussians)
        else:
            self.home, self.up = _home_in(source.capture)
        render = stage.draw(self.home, sh_degree=0)
        self.depths = self._span(covered_depth(render, "median"))

    @property
    def stage(self) -> Stage:
        """The scene as it is now."""
        return self._stage

    @property
    def metric(self) -> bool:
        """Whether lengths are metres."""
        return self._stage.metric

    @property
    def to_source(self) -> Similarity:
        """From the frame of the scene to that of its file or capture."""
        return self.source.to_source

    @property
    def unit(self) -> str:
        """The unit of lengths, for people; empty where it is not known."""
        return "m" if self.metric else ""

    def show(self, stage: Stage) -> None:
        """Replace the scene, and tell whoever listens."""
        self._stage = stage
        for listener in tuple(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function after each change of the scene, until the one returned is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def picture(self, vantage: Vantage) -> Picture:
        """Draw for a browser, when it is its turn."""
        with self._drawing:
            began = time.monotonic()
            picture = picture_of(vantage)
            self.seconds_of_last = time.monotonic() - began
        return picture

    def depths_in(self, vantage: Vantage) -> DepthRange:
        """Return the usual depths of a picture."""
        with self._drawing:
            return self._span(vantage.surface)

    def distance(self, camera: Camera, x: float, y: float) -> float:
        """Return the median depth at a place of a picture; see `recon.render.distance_at`.

        Raises:
            DataError: there is nothing at that place.
        """
        with self._drawing:
            return distance_at(self._stage, camera, x, y)

    def _span(self, depth: Float[Tensor, "h w"]) -> DepthRange:
        return DepthRange.of(depth[depth > 0].cpu(), self.unit)


def _home_in(capture: Capture) -> tuple[Camera, Float[Tensor, "3"]]:
    """Stand where the first photo was taken, with what is up in all of them upwards."""
    cameras = [view.camera for view in capture.views]
    return cameras[0], upwards(cameras)


def _home_of(gaussians: Gaussians) -> tuple[Camera, Float[Tensor, "3"]]:
    """Stand before a scene of which nothing else is known, at twice the radius of its middle.

    Photogrammetry leaves y downwards as often as not, so that -y is up.
    """
    means = gaussians.means.detach().cpu()
    centre = means.median(dim=0).values
    distances = np.linalg.norm((means - centre).numpy(), axis=1)
    radius = max(float(np.quantile(distances, 0.8)), 1e-3)
    up = torch.tensor([0.0, -1.0, 0.0])
    place = centre + 2 * radius * torch.tensor([0.0, -0.25, -1.0])
    pose = look_at(place, centre, up)
    return Camera(pose, 800.0, 800.0, 480.0, 270.0, 960, 540), up
