"""Dense depth: its costs and paths against plain loops, its result against a wall that is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import write_transforms
from planes import from_one_place, wall_capture, wall_depth, wall_scene
from torch import Tensor

from recon.camera import pixel_centres, project
from recon.commands.capture import capture_of
from recon.config import FitSettings
from recon.datasets.reader import ReadOptions
from recon.dense_points import SHARE, with_dense_points
from recon.errors import DataError
from recon.matching.dense_depth import STEPS, DenseOptions, dense_depths
from recon.matching.plane_sweep import FLAT, WINDOW, GreyPhoto, photo_costs
from recon.matching.semi_global import cheapest, smoothed
from recon.start_points import Start
from recon.types import Camera, Capture, Photo, View

pytestmark = pytest.mark.usefixtures("one_thread")

SCENE = wall_scene()
FOCAL = 40.0
CAP = 20_000


def camera(x: float, width: int, height: int) -> Camera:
    """Looks along z from x on the x axis."""
    pose = torch.eye(4)
    pose[0, 3] = -x
    return Camera(pose, FOCAL, FOCAL, width / 2, height / 2, width, height)


def grey_photo(grey: np.ndarray, x: float) -> GreyPhoto:
    height, width = grey.shape
    usable = np.ones(grey.shape, dtype=bool)
    return GreyPhoto(grey.astype(np.float32), usable, camera(x, width, height))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two windows, in float64."""
    product = float((a * b).mean() - a.mean() * b.mean())
    return product / (a.std() * b.std() + FLAT)


def test_costs_are_those_of_windows_that_a_plane_brings_together() -> None:
    """A camera one unit to the right sees a plane at FOCAL / 3 three pixels farther left."""
    generator = np.random.default_rng(0)
    wide = generator.random((24, 50))
    here, there = wide[:, :40], 0.5 * wide[:, 3:43] + 0.2
    photo, other = grey_photo(here, 0.0), grey_photo(there, 1.0)
    inverse = np.array([1 / FOCAL, 3 / FOCAL, 5 / FOCAL])
    costs = photo_costs(photo, [other], inverse)
    half = WINDOW // 2
    for row, column in ((8, 15), (12, 22), (15, 30)):
        rows = slice(row - half, row + half + 1)
        mine = here[rows, column - half : column + half + 1]
        for plane, shift in enumerate((1, 3, 5)):
            theirs = there[rows, column - shift - half : column - shift + half + 1]
            expected = 1 - min(max(correlation(mine, theirs), 0), 1)
            assert costs[row, column, plane] == pytest.approx(expected, abs=2e-3)
    assert float(costs[6:-6, 10:-6, 1].max()) < 0.03


def test_what_one_photo_hides_the_others_show() -> None:
    generator = np.random.default_rng(1)
    wide = generator.random((24, 50))
    photo = grey_photo(wide[:, 3:43], 0.0)
    right, left = grey_photo(wide[:, 6:46], 1.0), grey_photo(wide[:, :40], -1.0)
    hidden = grey_photo(generator.random((24, 40)), 1.0)
    inverse = np.array([0.5 / FOCAL, 3 / FOCAL])
    both = photo_costs(photo, [right, left, hidden], inverse)
    assert float(both[6:-6, 8:-8, 1].max()) < 0.05
    assert float(both[6:-6, 8:-8, 0].mean()) > 0.6


def cheapest_paths(costs: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Of one line, from its first pixel, by Hirschmüller's equation 13 as it is written."""
    length, depths = costs.shape
    path = np.zeros((length, depths))
    path[0] = costs[0]
    for i in range(1, length):
        jump = max(STEPS.jump / (1 + STEPS.edge * abs(grey[i] - grey[i - 1])), STEPS.least)
        lowest = path[i - 1].min()
        for d in range(depths):
            ways = [path[i - 1][d], lowest + jump]
            ways += [path[i - 1][e] + STEPS.small for e in (d - 1, d + 1) if 0 <= e < depths]
            path[i][d] = costs[i][d] + min(ways) - lowest
    return path


def test_paths_are_added_from_four_sides() -> None:
    generator = np.random.default_rng(2)
    costs = generator.random((6, 7, 5)).astype(np.float32)
    grey = generator.random((6, 7)).astype(np.float32)
    expected = np.zeros(costs.shape)
    for row in range(6):
        line, shade = costs[row], grey[row]
        expected[row] += cheapest_paths(line, shade) + cheapest_paths(line[::-1], shade[::-1])[::-1]
    for column in range(7):
        line, shade = costs[:, column], grey[:, column]
        both = cheapest_paths(line, shade) + cheapest_paths(line[::-1], shade[::-1])[::-1]
        expected[:, column] += both
    assert np.allclose(smoothed(costs, grey, STEPS), expected, atol=1e-5)


def test_the_cheapest_place_lies_between_planes() -> None:
    places = np.linspace(0.1, 0.9, 9).astype(np.float32)
    lowest = np.array([[0.1, 0.43, 0.77, 0.9]], dtype=np.float32)
    costs = (places - lowest[..., None]) ** 2
    assert np.allclose(cheapest(costs.astype(np.float32), places), lowest, atol=1e-4)


def wall_error(view: View, camera: Camera, depth: Tensor, valid: Tensor) -> Tensor:
    pixels = pixel_centres(camera)[valid.flatten()].double()
    centre = torch.tensor([camera.cx, camera.cy]).double()
    rays = (pixels - centre) / torch.tensor([camera.fx, camera.fy]).double()
    rays = torch.cat([rays, torch.ones(len(rays), 1).double()], dim=1)
    truth = wall_depth(camera.world_to_camera.double(), rays)
    return (depth[valid].double() / truth - 1).abs()


def test_a_wall_is_found_where_it_is() -> None:
    capture = wall_capture(SCENE, points=True)
    assert capture.points is not None
    found = dense_depths(capture.train, capture.points.positions, DenseOptions(width=160))
    for view, photo in zip(capture.train, found, strict=True):
        assert float(photo.depth.valid.float().mean()) > 0.45
        error = wall_error(view, photo.camera, photo.depth.z, photo.depth.valid)
        assert float(error.median()) < 0.003
        assert float(error.quantile(0.95)) < 0.008


def test_depth_that_poses_contradict_is_not_confirmed() -> None:
    capture = wall_capture(SCENE, points=True)
    assert capture.points is not None
    views = list(capture.train)
    turned = views[1].camera.world_to_camera.clone()
    turned[1, 3] += 0.15
    views[1] = replace(views[1], camera=replace(views[1].camera, world_to_camera=turned))
    points, options = capture.points.positions, DenseOptions(width=160, others=2)
    right = dense_depths(capture.train, points, options)[1].depth.valid.float().mean()
    wrong = dense_depths(views, points, options)[1].depth.valid.float().mean()
    assert float(wrong) < 0.3 * float(right)


class Masked(Photo):
    """A photo whose left half is not to be used."""

    def __init__(self, photo: Photo) -> None:
        self._photo = photo

    def pixels(self) -> Tensor:
        return self._photo.pixels()

    def valid(self) -> Tensor:
        height, width = self.pixels().shape[:2]
        return (torch.arange(width) >= width // 2).expand(height, width)

    def depth(self) -> None:
        return None

    def sky(self) -> None:
        return None


def masked(capture: Capture) -> Capture:
    views = tuple(replace(view, photo=Masked(view.photo)) for view in capture.views)
    return replace(capture, views=views)


def test_masked_pixels_have_no_depth() -> None:
    capture = masked(wall_capture(SCENE, points=True))
    assert capture.points is not None
    for photo in dense_depths(capture.train, capture.points.positions, DenseOptions(width=160)):
        assert not bool(photo.depth.valid[:, :80].any())
        assert bool(photo.depth.valid.any())


def test_points_are_confirmed_pixels_of_training_photos() -> None:
    capture = wall_capture(SCENE, held_out=(2,), points=True)
    one, two = (with_dense_points(capture, CAP, seed=3) for _ in range(2))
    assert one.points is not None
    assert two.points is not None
    assert capture.points is not None
    brought = len(capture.points)
    assert len(one.points) <= brought + int(SHARE * CAP) + len(capture.train)
    assert len(one.points) > brought + 5_000
    assert torch.equal(one.points.positions, two.points.positions)
    distance = one.points.positions[brought:, 2].abs()
    assert float(distance.median()) < 0.02
    assert "3 training photos" in one.notes[-1]
    assert not one.warnings
    first = slice(brought, brought + 1_000)
    view = capture.train[0]
    pixels, _ = project(view.camera, one.points.positions[first])
    column, row = pixels.long().unbind(-1)
    assert torch.equal(view.photo.pixels()[row, column], one.points.colors[first])


def test_where_no_depth_can_be_had_a_warning_says_why() -> None:
    turning = wall_capture(from_one_place(SCENE), points=True)
    found = with_dense_points(turning, CAP, seed=0)
    assert found.points is turning.points
    assert "from different places" in found.warnings[-1]
    unknown = with_dense_points(wall_capture(SCENE), CAP, seed=0)
    assert "no points" in unknown.warnings[-1]
    behind = torch.tensor([[0.0, 0.0, -50.0]])
    with pytest.raises(DataError, match="no view sees"):
        dense_depths(wall_capture(SCENE).train, behind)


@pytest.mark.parametrize(
    ("start", "brought", "more"),
    [
        ("points", False, True),
        ("points", True, False),
        ("dense", True, True),
        ("matches", False, False),
        ("random", False, False),
    ],
)
def test_poses_alone_begin_from_dense_depth(
    start: Start, brought: bool, more: bool, tmp_path: Path
) -> None:
    write_transforms(tmp_path / "wall", wall_scene(4, 200, 150))
    if not brought:
        (tmp_path / "wall" / "points.ply").unlink()
    read = ReadOptions(start=start, hold_every=0)
    capture = capture_of(FitSettings(tmp_path / "wall", read=read).resolved(), quiet=True)
    assert any("agree about depth" in note for note in capture.notes) == more
    assert (capture.points is None) == (start == "random")
