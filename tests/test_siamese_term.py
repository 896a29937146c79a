"""The term of predicted blur, in closed form, and who provides what it asks for."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photos import MemoryPhoto

from recon.arms import ARMS
from recon.coc_provider import CocProvider
from recon.config import FitSettings
from recon.evidence.coc import CocEstimator, CocMap
from recon.evidence.interface import Evidence
from recon.evidence.store import Store
from recon.losses.siamese_coc import SiameseCoc
from recon.optics import thin_lens
from recon.supervise import Sample
from recon.types import Camera, Exif, ThinLens, View

TERM = SiameseCoc(begin=0.0, cap=50.0)
LENS = thin_lens(10.0, 2.0)


def at_depth(sample: Sample, z: float, found: CocMap | None) -> tuple[Sample, torch.Tensor]:
    """The sample with a wall that fills the picture at a depth."""
    depth = torch.full((24, 32), z, requires_grad=True)
    render = replace(sample.render, expected_depth=depth, alpha=torch.ones(24, 32))
    return replace(sample, render=render, evidence=Evidence(coc=found), lens=LENS), depth


def everywhere(size: float, spread: float, behind: float) -> CocMap:
    return CocMap(*(torch.full((24, 32), value) for value in (size, spread, behind)))


def test_the_penalty_is_the_likelihood_of_both_sides(sample: Sample) -> None:
    # At 4 m, c = 10 (1/2 - 1/4) = 2.5 px.
    there, _ = at_depth(sample, 4.0, everywhere(1.5, 0.5, 0.8))
    expected = -math.log(0.8 * math.exp(-1.0 / 0.5) + 0.2 * math.exp(-4.0 / 0.5))
    assert float(TERM.penalty(there).detach()) == pytest.approx(expected, rel=1e-5)
    capped = replace(TERM, cap=0.5)
    assert float(capped.penalty(there).detach()) == 0.5


@pytest.mark.parametrize(("z", "behind"), [(3.0, 0.9), (8.0, 0.9), (1.2, 0.1), (1.7, 0.1)])
def test_depth_is_pulled_to_where_the_lens_blurs_as_much(
    sample: Sample, z: float, behind: float
) -> None:
    there, depth = at_depth(sample, z, everywhere(2.5, 0.3, behind))
    TERM.penalty(there).backward()
    assert depth.grad is not None
    # c = 2.5 px at 4 m behind the focus, and -2.5 px at 4/3 m before it.
    goal = 4.0 if behind > 0.5 else 4 / 3
    assert float(-depth.grad.sum()) * (goal - z) > 0


def test_it_is_silent_without_lens_or_map_and_before_its_time(sample: Sample) -> None:
    there, _ = at_depth(sample, 4.0, everywhere(1.5, 0.5, 0.8))
    unseen, _ = at_depth(sample, 4.0, None)
    for silent in (replace(there, lens=None), unseen):
        assert float(TERM.penalty(silent).detach()) == 0
    late = replace(TERM, begin=0.5)
    assert float(late.penalty(there).detach()) == 0
    assert float(late.penalty(replace(there, progress=0.6)).detach()) > 0
    assert FitSettings(Path()).supervision.siamese_coc.weight == 0


class Brightness(CocEstimator):
    """Takes bright pixels for blurred ones, and counts how often it was asked."""

    asked = 0
    told: ThinLens | None = None

    @property
    def name(self) -> str:
        return "brightness"

    def identity(self) -> str:
        return "brightness-1"

    def estimate(self, pixels: torch.Tensor, lens: ThinLens | None = None) -> CocMap:
        self.asked, self.told = self.asked + 1, lens
        size = pixels.float().mean(-1)
        return CocMap(size, torch.ones_like(size), torch.full_like(size, 0.5))


def test_a_photo_is_looked_at_once_and_its_lens_is_told(tmp_path: Path) -> None:
    camera = Camera(torch.eye(4), 100.0, 100.0, 16.0, 12.0, 32, 24)
    photo = MemoryPhoto((torch.rand(24, 32, 3) * 255).to(torch.uint8))
    exif = Exif(f_number=2.0, focal_length_mm=50.0, focus_distance=3.0)
    view = View("a.png", camera, photo, exif)
    estimator = Brightness()
    provider = CocProvider(estimator, True, Store(tmp_path))
    first, second = (provider.add(Evidence(), view).coc for _ in range(2))
    assert estimator.asked == 1
    assert first is not None
    assert second is not None
    assert torch.equal(first.size, second.size)
    assert torch.equal(first.size, photo.pixels().float().mean(-1))
    assert estimator.told is not None
    assert float(estimator.told.strength) == pytest.approx(0.025 * 100)
    CocProvider(estimator, False, Store(tmp_path)).add(Evidence(), view)
    assert estimator.asked == 2
    assert estimator.told is None


def test_the_arm_asks_for_the_term_and_a_lens() -> None:
    changed = ARMS["siamese"].change(FitSettings(Path()))
    assert changed.supervision.siamese_coc.weight > 0
    assert changed.parts.lens == "learned"
