"""The panel that chooses what is shown."""

from dataclasses import replace
from typing import final

import numpy as np
import viser

from recon.pictures import DARK, DepthRange, Picture
from recon.viewer.controls import Event, put
from recon.viewer.layers import LAYERS
from recon.viewer.legend import HEIGHT, WIDTH
from recon.viewer.look import Look
from recon.viewer.panel import Panel
from recon.viewer.session import Session

REACH = 2.5
"""Times the farthest usual depth: where the sliders end."""
STEPS = 500
"""Of the sliders of the range."""


@final
class LayerPanel(Panel):
    """Colour, depth, alpha, normals, uncertainty, blur or error, with their scales."""

    title = "Layers"

    def build(self, session: Session) -> None:
        """Add a list, a range of depths, and a legend."""
        gui, look, unit = session.client.gui, session.look, session.subject.unit
        layer = gui.add_dropdown("Layer", tuple(LAYERS), initial_value=look.layer)
        about = gui.add_markdown(LAYERS[look.layer].about)
        most = float(f"{REACH * look.depths.far:.2g}")
        step = most / STEPS
        words = f" ({unit})" if unit else ""
        start, end = min(look.depths.near, most), min(look.depths.far, most)
        near = gui.add_slider(f"From{words}", step, most, step, initial_value=start)
        far = gui.add_slider(f"To{words}", step, most, step, initial_value=end)
        fit = gui.add_button("Fit range to view", icon=viser.Icon.ARROWS_HORIZONTAL)
        legend = gui.add_image(_nothing(), format="png")

        @layer.on_update
        def _(_: Event) -> None:
            session.alter(lambda look: replace(look, layer=layer.value))

        @near.on_update
        @far.on_update
        def _(event: Event) -> None:
            # What the code below sets comes back without a browser, rounded to steps.
            if event.client is not None:
                span = DepthRange(near.value, max(far.value, near.value + step), unit)
                session.alter(lambda look: replace(look, depths=span))

        @fit.on_click
        def _(_: Event) -> None:
            span = session.subject.depths_in(session.vantage(180))
            session.alter(lambda look: replace(look, depths=span))

        def show(look: Look) -> None:
            chosen = LAYERS[look.layer]
            scale = chosen.legend(look, unit)
            put(layer, look.layer)
            if about.content != chosen.about:
                about.content = chosen.about
            put(near, min(look.depths.near, most))
            put(far, min(look.depths.far, most))
            near.visible = far.visible = fit.visible = chosen.spans_depth
            legend.visible = scale is not None
            if scale is not None:
                legend.image = scale

        session.on_look(show)
        show(look)


def _nothing() -> Picture:
    return np.full((HEIGHT, WIDTH, 3), DARK, np.uint8)
