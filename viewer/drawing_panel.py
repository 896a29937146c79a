"""The panel that says who draws, and how large."""

from dataclasses import replace
from typing import final

import viser

from recon.viewer.controls import Event
from recon.viewer.look import Drawing, Look
from recon.viewer.panel import Panel
from recon.viewer.session import Session

SERVER, BROWSER = "Server: exact", "Browser: fast"


@final
class DrawingPanel(Panel):
    """Pictures from the scene's own rasterizer, or splats in the browser."""

    title = "View"

    def build(self, session: Session) -> None:
        """Add the switch, the size of pictures, and the way home."""
        gui, subject = session.client.gui, session.subject
        who = gui.add_dropdown(
            "Drawn by",
            (SERVER, BROWSER),
            hint="The browser draws splats without lens, layers and change of colour with view.",
        )
        rows = gui.add_slider(
            "Rows of a still", min=120, max=1080, step=60, initial_value=session.look.rows
        )
        home = gui.add_button("Back to the start", icon=viser.Icon.HOME)

        @who.on_update
        def _(_: Event) -> None:
            drawing: Drawing = "server" if who.value == SERVER else "browser"
            session.alter(lambda look: replace(look, drawing=drawing))

        @rows.on_update
        def _(_: Event) -> None:
            session.alter(lambda look: replace(look, rows=rows.value))

        @home.on_click
        def _(_: Event) -> None:
            session.alter(lambda look: replace(look, at=None))
            session.go_to(subject.home)

        def show(look: Look) -> None:
            rows.visible = look.drawing == "server"

        session.on_look(show)
