import threading
import time

from recon.viewer.painter import Painter, Size

PATIENCE = 20.0
"""Seconds until a test gives up on a thread."""


class Easel:
    """Paints one picture each time it is let."""

    def __init__(self) -> None:
        self.painted: list[Size] = []
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.failures: list[Exception] = []
        self.broken = False

    def paint(self, size: Size) -> None:
        self.painted.append(size)
        self.begun.release()
        assert self.let.acquire(timeout=PATIENCE)
        if self.broken:
            raise ValueError("no paint")

    def wait(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE)


def test_a_hundred_moves_while_one_picture_is_drawn_make_one_more() -> None:
    easel = Easel()
    painter = Painter(easel.paint, easel.failures.append)
    painter.move()
    easel.wait()
    for _ in range(100):
        painter.move()
    easel.let.release(10)
    easel.wait()
    easel.wait()
    painter.close()
    painter.join(PATIENCE)
    assert easel.painted == [Size.MOVING, Size.MOVING, Size.FULL]
    assert not easel.failures


def test_a_new_scene_is_drawn_full_at_once() -> None:
    easel = Easel()
    painter = Painter(easel.paint, easel.failures.append)
    easel.let.release(10)
    painter.refresh()
    easel.wait()
    painter.close()
    painter.join(PATIENCE)
    assert easel.painted == [Size.FULL]


def test_a_picture_that_fails_is_told_and_the_next_is_drawn() -> None:
    easel = Easel()
    painter = Painter(easel.paint, easel.failures.append)
    easel.broken = True
    easel.let.release()
    painter.refresh()
    easel.wait()
    while not easel.failures:
        time.sleep(0.01)
    easel.broken = False
    easel.let.release()
    painter.refresh()
    easel.wait()
    painter.close()
    painter.join(PATIENCE)
    assert [str(error) for error in easel.failures] == ["no paint"]
    assert easel.painted == [Size.FULL, Size.FULL]


def test_a_closed_painter_ends_without_drawing() -> None:
    easel = Easel()
    painter = Painter(easel.paint, easel.failures.append)
    painter.close()
    painter.join(PATIENCE)
    painter.move()
    time.sleep(0.05)
    assert not easel.painted
