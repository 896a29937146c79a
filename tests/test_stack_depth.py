"""Depth from whole focal stacks, against exact scenes and plain loops."""

import math

import cv2
import numpy as np
import pytest
import torch

from recon.datasets.synthetic.painted import paint
from recon.defocus import blur
from recon.errors import UsageError
from recon.evidence.coc import CocMap
from recon.matching.semi_global import cheapest, smoothed
from recon.networks.stack_depth import STEPS, between, stack_depth
from recon.networks.stack_misfit import DISCS, Blurs, disc, misfits, noise, variance
from recon.optics import signed_coc, thin_lens
from recon.srgb import to_srgb
from recon.types import ThinLens

pytestmark = pytest.mark.usefixtures("one_thread")


def knows_nothing(height: int, width: int) -> CocMap:
    return CocMap(
        torch.full((height, width), 5.0),
        torch.full((height, width), 1e3),
        torch.full((height, width), 0.5),
    )


def painted_stack(
    count: int, seed: int = 3
) -> tuple[list[torch.Tensor], list[ThinLens], torch.Tensor]:
    """Return photos of a painted scene at planes of focus over its range, and its nearness."""
    scene = paint(np.random.default_rng([seed, 9]), 72, 96)
    nearness = torch.from_numpy(scene.nearness)
    light = torch.from_numpy(scene.light).clamp(0, 1)
    low, high = float(nearness.min()), float(nearness.max())
    lenses = [thin_lens(9 / (high - low), 1 / f) for f in np.linspace(low, high, count).tolist()]
    photos = []
    for lens in lenses:
        seen = blur(light, signed_coc(1 / nearness, lens).contiguous(), encoded=False)
        photos.append((255 * to_srgb(seen)).round().clamp(0, 255).to(torch.uint8))
    return photos, lenses, nearness


@pytest.mark.parametrize("diameter", [4.0, 8.0, 16.0])
def test_discs_have_the_variance_of_discs(diameter: float) -> None:
    """That is c² / 16 along an axis, and a pixel's own 1 / 12."""
    assert variance(disc(diameter)) == pytest.approx(diameter**2 / 16 + 1 / 12, abs=0.05)


def test_blurs_keep_light_and_spread_a_point() -> None:
    point = torch.zeros(41, 41, 3)
    point[20, 20] = 1
    blurs = Blurs.of(point)
    assert torch.allclose(blurs.levels.sum((1, 2)), torch.ones(len(DISCS), 3), atol=1e-4)
    wide = blurs.levels[DISCS.index(8.0)][..., 0]
    assert float(wide[20, 20]) == pytest.approx(1 / (math.pi * 16), rel=0.02)
    assert float(wide[20, 25]) == 0
    for added in (0.0, 0.1, 0.5, 1.7, 9.0):
        seen = blurs.at(added)[..., 0]
        assert variance(seen.numpy()) == pytest.approx(added, abs=1e-3)


def test_the_true_plane_leaves_least() -> None:
    """A textured wall at one depth: where no slice is sharp, relative blur must tell it."""
    generator = torch.Generator().manual_seed(0)
    wall = cv2.GaussianBlur(torch.rand(64, 64, 3, generator=generator).numpy(), (0, 0), 1.0)
    lenses = [thin_lens(8.0, 1 / f) for f in (0.2, 0.8)]
    light = [
        torch.from_numpy(cv2.filter2D(wall, -1, disc(abs(8 * (0.55 - f))))) for f in (0.2, 0.8)
    ]
    planes = torch.linspace(0.2, 0.8, 61)
    best = planes[misfits(light, lenses, planes)[:, 12:-12, 12:-12].mean((1, 2)).argmin()]
    assert float(best) == pytest.approx(0.55, abs=0.03)


def test_noise_is_measured() -> None:
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, 80)[:, None, None].expand(80, 90, 3)
    grain = 0.03 * torch.randn(80, 90, 1, generator=generator)
    assert noise(ramp.contiguous()) == pytest.approx(0, abs=1e-6)
    assert noise(ramp + grain) == pytest.approx(0.03, rel=0.1)


def test_a_path_costs_what_a_plain_search_finds() -> None:
    """On one row: the least cost of a path to each plane from the left, and from the right."""
    generator = torch.Generator().manual_seed(1)
    costs = torch.rand(5, 1, 7, generator=generator)
    flat = torch.zeros(1, 7)
    n, k = 5, 7

    def step(a: int, b: int) -> float:
        return 0.0 if a == b else STEPS.small if abs(a - b) == 1 else STEPS.jump

    def search(row: torch.Tensor) -> torch.Tensor:
        best = [row[:, 0].tolist()]
        for at in range(1, k):
            best.append(
                [
                    float(row[p, at]) + min(best[-1][q] + step(p, q) for q in range(n))
                    for p in range(n)
                ]
            )
        return torch.tensor(best).T

    row = costs[:, 0]
    ways = search(row), search(row.flip(1)).flip(1)
    by_pixel = costs.permute(1, 2, 0).contiguous().numpy()
    found = torch.from_numpy(smoothed(by_pixel, flat.numpy(), STEPS))[0].T
    # Each way counts from its own least, and up and down there is nothing but the cost itself.
    for at in range(k):
        expected = sum(way[:, at] for way in ways) + 2 * row[:, at]
        apart = found[:, at] - expected
        assert float(apart.max() - apart.min()) == pytest.approx(0, abs=1e-4)


def test_the_place_of_a_parabola_is_exact() -> None:
    at = np.arange(9, dtype=np.float32)
    true = np.array([[2.3, 5.9], [4.0, 7.4]], np.float32)
    assert np.allclose(cheapest((at - true[..., None]) ** 2, at), true, atol=1e-4)
    assert float(cheapest(at[None, None], at)[0, 0]) == 0


def test_a_painted_stack_gives_its_depth_without_a_network() -> None:
    photos, lenses, nearness = painted_stack(6)
    blank = [knows_nothing(72, 96)] * 6
    planes = between(lenses)
    found = stack_depth(photos, blank, lenses, planes)
    off = (found.inverse - nearness).abs()[4:-4, 4:-4] / float(planes[-1] - planes[0])
    assert float(off.median()) < 0.02
    coc = found.coc(lenses[2], float(planes[1] - planes[0]))
    true = signed_coc(1 / nearness, lenses[2])
    assert float((coc.signed() - true).abs()[4:-4, 4:-4].median()) < 0.2
    assert torch.equal(coc.size == 0, coc.signed() == 0)


def test_it_is_sure_of_what_has_texture() -> None:
    wall = np.full((64, 64, 3), 0.4, np.float32)
    wall[:, 32:] = np.random.default_rng(0).uniform(0.1, 0.9, (64, 32, 3))
    lenses = [thin_lens(8.0, 1 / f) for f in (0.2, 0.5, 0.8)]
    blurs = Blurs.of(torch.from_numpy(wall))
    light = [blurs.at((8 * (0.5 - f)) ** 2 / 16) for f in (0.2, 0.5, 0.8)]
    photos = [(255 * to_srgb(one)).round().to(torch.uint8) for one in light]
    found = stack_depth(photos, [knows_nothing(64, 64)] * 3, lenses, between(lenses))
    assert float(found.sure[8:-8, 8:24].max()) < 0.5 < float(found.sure[8:-8, 40:-8].min())


def test_two_settings_tell_the_side() -> None:
    photos, lenses, nearness = painted_stack(4, seed=5)
    pair = [1, 3]
    planes = torch.linspace(0.1, 2.0, 96)
    found = stack_depth(
        [photos[i] for i in pair], [knows_nothing(72, 96)] * 2, [lenses[i] for i in pair], planes
    )
    true = signed_coc(1 / nearness, lenses[1])
    seen = found.coc(lenses[1], 0.02).signed()
    away = (true.abs() > 1.5) & (found.sure > found.sure.median())
    assert float(((seen > 0) == (true > 0))[away].float().mean()) > 0.85


def test_stacks_that_are_none_are_refused() -> None:
    photos, lenses, _ = painted_stack(2)
    blank = [knows_nothing(72, 96)] * 2
    with pytest.raises(UsageError, match="two or more"):
        stack_depth(photos[:1], blank[:1], lenses[:1], between(lenses))
    with pytest.raises(UsageError, match="one size"):
        stack_depth([photos[0], photos[1][:40]], blank, lenses, between(lenses))
