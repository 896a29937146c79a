"""Priors in a fit: predicted once, brought to the capture's scale, refused where that fails."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photos import MemoryPhoto
from torch import Tensor

from recon.camera import unproject
from recon.errors import DataError, UsageError
from recon.evidence.interface import DenseDepth, Evidence, Need, Provider
from recon.evidence.shuffled import Shuffled
from recon.evidence.store import Store
from recon.prior_provider import PriorProvider, nearest_views
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import (
    Camera,
    Capture,
    DepthKind,
    DepthMap,
    PointCloud,
    Similarity,
    Split,
    View,
)

WIDTH, HEIGHT = 40, 30


GREY = MemoryPhoto(torch.full((HEIGHT, WIDTH, 3), 90, dtype=torch.uint8))


def truth() -> Tensor:
    return torch.linspace(4, 20, WIDTH).expand(HEIGHT, WIDTH).contiguous()


class Guess(DepthPrior):
    """The true depth times a factor, and not valid in one corner."""

    def __init__(self, factor: float, kind: DepthKind) -> None:
        self.factor, self.kind, self.asked = factor, kind, 0

    @property
    def name(self) -> str:
        return "guess"

    @property
    def uses_focal_length(self) -> bool:
        return False

    def identity(self) -> str:
        return f"guess {self.factor} {self.kind}"

    def predict(self, frame: Frame) -> PriorDepth:
        self.asked += 1
        valid = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
        valid[:5, :5] = False
        return PriorDepth(DepthMap(self.factor * truth() * valid, valid, self.kind))


CAMERA = Camera(torch.eye(4), 30.0, 30.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)


def capture(points: bool, metric: bool) -> Capture:
    rows, columns = torch.meshgrid(torch.arange(0, HEIGHT, 3), torch.arange(WIDTH), indexing="ij")
    pixels = torch.stack([columns.flatten(), rows.flatten()], -1) + 0.5
    positions = unproject(CAMERA, pixels, truth()[rows.flatten(), columns.flatten()])
    cloud = PointCloud(positions, torch.zeros(len(positions), 3, dtype=torch.uint8))
    view = View("a", CAMERA, GREY)
    identity = Similarity.shift(torch.zeros(3))
    split = Split((0,), (), "all")
    return Capture(
        Path("made"), "made", (view,), split, cloud if points else None, metric, identity
    )


@pytest.mark.parametrize("kind", [DepthKind.SCALE, DepthKind.METRIC, DepthKind.AFFINE_DISPARITY])
def test_a_prior_gets_the_scale_of_the_points(tmp_path: Path, kind: DepthKind) -> None:
    taken = capture(points=True, metric=False)
    provider = PriorProvider(Guess(0.37, kind), taken, Store(tmp_path))
    found = provider.add(Evidence(), taken.views[0]).prior
    assert found is not None
    known = found.confidence > 0
    assert torch.allclose(found.depth[known], truth()[known], rtol=0.01)
    assert not bool(known[:5, :5].any())
    assert float(found.depth[:5, :5].abs().max()) == 0


def test_it_is_asked_once_for_a_photo(tmp_path: Path) -> None:
    taken = capture(points=True, metric=False)
    first, again = Guess(0.5, DepthKind.SCALE), Guess(0.5, DepthKind.SCALE)
    one = PriorProvider(first, taken, Store(tmp_path)).add(Evidence(), taken.views[0]).prior
    two = PriorProvider(again, taken, Store(tmp_path)).add(Evidence(), taken.views[0]).prior
    assert one is not None
    assert two is not None
    assert (first.asked, again.asked) == (1, 0)
    assert torch.equal(one.depth, two.depth)
    other = Guess(0.6, DepthKind.SCALE)
    PriorProvider(other, taken, Store(tmp_path)).add(Evidence(), taken.views[0])
    assert other.asked == 1


def test_without_points_only_metres_can_be_taken(tmp_path: Path) -> None:
    metric = capture(points=False, metric=True)
    provider = PriorProvider(Guess(1.1, DepthKind.METRIC), metric, Store(tmp_path))
    found = provider.add(Evidence(), metric.views[0]).prior
    assert found is not None
    assert float(found.depth[20, 20]) == pytest.approx(1.1 * float(truth()[20, 20]))
    for kind, taken in (
        (DepthKind.SCALE, metric),
        (DepthKind.METRIC, replace(metric, metric=False)),
    ):
        provider = PriorProvider(Guess(1.1, kind), taken, Store(tmp_path))
        with pytest.raises(DataError, match="scale of the prior guess"):
            provider.add(Evidence(), taken.views[0])


def test_metres_of_its_own_need_metres_on_both_sides(tmp_path: Path) -> None:
    taken = capture(points=True, metric=False)
    prior = Guess(1.0, DepthKind.METRIC)
    provider = PriorProvider(prior, taken, Store(tmp_path), own_scale=True)
    with pytest.raises(DataError, match=r"--prior\.scale own"):
        provider.add(Evidence(), taken.views[0])


def view_at(name: str, x: float, turned: float = 0.0) -> View:
    pose = torch.eye(4, dtype=torch.float64)
    cos, sin = math.cos(turned), math.sin(turned)
    pose[:3, :3] = torch.tensor([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=torch.float64)
    pose[:3, 3] = -pose[:3, :3] @ torch.tensor([x, 0, 0], dtype=torch.float64)
    camera = Camera(pose, 30.0, 30.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    return View(name, camera, GREY)


def test_neighbours_are_near_and_look_the_same_way() -> None:
    views = [view_at("a", 0), view_at("b", 3), view_at("c", 1), view_at("d", 0.5, turned=1.6)]
    views.append(view_at("e", 0))
    assert [v.name for v in nearest_views(views[0], views, 2)] == ["c", "b"]
    assert nearest_views(views[0], views, 0) == []


def test_what_neighbours_contradict_is_believed_less(tmp_path: Path) -> None:
    """A wall at 8 m seen from two places; in one corner one prior says 5 m."""
    views = (view_at("a", 0), view_at("b", 0.4))
    alone = replace(capture(points=False, metric=True), views=views, split=Split((0, 1), (), ""))

    class Wall(Guess):
        def predict(self, frame: Frame) -> PriorDepth:
            z = torch.full((HEIGHT, WIDTH), 8.0)
            if frame.name == "a":
                z[:10, 10:20] = 5.0
            return PriorDepth(DepthMap(z, torch.ones_like(z).bool(), DepthKind.METRIC))

    provider = PriorProvider(
        Wall(1.0, DepthKind.METRIC), alone, Store(tmp_path), own_scale=True, neighbours=1
    )
    prior = provider.add(Evidence(), views[0]).prior
    assert prior is not None
    assert float(prior.confidence[:10, 12:18].max()) < 0.2
    assert float(prior.confidence[15:, 5:30].min()) > 0.85


def test_shuffled_priors_are_those_of_other_photos() -> None:
    views = tuple(view_at(str(i), float(i)) for i in range(5))

    class Numbered(Provider):
        gives = Need.PRIOR

        def add(self, evidence: Evidence, view: View) -> Evidence:
            z = torch.full((HEIGHT, WIDTH), float(view.name))
            return replace(evidence, prior=DenseDepth(z, torch.ones_like(z)))

    shuffled = Shuffled(Numbered(), views)
    found = [shuffled.add(Evidence(), view).prior for view in views]
    numbers = [int(prior.depth[0, 0]) for prior in found if prior is not None]
    assert sorted(numbers) == [0, 1, 2, 3, 4]
    assert all(number != i for i, number in enumerate(numbers))
    with pytest.raises(UsageError, match="two"):
        Shuffled(Numbered(), views[:1])
