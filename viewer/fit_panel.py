"""The panel of a fit that runs: how far it is, how it learns, and what one may wish of it."""

import math
from typing import Any, final

import numpy as np
import viser

from recon.viewer.controls import Event, put
from recon.viewer.live import LiveFit
from recon.viewer.panel import Panel
from recon.viewer.session import Session
from recon.viewer.subject import Subject

COLORS = ("#4dabf7", "#ffa94d", "#69db7c", "#e599f7", "#ff8787", "#66d9e8", "#ffe066", "#ced4da")
"""Of the curves, in the order of the terms."""


@final
class FitPanel(Panel):
    """Progress, curves, and the buttons to pause and to save."""

    title = "Fit"

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        """Say whether a fit runs."""
        return subject.source.live is not None

    def build(self, session: Session) -> None:
        """Add bar, numbers, curves and buttons; all follow the fit."""
        live = session.subject.source.live
        assert live is not None
        gui = session.client.gui
        bar = gui.add_progress_bar(0.0)
        words = gui.add_markdown("")
        psnr = gui.add_uplot((np.zeros(1), np.zeros(1)), _series(("PSNR, dB",)), aspect=2.0)
        losses = gui.add_uplot((np.zeros(1), np.zeros(1)), _series(("loss",)), aspect=2.0)
        pause = gui.add_button("Pause", icon=viser.Icon.PLAYER_PAUSE)
        resume = gui.add_button("Go on", icon=viser.Icon.PLAYER_PLAY)
        save = gui.add_button("Save a checkpoint", icon=viser.Icon.DEVICE_FLOPPY)

        @pause.on_click
        def _(_: Event) -> None:
            live.pause(True)

        @resume.on_click
        def _(_: Event) -> None:
            live.pause(False)

        @save.on_click
        def _(_: Event) -> None:
            live.save()

        def show() -> None:
            words.content = fit_words(live)
            pause.visible = not live.over and not live.paused
            resume.visible = not live.over and live.paused
            save.visible = not live.over
            curve = live.curve
            if not curve:
                return
            put(bar, 100 * min(1.0, curve[-1].share))
            steps = np.array([float(point.step) for point in curve])
            psnr.data = (steps, np.array([point.psnr for point in curve]))
            names = tuple(curve[-1].parts)
            columns = [[point.parts.get(name, math.nan) for point in curve] for name in names]
            losses.series = _series(names)
            losses.data = (steps, *map(np.array, columns))

        session.on_close(live.listen(show))
        show()


def fit_words(live: LiveFit) -> str:
    """Say in a line or two how far a fit is."""
    curve = live.curve
    if not curve:
        return f"**{live.state}**, {live.steps} steps to go"
    last = curve[-1]
    lines = [f"**{live.state}**: step {last.step} of {live.steps}", f"PSNR {last.psnr:.2f} dB"]
    if last.share > 0 and not live.over:
        left = round((1 - last.share) * last.seconds / last.share)
        lines.append(f"{left // 60}:{left % 60:02d} left")
    lines.append(f"{last.gaussians:,} Gaussians")
    return ", ".join(lines)


def _series(names: tuple[str, ...]) -> Any:
    """Return what uPlot wants to know of its curves: first the steps, then one line for each."""
    lines = ({"label": n, "stroke": c} for n, c in zip(names, COLORS, strict=False))
    return ({"label": "step"}, *lines)
