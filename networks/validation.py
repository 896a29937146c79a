"""How good a network is on painted scenes that it was not taught with, the truth being known."""

from dataclasses import dataclass

import torch

from recon.networks.fusion import agreed, shift
from recon.networks.photographs import Photographer
from recon.networks.siamese_coc import SiameseNetwork

SEED = 1_000_003
"""Of the scenes; training uses others."""
BELOW = 10.0
"""px; larger circles of confusion are not judged."""
AWAY = 1.0
"""px; nearer to the focus a surface has no side."""


@dataclass(frozen=True)
class Figures:
    """What was found, over all pixels of all photos."""

    pairs: int
    mae_px: float
    """Mean absolute error of |CoC| where the truth is below `BELOW`."""
    mae_sure_px: float
    """The same over the half of these pixels that the network is surest of."""
    side_of_one: float
    """Share of pixels away from focus whose side is told right from one photo."""
    side_of_two: float
    """The same from both photos and the lens."""


@torch.no_grad()
def validate(network: SiameseNetwork, count: int, side: int = 96, batch: int = 8) -> Figures:
    """Judge a network on pairs with the noise, exposure and JPEG of training."""
    photographer = Photographer(SEED, side, kept=max(count, 1))
    errors, spreads, one_right, two_right = [], [], [], []
    for step in range(-(-count // batch)):
        pairs = photographer.pairs(step, min(batch, count - batch * step), network)
        a, b = (network(half.images, half.lenses) for half in (pairs.a, pairs.b))
        lens = pairs.a.lenses
        moved = shift(lens.strength, lens.inverse_focus, pairs.b.lenses.inverse_focus)
        signs = agreed(a.size, b.size, moved)
        for branch, half, sign in zip((a, b), (pairs.a, pairs.b), signs, strict=True):
            judged = half.coc.abs() < BELOW
            errors.append((branch.size - half.coc.abs()).abs()[judged])
            spreads.append(branch.spread[judged])
            away = half.coc.abs() > AWAY
            one_right.append(((branch.behind > 0) == (half.coc > 0))[away])
            two_right.append(((sign > 0) == (half.coc > 0))[away])
    error, spread = torch.cat(errors), torch.cat(spreads)
    sure = spread <= spread.median()
    return Figures(
        count,
        float(error.mean()),
        float(error[sure].mean()),
        float(torch.cat(one_right).float().mean()),
        float(torch.cat(two_right).float().mean()),
    )
