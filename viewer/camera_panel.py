"""The panel of the photos: their cameras, a wipe, and how good the scene is there."""

import threading
from dataclasses import replace
from typing import final

import viser

from recon.errors import ReconError
from recon.evaluate import Judge
from recon.pictures import Picture
from recon.types import View
from recon.viewer.controls import Event, put
from recon.viewer.frusta import Frusta
from recon.viewer.layer import Vantage
from recon.viewer.look import Look, Wipe
from recon.viewer.panel import Panel
from recon.viewer.ranking import Ranked, ranked, ranked_now, scored, words_of, written_scores
from recon.viewer.session import Session
from recon.viewer.subject import Subject

NOWHERE = "None: moving freely"
NOTHING, PHOTO, RENDER = "Nothing", "Photo", "Render"


@final
class CameraPanel(Panel):
    """Stand where the photos were taken, worst first, and hold the scene against them."""

    title = "Photos"

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        """A file without its capture has no photos."""
        return subject.source.capture is not None

    def build(self, session: Session) -> None:
        """Add the list, the frusta, the wipe and the figures."""
        gui, source = session.client.gui, session.subject.source
        assert source.capture is not None
        capture, judge = source.capture, Judge.of(source.capture)
        rows = ranked(capture, written_scores(source.run))
        views = {row.label: row.view for row in rows}
        photo = gui.add_dropdown("Photo", (NOWHERE, *views), initial_value=NOWHERE)
        walk = gui.add_button_group("Step", ("Previous", "Next"))
        rank = gui.add_button("Worst first, of all photos", icon=viser.Icon.SORT_ASCENDING)
        cameras = gui.add_checkbox("Show cameras", False, hint="Click on one to stand there.")
        left = gui.add_dropdown("Left of the line", (NOTHING, PHOTO, RENDER))
        line = gui.add_slider("Line", min=0.0, max=1.0, step=0.01, initial_value=0.5)
        words = gui.add_markdown("")
        frusta = Frusta(session, capture)

        @photo.on_update
        def _(event: Event) -> None:
            if event.client is not None and photo.value in views:
                session.stand_at(views[photo.value])

        @walk.on_click
        def _(_: Event) -> None:
            order = list(views.values())
            at = session.look.at
            here = -1 if at is None else [view.name for view in order].index(at.name)
            step = 1 if walk.value == "Next" else -1
            session.stand_at(order[(max(here, 0) if at is None else here + step) % len(order)])

        def list_anew(rows: tuple[Ranked, ...]) -> None:
            views.clear()
            views.update({row.label: row.view for row in rows})
            photo.options = (NOWHERE, *views)
            put(photo, _label(views, session.look.at))

        @rank.on_click
        def _(_: Event) -> None:
            rank.disabled = True
            try:
                list_anew(ranked_now(session.subject.stage, capture, lambda view: None))
            except ReconError as error:
                session.fail(error)
            finally:
                rank.disabled = False

        @cameras.on_update
        def _(_: Event) -> None:
            frusta.show(cameras.value)

        def wipe(_: Event) -> None:
            sides = {PHOTO: Wipe("photo", line.value), RENDER: Wipe("render", line.value)}
            session.alter(lambda look: replace(look, wipe=sides.get(left.value)))

        left.on_update(wipe)
        line.on_update(wipe)

        told = _Told()

        def say(_: Picture, vantage: Vantage) -> None:
            frusta.arrange()
            view = vantage.look.at
            if not told.news(view, session.subject.stage):
                return
            if view is None:
                words.content = ""
                return
            unit = f" {session.subject.unit}" if session.subject.unit else ""
            words.content = words_of(scored(session.subject.stage, view, judge), unit)

        def show(look: Look) -> None:
            put(photo, _label(views, look.at))
            line.visible = look.wipe is not None
            frusta.arrange()

        session.on_picture(say)
        session.on_look(show)
        show(session.look)


class _Told:
    """What the figures were last computed of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: tuple[object, object] = (None, None)

    def news(self, view: View | None, scene: object) -> bool:
        """Say whether this is another view, or another scene, than the last time."""
        with self._lock:
            before, self._last = self._last, (view, scene)
        return before[0] is not view or (view is not None and before[1] is not scene)


def _label(views: dict[str, View], at: View | None) -> str:
    return next((label for label, view in views.items() if view is at), NOWHERE)
