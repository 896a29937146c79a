"""The page of a fit that runs."""

import copy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import torch

from recon.errors import ReconError
from recon.fit import Fitting, Progress
from recon.gaussians import Gaussians
from recon.raster.choose import choose_rasterizer
from recon.raster.interface import Rasterizer
from recon.render import Stage
from recon.scene import Scene
from recon.types import Capture
from recon.viewer.address import Address, stay_open, tell_the_way
from recon.viewer.fit_page import FitPage
from recon.viewer.live import LiveFit
from recon.viewer.server import ViewerServer
from recon.viewer.subject import Source, Subject

SHARE = 0.02
"""Of the time, about, goes into pictures of new steps while nobody moves."""
FASTEST = 2.0
"""Seconds between two looks at the scene, at least."""


@final
class LivePage(FitPage):
    """Shows a fit while it runs, from copies that are made between two steps."""

    def __init__(self, fitting: Fitting, capture: Capture, address: Address) -> None:
        """Serve.

        Raises:
            ResourceError: the host is none of this machine's, or no port is free.
        """
        self._fitting, self._metric = fitting, capture.metric
        # One of its own: what a rasterizer keeps between pictures is not meant for two threads.
        self._rasterizer: Rasterizer = choose_rasterizer(fitting.settings.backend)
        terms = tuple(term.name for term in fitting.objective.terms)
        self.live = LiveFit(fitting.settings.budget.steps, terms)
        source = Source(fitting.run.path.name, capture, fitting.run, self.live)
        self.subject = Subject(self._stage(), source)
        self.server = ViewerServer(self.subject, address)
        self._shown_step, self._shown_at = fitting.step, time.monotonic()

    def tell(self, progress: Progress) -> None:
        """Hand the numbers to the browsers."""
        self.live.add(progress)

    def attend(self, stop: Callable[[], bool]) -> bool:
        """Save, show and rest as people wish; Ctrl-C ends a rest."""
        self.live.step = self._fitting.step
        self.live.enter("fitting")
        self._save_if_wished()
        self._show_if_due()
        stopped = stop()
        while self.live.paused and not stopped:
            self.live.enter("paused")
            self._save_if_wished()
            self._show()
            time.sleep(0.1)
            stopped = stop()
        return stopped

    def finish(self, words: str) -> None:
        """Show the last step."""
        self.live.step = self._fitting.step
        self._show()
        self.live.enter(words)

    def stay(self) -> None:
        """Serve until Ctrl-C."""
        print("the page stays open until Ctrl-C", file=sys.stderr)
        stay_open()

    def _stage(self) -> Stage:
        """Copy the scene as it is between two steps."""
        parts, values = self._fitting.parts, self._fitting.model.gaussians.named()
        gaussians = Gaussians(**{name: value.detach().clone() for name, value in values.items()})
        scene = Scene(gaussians, copy.deepcopy(parts.backdrop), parts.exposure)
        return Stage(scene, self._rasterizer, self._metric)

    def _show_if_due(self) -> None:
        cost = self.server.watchers * self.subject.seconds_of_last
        if time.monotonic() - self._shown_at > max(FASTEST, cost / SHARE):
            self._show()

    def _show(self) -> None:
        if not self.server.watchers or self._fitting.step == self._shown_step:
            return
        self._shown_step, self._shown_at = self._fitting.step, time.monotonic()
        with torch.no_grad():
            self.subject.show(self._stage())

    def _save_if_wished(self) -> None:
        if not self.live.take_wish_to_save():
            return
        try:
            self._fitting.save()
            self.server.tell("Saved", f"Step {self._fitting.step} is a checkpoint now.")
        except ReconError as why:
            self.server.tell("Not saved", str(why))


@contextmanager
def live_page(fitting: Fitting, capture: Capture, address: Address) -> Iterator[LivePage]:
    """Serve a fit's page, and say how to open it.

    Raises:
        ResourceError: the host is none of this machine's, or no port is free.
    """
    page = LivePage(fitting, capture, address)
    tell_the_way(address, page.server.port, page.server.url)
    try:
        yield page
    finally:
        page.server.close()
