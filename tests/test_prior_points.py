"""Start points from a depth prior: where it is believed, and from training photos only."""

from dataclasses import replace

import pytest
import torch
from photos import MemoryPhoto
from planes import wall_capture, wall_scene

from recon.errors import UsageError
from recon.prior_points import POINTS, with_points_from_prior
from recon.providers import PriorSettings
from recon.types import Capture, DepthKind, DepthMap, Photo

pytestmark = pytest.mark.usefixtures("one_thread")
SCENE = wall_scene()


def half_known(photo: Photo) -> MemoryPhoto:
    """A photo whose depth is 5, and unknown in its left half."""
    height, width = photo.pixels().shape[:2]
    known = torch.zeros(height, width, dtype=torch.bool)
    known[:, width // 2 :] = True
    depth = DepthMap(torch.full((height, width), 5.0), known, DepthKind.METRIC)
    return MemoryPhoto(photo.pixels(), depth=depth)


def with_depth(held_out: tuple[int, ...] = ()) -> Capture:
    capture = wall_capture(SCENE, held_out=held_out)
    views = tuple(
        view if i in held_out else replace(view, photo=half_known(view.photo))
        for i, view in enumerate(capture.views)
    )
    return replace(capture, views=views)


def test_points_are_believed_pixels_of_training_photos() -> None:
    capture = with_depth(held_out=(0,))
    found = with_points_from_prior(capture, PriorSettings("capture"), seed=0)
    assert found.points is not None
    assert len(found.points) <= POINTS + len(capture.train)
    share = -(-POINTS // len(capture.train))
    height, width = capture.train[0].photo.pixels().shape[:2]
    known = height * (width - width // 2)
    assert len(found.points) == len(capture.train) * min(share, known)
    first = found.points.positions[: min(share, known)].double()
    pose = capture.train[0].camera.world_to_camera.double()
    local = first @ pose[:3, :3].T + pose[:3, 3]
    assert torch.allclose(local[:, 2], torch.full((len(local),), 5.0).double(), atol=1e-4)
    camera = capture.train[0].camera
    x = local[:, 0] / local[:, 2] * camera.fx + camera.cx
    assert float(x.min()) > width // 2
    assert "3 training photos" in found.notes[-1]


def test_the_same_seed_gives_the_same_points() -> None:
    capture, settings = with_depth(), PriorSettings("capture")
    one, two = (with_points_from_prior(capture, settings, seed=3).points for _ in range(2))
    assert one is not None
    assert two is not None
    assert torch.equal(one.positions, two.positions)


def test_own_points_stay() -> None:
    brought = wall_capture(SCENE, points=True)
    assert brought.points is not None
    capture = replace(with_depth(), points=brought.points)
    found = with_points_from_prior(capture, PriorSettings("capture"), seed=0).points
    assert found is not None
    assert torch.equal(found.positions[: len(brought.points)], brought.points.positions)


def test_without_a_prior_it_says_what_is_missing() -> None:
    with pytest.raises(UsageError, match=r"--prior\.model"):
        with_points_from_prior(with_depth(), PriorSettings(), seed=0)
