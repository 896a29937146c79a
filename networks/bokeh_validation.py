"""How near the light generator comes to pictures that it was not taught with."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from recon.datasets.synthetic.painted import Painted
from recon.networks.bokeh_network import BokehNetwork
from recon.networks.bokeh_pairs import PairMaker
from recon.networks.bokeh_training import HEIGHT, WIDTH, through

SEED = 1_000_003
"""Of strengths, noise and painted scenes; training uses others."""


@dataclass(frozen=True)
class BokehFigures:
    """What was found, as means over photos."""

    pairs: int
    psnr_db: float
    """Of the photos made against those through the lens."""
    constant_psnr_db: float
    """The same where all is blurred alike, as it is best for each photo: it needs no network."""


@torch.no_grad()
def validate_bokeh(
    network: BokehNetwork, scenes: Sequence[Painted], count: int, batch: int = 8
) -> BokehFigures:
    """Judge a network on pairs with the noise, exposure and JPEG of training.

    Args:
        network: to be judged.
        scenes: of `HEIGHT` by `WIDTH` px, which did not teach; without any all are painted.
        count: of pairs.
        batch: pairs at a time.
    """
    maker = PairMaker(SEED, scenes, HEIGHT, WIDTH)
    found, constant = [], []
    for step in range(-(-count // batch)):
        pairs = maker.pairs(step, min(batch, count - batch * step))
        rates = network(pairs.sharp)
        found.append((through(pairs, rates) - pairs.bokeh).square().mean((1, 2, 3)))
        even = [torch.full_like(rates, rate) for rate in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)]
        off = [(through(pairs, one) - pairs.bokeh).square().mean((1, 2, 3)) for one in even]
        constant.append(torch.stack(off).amin(0))
    psnr, best = (float(-10 * torch.cat(part).log10().mean()) for part in (found, constant))
    return BokehFigures(count, psnr, best)
