"""The lenses of a focal stack of which nothing is known but the order of its planes of focus."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recon.evidence.coc import CocMap
from recon.networks.fusion import log_likelihood
from recon.types import ThinLens

STEPS = (0.05, 0.07, 0.1, 0.13, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)
"""px; by how much circles of confusion may change from a slice to the next."""
COARSER = 4
"""Every so many pixels is asked."""
PER_SLICE = 4
"""Depths that are tried between two slices."""


def ordered_lenses(maps: Sequence[CocMap]) -> list[ThinLens]:
    """Return lenses with even steps of inverse focus, 1 each, that agree best with all slices.

    The step of circles of confusion in px is their strength. Which end of the stack is the nearer
    one is told by the side of the focus that most pixels are thought to be on.

    Args:
        maps: what each slice says alone, in the order of their focus.
    """
    every = [
        CocMap(*(part[::COARSER, ::COARSER] for part in (m.size, m.spread, m.behind))) for m in maps
    ]
    last = len(maps) - 1
    planes = torch.linspace(0, last, PER_SLICE * last + 1)

    def lenses(step: float, nearest_last: bool) -> list[ThinLens]:
        order = range(last + 1) if nearest_last else range(last, -1, -1)
        return [ThinLens(torch.tensor(step), torch.tensor(float(i))) for i in order]

    def agreement(candidate: Sequence[ThinLens]) -> float:
        likely: Tensor = log_likelihood(every, candidate, planes).logsumexp(0)
        return float(likely.mean())

    candidates = [lenses(step, way) for step in STEPS for way in (True, False)]
    return max(candidates, key=agreement)
