"""Priors in a fit: predicted once, brought to the capture's scale, refused where that fails."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from recon.camera import unproject
from recon.errors import DataError
from recon.evidence.interface import Evidence
from recon.evidence.store import Store
from recon.prior_provider import PriorProvider
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import (
    Camera,
    Capture,
    DepthKind,
    DepthMap,
    Photo,
    PointCloud,
    Similarity,
    Split,
    View,
)

WIDTH, HEIGHT = 40, 30


class Grey(Photo):
    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        return torch.full((HEIGHT, WIDTH, 3), 90, dtype=torch.uint8)

    def valid(self) -> None:
        return None

    def depth(self) -> None:
        return None

    def sky(self) -> None:
        return None


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
    view = View("a", CAMERA, Grey())
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
