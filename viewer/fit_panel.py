"""The panel of a fit that runs: how far it is, how it learns, and what one may wish of it."""

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
        psnr = _chart(session, ("PSNR, dB",))
        losses = _chart(session, live.terms)
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
            put(bar, 100 * min(1.0, live.step / live.steps))
            steps = np.array([float(point.step) for point in curve])
            psnr.data = (steps, np.array([point.psnr for point in curve]))
            named = live.terms[: len(COLORS)]
            losses.data = (steps, *(np.array([p.parts.get(n, 0.0) for p in curve]) for n in named))

        session.on_close(live.listen(show))
        show()


def fit_words(live: LiveFit) -> str:
    """Say in a line or two how far a fit is."""
    curve = live.curve
    if not curve:
        return f"**{live.state}**, {live.steps} steps to go"
    last = curve[-1]
    lines = [f"**{live.state}**: step {live.step} of {live.steps}", f"PSNR {last.psnr:.2f} dB"]
    if last.share > 0 and not live.over:
        left = round((1 - last.share) * last.seconds / last.share)
        lines.append(f"{left // 60}:{left % 60:02d} left")
    lines.append(f"{last.gaussians:,} Gaussians")
    return ", ".join(lines)


def _chart(session: Session, names: tuple[str, ...]) -> viser.GuiUplotHandle:
    """Add an empty chart of these curves over the steps."""
    series: Any = (
        {"label": "step"},
        *({"label": n, "stroke": c, "width": 2} for n, c in zip(names, COLORS, strict=False)),
    )
    nothing = (np.zeros(2), *(np.zeros(2) for _ in series[1:]))
    # Steps are numbers; uPlot takes them for seconds since 1970 unless told.
    return session.client.gui.add_uplot(nothing, series, scales={"x": {"time": False}}, aspect=1.7)
