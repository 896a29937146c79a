"""One browser: where its person stands, how they look, and what they are shown."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import viser
from scipy.spatial.transform import Rotation

from recon.browser_splats import browser_splats
from recon.errors import ReconError, first_line
from recon.pictures import Picture
from recon.render import Stage
from recon.types import Camera, View
from recon.viewer.cameras import Standpoint, field_of_view, letterboxed, same_place
from recon.viewer.crop import Cropper
from recon.viewer.layer import Vantage
from recon.viewer.look import Aperture, LensDial, Look
from recon.viewer.pace import Pace
from recon.viewer.painter import Painter, Size
from recon.viewer.subject import Subject

MOVING_SECONDS = 0.08
"""That a picture may take while things move."""
JOURNEY_SECONDS = 2.0
"""Within which a browser has arrived where it was sent."""
NOTE_SECONDS = 8.0
"""That a note stays."""
QUALITY = {Size.MOVING: 70, Size.FULL: 92}
"""Of the JPEG files."""

Click = Callable[[float, float], None]
"""Called with a place of the picture, from (0, 0) at the top left to (1, 1)."""


class Session:
    """What panels may ask and change for one browser. All methods may be called by any thread."""

    def __init__(self, client: viser.ClientHandle, subject: Subject) -> None:
        """Begin to draw.

        Args:
            client: the browser; panels add to its `gui` and `scene`.
            subject: what it looks at.
        """
        self.client, self.subject = client, subject
        aperture: Aperture = "f-number" if subject.metric else "strength"
        dial = LensDial(aperture=aperture, focal=subject.home.fx, focus=middle(subject))
        self._look = Look("Colour", subject.depths, dial)
        self._lock = threading.RLock()
        self._on_look: list[Callable[[Look], None]] = []
        self._on_picture: list[Callable[[Picture, Vantage], None]] = []
        self._on_close: list[Callable[[], None]] = []
        self._click: tuple[Click, Callable[[], None]] | None = None
        self._journey: tuple[View, float] | None = None
        self._failed = ("", 0.0)
        self._gone = False
        self._splats: viser.GaussianSplatHandle | None = None
        self._crop = Cropper()
        self._pace = Pace(MOVING_SECONDS, rows=180)
        self._painter = Painter(self._paint, self.fail)
        self._on_close.append(subject.listen(self._scene_changed))
        client.camera.on_update(self._moved)
        client.scene.on_click()(self._clicked)
        self._painter.move()

    @property
    def stage(self) -> Stage:
        """The part of the scene that this browser shows."""
        return self._crop.of(self.subject.stage, self._look.crop)

    @property
    def look(self) -> Look:
        """How the person looks at the scene now."""
        return self._look

    def alter(self, change: Callable[[Look], Look]) -> None:
        """Change the look, tell whoever listens, and draw again."""
        with self._lock:
            look = change(self._look)
            if look == self._look:
                return
            before, self._look = self._look, look
        if look.crop != before.crop:
            self._forget_splats()
        for listener in tuple(self._on_look):
            listener(look)
        self._painter.move()

    def alter_lens(self, change: Callable[[LensDial], LensDial]) -> None:
        """Change the lens."""
        self.alter(lambda look: replace(look, lens=change(look.lens)))

    def on_look(self, listener: Callable[[Look], None]) -> None:
        """Call a function with every new look."""
        self._on_look.append(listener)

    def on_picture(self, listener: Callable[[Picture, Vantage], None]) -> None:
        """Call a function after each picture at rest has been drawn."""
        self._on_picture.append(listener)

    def on_close(self, listener: Callable[[], None]) -> None:
        """Call a function when the browser has gone."""
        self._on_close.append(listener)

    def camera(self, rows: int | None = None) -> Camera:
        """Return the camera of the page as it is now, for a picture of so many rows.

        Args:
            rows: those of a picture at rest where None.
        """
        return self.vantage(rows).camera

    def vantage(self, rows: int | None = None) -> Vantage:
        """Return the scene as the person looks at it now; see `camera`."""
        look, stand = self._look, self._standpoint()
        rows = min(look.rows, stand.height) if rows is None else rows
        camera = stand.camera(rows)
        if look.at is None:
            return Vantage(self.stage, camera, look)
        camera, frame = letterboxed(look.at.camera, camera.width, camera.height)
        return Vantage(self.stage, camera, look, frame)

    def distance(self, x: float, y: float) -> float:
        """Return the depth under a place of the picture.

        Raises:
            DataError: there is nothing at that place.
        """
        return self.subject.distance(self.camera(), x, y)

    def stand_at(self, view: View) -> None:
        """Go to the camera of a photo, and stay exactly there until the person moves on."""
        self._journey = (view, time.monotonic() + JOURNEY_SECONDS)
        self.go_to(view.camera)
        self.alter(lambda look: replace(look, at=view))

    def go_to(self, camera: Camera) -> None:
        """Move the person to a camera, with the whole of its picture in sight."""
        to_world = camera.world_to_camera[:3, :3].detach().cpu().double().numpy().T
        browser, stand = self.client.camera, self._standpoint()
        with self.client.atomic():
            browser.position = camera.position.detach().cpu().double().numpy()
            browser.wxyz = Rotation.from_matrix(to_world).as_quat(scalar_first=True)
            browser.fov = field_of_view(camera, stand.width, stand.height)
        self._painter.move()

    def take_clicks(self, click: Click, lost: Callable[[], None]) -> None:
        """Send clicks into the picture to a function, until another one asks for them.

        Args:
            click: is called with the place.
            lost: is called when the clicks go to another function.
        """
        before, self._click = self._click, (click, lost)
        if before is not None:
            before[1]()

    @property
    def picking(self) -> bool:
        """Whether clicks choose a place of the picture now."""
        return self._click is not None

    def release_clicks(self, click: Click) -> None:
        """Take clicks no longer; nothing happens where another function has them."""
        if self._click is not None and self._click[0] == click:
            self._click = None

    def tell(self, title: str, words: str) -> None:
        """Show a note for some seconds."""
        self.client.add_notification(title, words, auto_close_seconds=NOTE_SECONDS)

    def fail(self, error: Exception) -> None:
        """Tell the person what could not be done."""
        known = isinstance(error, ReconError)
        words = str(error) if known else f"{type(error).__name__}: {first_line(error)}"
        now = time.monotonic()
        # What fails in one picture fails in the next one too, many times a second.
        if self._failed[0] != words or now - self._failed[1] > NOTE_SECONDS:
            self._failed = (words, now)
            self.tell("That did not work", words)

    def close(self) -> None:
        """Stop drawing: the browser has gone."""
        self._gone = True
        self._painter.close()
        for listener in self._on_close:
            listener()

    def _standpoint(self) -> Standpoint:
        camera = self.client.camera
        return Standpoint(
            np.array(camera.wxyz),
            np.array(camera.position),
            float(camera.fov),
            max(1, camera.image_width),
            max(1, camera.image_height),
        )

    async def _moved(self, camera: viser.CameraHandle) -> None:
        stood = self._look.at
        if stood is not None and not same_place(self._standpoint(), stood.camera):
            on_the_way = self._journey is not None and time.monotonic() < self._journey[1]
            if not on_the_way:
                self.alter(lambda look: replace(look, at=None))
        elif stood is not None:
            self._journey = None
        self._painter.move()

    def _clicked(self, event: viser.SceneClickEvent) -> None:
        if self._click is None:
            return
        try:
            self._click[0](*event.screen_pos)
        except ReconError as error:
            self.fail(error)

    def _scene_changed(self) -> None:
        self._forget_splats()
        self._painter.refresh()

    def _paint(self, size: Size) -> None:
        if self._look.drawing == "browser":
            self._let_the_browser_draw()
            return
        if self._splats is not None:
            self._splats.visible = False
        most = self.camera().height
        rows = self._pace.rows(most) if size is Size.MOVING else most
        began = time.monotonic()
        vantage = self.vantage(rows)
        picture = self.subject.picture(vantage)
        if self._gone:
            return
        self.client.scene.set_background_image(picture, "jpeg", jpeg_quality=QUALITY[size])
        self.client.flush()
        if size is Size.MOVING:
            self._pace.drawn(rows, time.monotonic() - began)
            return
        for listener in tuple(self._on_picture):
            listener(picture, vantage)

    def _let_the_browser_draw(self) -> None:
        if self._splats is None:
            splats = browser_splats(self.stage.scene.gaussians)
            self._splats = self.client.scene.add_gaussian_splats(
                "/splats", splats.centers, splats.covariances, splats.colors, splats.opacities
            )
        self._splats.visible = True
        self.client.scene.set_background_image(None)

    def _forget_splats(self) -> None:
        splats, self._splats = self._splats, None
        if splats is not None:
            splats.remove()


def middle(subject: Subject) -> float:
    """Return a distance to focus at before anybody has chosen: between near and far, in 1 / z."""
    near, far = subject.depths.near, subject.depths.far
    found = 2 / (1 / near + 1 / far)
    return found if math.isfinite(found) else near
