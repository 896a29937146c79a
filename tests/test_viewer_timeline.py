"""Driving through a capture: steps, ways and laser points, the clock, then all in a browser."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import MemoryPhoto
from viewer_scenes import camera, stage, walls
from visitor import Visitor, visiting

from recon.core import HAS_CORE
from recon.drive_types import Returns, Sweep
from recon.errors import DataError
from recon.pictures import DepthRange, depth_picture
from recon.raster.choose import choose_rasterizer
from recon.types import Capture, Similarity, Split, View
from recon.viewer.address import Address
from recon.viewer.drive import Drive, lidar_points, shifted
from recon.viewer.player import Player
from recon.viewer.server import ViewerServer
from recon.viewer.subject import Source, Subject
from recon.viewer.timeline_panel import WAY

pytestmark = pytest.mark.usefixtures("one_thread")

RED, GREEN = (229, 26, 26), (26, 229, 26)
UP = np.array([0.0, -1.0, 0.0])
FORWARD = 1.0
"""Units a step, along z."""


@dataclass(frozen=True, eq=False)
class MemorySweep(Sweep):
    """Points that never were a file; None for a damaged one."""

    points: torch.Tensor | None = None

    def returns(self) -> Returns:
        if self.points is None:
            raise DataError("sweep: damaged")
        n = len(self.points)
        return Returns(
            self.points,
            torch.zeros(n),
            torch.ones(n, dtype=torch.uint8),
            torch.zeros(n, dtype=torch.uint8),
            torch.zeros(n, dtype=torch.bool),
            torch.zeros(n, 2, dtype=torch.uint8),
            torch.full((n, 2, 2), torch.nan),
        )

    def shown(self) -> Returns:
        return self.returns()


def view(step: int, sensor: str, x: float, index: int) -> View:
    at = camera(96, 64)
    pose = torch.eye(4)
    pose[0, 3], pose[2, 3] = -x, -FORWARD * index
    photo = MemoryPhoto(torch.zeros(64, 96, 3, dtype=torch.uint8))
    return View(f"{sensor}/{step}", at.moved(pose), photo, sensor=sensor, step=step)


def capture() -> Capture:
    """Four steps of two cameras, the right one not at the last; a laser at the first two."""
    steps = (3, 4, 6, 7)
    views = [view(step, "FRONT", -0.1, i) for i, step in enumerate(steps)]
    views += [view(step, "RIGHT", 0.1, i) for i, step in enumerate(steps[:3])]
    ahead = torch.cartesian_prod(
        torch.linspace(-0.7, -0.5, 9), torch.linspace(0.4, 0.7, 9), torch.tensor([1.5])
    )
    sweeps = (
        MemorySweep(0.0, 3, ("TOP",), ("FRONT", "RIGHT"), points=ahead),
        MemorySweep(0.1, 4, ("TOP",), ("FRONT", "RIGHT"), points=None),
    )
    return Capture(
        path=Path("drive"),
        format="test",
        views=tuple(sorted(views, key=lambda view: view.name)),
        split=Split(tuple(range(7)), (), "all"),
        points=None,
        metric=True,
        to_source=Similarity.shift(torch.zeros(3)),
        lidar=sweeps,
    )


def drive() -> Drive:
    found = Drive.of(capture())
    assert found is not None
    return found


def test_a_drive_knows_its_steps_cameras_and_way():
    found = drive()
    assert (found.steps, found.sensors) == ((3, 4, 6, 7), ("FRONT", "RIGHT"))
    assert found.view(2, "RIGHT").name == "RIGHT/6"
    assert found.view(3, "RIGHT").name == "RIGHT/6"
    np.testing.assert_allclose(found.path[:3], [[0, 0, FORWARD * i] for i in range(3)], atol=1e-7)
    np.testing.assert_allclose(found.path[3], [-0.1, 0, 3 * FORWARD], atol=1e-6)


def test_captures_without_time_are_no_drives():
    taken = capture()
    still = replace(taken, views=tuple(replace(view, step=None) for view in taken.views))
    assert Drive.of(still) is None
    one = replace(taken, views=taken.views[:1], split=Split((0,), (), "all"))
    assert Drive.of(one) is None


def test_right_is_right_of_the_way_also_while_the_car_waits():
    found = drive()
    np.testing.assert_allclose(found.to_the_right(1, UP), [1, 0, 0], atol=1e-6)
    waiting = replace(found, path=np.array([[0.0, 0, 0]] * 3 + [[0, 0, 1], [0, 0, 2]]))
    np.testing.assert_allclose(waiting.to_the_right(0, UP), [1, 0, 0])
    parked = replace(found, path=np.zeros((4, 3)))
    assert parked.to_the_right(2, UP).tolist() == [0, 0, 0]


def test_a_camera_beside_the_way_looks_the_same_way():
    at = drive().view(1, "FRONT").camera
    beside = shifted(at, np.array([2.0, 0.5, -1.0]))
    assert torch.equal(beside.world_to_camera[:3, :3], at.world_to_camera[:3, :3])
    expected = at.position + torch.tensor([2.0, 0.5, -1.0])
    torch.testing.assert_close(beside.position, expected)


def test_laser_points_have_the_colours_of_their_distance():
    span = DepthRange(1.0, 9.0)
    sweep = MemorySweep(0.0, 0, ("TOP",), (), points=torch.tensor([[0.0, 3, 4], [0, 0, 9]]))
    found = lidar_points(sweep, np.zeros(3), span)
    wanted = depth_picture(torch.tensor([[5.0, 9.0]]), torch.ones(1, 2, dtype=torch.bool), span)
    np.testing.assert_array_equal(found.colors, wanted[0])
    assert found.positions.tolist() == [[0, 3, 4], [0, 0, 9]]


def test_a_clock_ticks_until_it_is_stopped_or_fails():
    ticks, enough, failures = [], threading.Event(), []

    def tick() -> None:
        ticks.append(len(ticks))
        if len(ticks) >= 3:
            enough.set()

    player = Player(tick, failures.append)
    assert not player.plays
    player.start(lambda: 0.01)
    player.start(lambda: 0.01)
    assert enough.wait(10)
    player.stop()
    assert not player.plays
    time.sleep(0.05)
    count = len(ticks)
    time.sleep(0.1)
    assert len(ticks) == count
    assert not failures
    broken = Player(lambda: [][0], failures.append)
    broken.start(lambda: 0.0)
    until = time.monotonic() + 10
    while broken.plays and time.monotonic() < until:
        time.sleep(0.01)
    assert [type(error) for error in failures] == [IndexError]


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    if not HAS_CORE:
        pytest.skip("the reference is too slow for a page")
    seen = stage(walls(), choose_rasterizer())
    running = ViewerServer(Subject(seen, Source("drive", capture())), Address(port=18_540))
    yield running
    running.close()


@pytest.fixture
def visitor(chromium: object, server: ViewerServer) -> Iterator[Visitor]:
    with visiting(chromium, server.url, (0.2, 0.8)) as page:
        yield page


WIDER = 0.055
"""So much of the page's width the last Gaussians reach over the edge of the wall, a unit away."""


def seam(visitor: Visitor) -> float:
    """How far right of the middle red ends, as a share of the width."""
    row = visitor.seen()[int(0.8 * visitor.height), : int(0.6 * visitor.width)]
    return int((row[:, 0] > row[:, 1] + 60).sum()) / visitor.width - 0.5


def test_a_person_drives_and_looks_from_beside(visitor):
    visitor.slider("Time step").press("ArrowRight")
    visitor.wait(lambda: visitor.value("Photo") == "FRONT/4")
    # The red wall ends at x = 0, z = 2, but for the width of its Gaussians; the camera is at
    # x = -0.1, z = 1, and the page shows 90 degrees.
    visitor.wait(lambda: abs(seam(visitor) - WIDER - 0.1 / 2) < 0.03)
    visitor.choose("Camera", "RIGHT")
    visitor.wait(lambda: visitor.value("Photo") == "RIGHT/4")
    visitor.wait(lambda: abs(seam(visitor) - WIDER + 0.1 / 2) < 0.03)
    for _ in range(5):
        visitor.slider("To the right (m)").press("ArrowRight")
    visitor.wait(lambda: visitor.value("Photo") == "None: moving freely")
    visitor.wait(lambda: abs(seam(visitor) - WIDER + 0.6 / 2) < 0.03)


def test_the_drive_plays_by_itself(visitor):
    visitor.check("Play", True)
    seen = set()
    visitor.wait(
        lambda: seen.add(visitor.value("Photo")) or len(seen - {"None: moving freely"}) > 2
    )
    visitor.check("Play", False)
    visitor.page.wait_for_timeout(1500)
    stopped = visitor.value("Photo")
    visitor.page.wait_for_timeout(1500)
    assert visitor.value("Photo") == stopped


def test_the_way_and_the_laser_are_laid_over_the_picture(visitor, server):
    visitor.check("Show LiDAR", True)
    # Points at 1.5 ahead, from -0.7 to -0.5, and 0.4 to 0.7 below: about 1.7 away.
    span = server._subject.depths
    color = depth_picture(torch.tensor([[1.7]]), torch.ones(1, 1, dtype=torch.bool), span)[0, 0]
    visitor.press("Back to the start")

    def found() -> bool:
        return bool((np.abs(visitor.seen() - color.astype(int)).max(axis=-1) < 25).sum() > 30)

    visitor.wait(found)
    visitor.check("Show LiDAR", False)
    visitor.wait(lambda: not found())
    visitor.check("Show the way", True)
    visitor.wait(lambda: bool((np.abs(visitor.seen() - WAY).max(axis=-1) < 90).sum() > 20))
    visitor.slider("Time step").press("ArrowRight")
    visitor.check("Show LiDAR", True)
    visitor.wait(lambda: visitor.reads("sweep: damaged"))
