"""A person in front of the viewer's page: turns its controls, clicks, and looks at the picture."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

PATIENCE = 20.0
"""Seconds until what should happen is taken not to."""


RED = (229, 26, 26)
"""Of the wall that pages of tests begin with."""


@contextmanager
def visiting(chromium: Any, url: str, place: tuple[float, float]) -> Iterator["Visitor"]:
    """Open a page, wait until a place of it shows the red wall, and see that nothing failed."""
    page = Visitor(chromium, url)
    page.wait_for_color(*place, RED, 30)
    yield page
    assert not page.problems
    page.close()


class Visitor:
    """One browser window on a page. Controls are found by their labels, as a person finds them."""

    def __init__(self, chromium: Any, url: str, width: int = 900, height: int = 600) -> None:
        self.context = chromium.new_context(viewport={"width": width, "height": height})
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.opened = time.perf_counter()
        self.page.goto(url)
        self.page.get_by_label("Layer", exact=True).wait_for()

    def close(self) -> None:
        self.context.close()

    def choose(self, label: str, option: str) -> None:
        """Take an entry of a list."""
        self.page.get_by_label(label, exact=True).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def check(self, label: str, on: bool) -> None:
        box = self.page.get_by_label(label, exact=True)
        if box.is_checked() != on:
            box.click()

    def fill(self, label: str, value: float) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(f"{value:g}")
        field.press("Enter")
        field.blur()

    def slider(self, label: str) -> Any:
        """The thumb of a slider, which takes keys."""
        row = self.page.locator("div", has=self.page.get_by_text(label, exact=True))
        return row.filter(has=self.page.get_by_role("slider")).last.get_by_role("slider").first

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).first.click()

    def value(self, label: str) -> str:
        found: str = self.page.get_by_label(label, exact=True).input_value()
        return found

    def reads(self, text: str) -> bool:
        """Whether the page says so anywhere."""
        return bool(self.page.get_by_text(text).count())

    def click(self, x: float, y: float) -> None:
        """Click into the picture, at a place from (0, 0) to (1, 1)."""
        self.page.mouse.click(x * self.width, y * self.height)

    def drag(self, x: float, y: float, dx: int, dy: int) -> None:
        """Turn the camera."""
        self.page.mouse.move(x * self.width, y * self.height)
        self.page.mouse.down()
        self.page.mouse.move(x * self.width + dx, y * self.height + dy, steps=4)
        self.page.mouse.up()

    @staticmethod
    def camera_of(server: Any) -> tuple[float, ...]:
        """Where the only browser of a server stands, and which way it looks."""
        (session,) = server._sessions.values()
        camera = session.client.camera
        return (*camera.position.round(4), *camera.wxyz.round(4))

    @property
    def width(self) -> int:
        return int(self.page.viewport_size["width"])

    @property
    def height(self) -> int:
        return int(self.page.viewport_size["height"])

    def seen(self) -> np.ndarray:
        """What is on the screen, h w 3, RGB."""
        file = np.frombuffer(self.page.screenshot(), np.uint8)
        return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1].astype(int)

    def color(self, x: float, y: float) -> np.ndarray:
        """The mean colour around a place of the screen, from (0, 0) to (1, 1)."""
        row, column = round(y * self.height), round(x * self.width)
        return self.seen()[row - 4 : row + 5, column - 4 : column + 5].mean(axis=(0, 1))

    def wait(self, happens: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < until, "it did not happen"
            self.page.wait_for_timeout(50)

    def click_until(self, x: float, y: float, happens: Callable[[], bool]) -> None:
        """Click a place as a person does: again, if for some seconds nothing comes of it.

        What was switched a moment ago may not have reached the page yet.
        """
        until = time.monotonic() + PATIENCE
        while not happens():
            assert time.monotonic() < until, "it did not happen"
            self.click(x, y)
            again = time.monotonic() + PATIENCE / 5
            while not happens() and time.monotonic() < again:
                self.page.wait_for_timeout(50)

    def wait_for_color(self, x: float, y: float, color: Any, tolerance: float = 12) -> None:
        """Wait until a place of the screen has a colour."""
        until = time.monotonic() + PATIENCE
        while np.abs(self.color(x, y) - color).max() > tolerance:
            assert time.monotonic() < until, f"{self.color(x, y)} is not {color}"
            self.page.wait_for_timeout(50)

    def wait_for_other_color(self, x: float, y: float, color: Any, tolerance: float = 40) -> None:
        """Wait until a place of the screen has no longer a colour."""
        self.wait(lambda: bool(np.abs(self.color(x, y) - color).max() > tolerance))
