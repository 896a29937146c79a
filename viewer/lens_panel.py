"""The panel of the lens: aperture, focus, and what they do."""

from dataclasses import replace
from typing import final

from recon.pictures import Picture
from recon.viewer.controls import Event, put
from recon.viewer.layer import Vantage
from recon.viewer.look import Aperture, Look
from recon.viewer.panel import Panel
from recon.viewer.readout import lens_words
from recon.viewer.session import Session

STOPS = ("1", "1.4", "2", "2.8", "4", "5.6", "8", "11", "16")
"""Full stops, as engraved on rings."""
SENSORS = {
    "Full frame, 36 mm": 36.0,
    "APS-C, 23.5 mm": 23.5,
    "Four thirds, 17.3 mm": 17.3,
    "Phone, 9.8 mm": 9.8,
}
"""Widths by name."""
F_NUMBER, STRENGTH = "f-number", "strength K"


@final
class LensPanel(Panel):
    """A thin lens in front of the scene."""

    title = "Lens"

    def build(self, session: Session) -> None:
        """Add the controls; f-numbers only where lengths are metres."""
        gui, dial, subject = session.client.gui, session.look.lens, session.subject
        ways = (F_NUMBER, STRENGTH) if subject.metric else (STRENGTH,)
        sharp = gui.add_checkbox("All sharp", not dial.open)
        way = gui.add_dropdown("Aperture as", ways, initial_value=ways[0], visible=len(ways) > 1)
        f_number = gui.add_number("f/", dial.f_number, min=0.01, max=64.0, step=0.01)
        ring = gui.add_button_group("Ring", STOPS)
        sensor = gui.add_dropdown("Sensor", tuple(SENSORS))
        strength = gui.add_number("K (px m)", dial.strength, min=0.0, step=0.1)
        unit = f" ({subject.unit})" if subject.unit else ""
        focus = gui.add_number(f"Focus{unit}", round(dial.focus, 3), min=0.001, step=0.001)
        pick = gui.add_checkbox("Click to focus", False, hint="Click on what shall be sharp.")
        tint = gui.add_checkbox("Tint what is in focus", False)
        words = gui.add_markdown("")

        @sharp.on_update
        def _(_: Event) -> None:
            session.alter_lens(lambda dial: replace(dial, open=not sharp.value))

        @way.on_update
        def _(_: Event) -> None:
            aperture: Aperture = "f-number" if way.value == F_NUMBER else "strength"
            session.alter_lens(lambda dial: replace(dial, aperture=aperture))

        @f_number.on_update
        def _(_: Event) -> None:
            session.alter_lens(lambda dial: replace(dial, f_number=f_number.value))

        @ring.on_click
        def _(_: Event) -> None:
            session.alter_lens(lambda dial: replace(dial, f_number=float(ring.value), open=True))

        @sensor.on_update
        def _(_: Event) -> None:
            session.alter_lens(lambda dial: replace(dial, sensor_width_mm=SENSORS[sensor.value]))

        @strength.on_update
        def _(_: Event) -> None:
            session.alter_lens(lambda dial: replace(dial, strength=strength.value))

        @focus.on_update
        def _(event: Event) -> None:
            # What the code below sets comes back without a browser, and is rounded.
            if event.client is not None:
                session.alter_lens(lambda dial: replace(dial, focus=focus.value))

        @tint.on_update
        def _(_: Event) -> None:
            session.alter(lambda look: replace(look, tint=tint.value))

        def click(x: float, y: float) -> None:
            found = session.distance(x, y)
            session.alter_lens(lambda dial: replace(dial, focus=found, open=True))

        def lost() -> None:
            put(pick, False)

        @pick.on_update
        def _(event: Event) -> None:
            if pick.value:
                session.take_clicks(click, lost)
            else:
                session.release_clicks(click)

        def show(look: Look) -> None:
            dial = look.lens
            by_number = dial.aperture == "f-number"
            f_number.visible = ring.visible = sensor.visible = by_number
            strength.visible = not by_number
            put(sharp, not dial.open)
            put(f_number, dial.f_number)
            put(focus, round(dial.focus, 3))
            words.content = lens_words(dial, session.camera(), subject.metric)

        def say(picture: Picture, vantage: Vantage) -> None:
            # The camera's focal length and size are part of what the numbers say.
            words.content = lens_words(vantage.look.lens, vantage.camera, subject.metric)

        session.on_look(show)
        session.on_picture(say)
        show(session.look)
