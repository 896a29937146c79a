"""Points for a fit to begin with, from a depth prior of training photos, where it is believed."""

from dataclasses import replace

import torch

from recon.camera import unproject
from recon.counter import Counter, silent
from recon.errors import UsageError
from recon.evidence.interface import Need, Provider, gathered
from recon.initialise import joined
from recon.match_provider import MatchSettings
from recon.providers import PriorSettings, providers_for
from recon.types import Capture, PointCloud, View
from recon.words import counted

POINTS = 40_000
"""Over all photos; a fit grows more where they are missing."""
BELIEVED = 0.5
"""Confidence from which a pixel becomes a point: wrong depth becomes Gaussians that float."""


def with_points_from_prior(
    capture: Capture, settings: PriorSettings, seed: int, counter: Counter = silent
) -> Capture:
    """Return a capture with points where training photos' prior is believed, beside its own.

    Args:
        capture: its own points give the prior its scale.
        settings: which prior.
        seed: of the choice of pixels.
        counter: shows how far it is.

    Raises:
        DataError, ResourceError, UsageError: there is no prior, or it cannot be had or scaled.
    """
    if settings.model == "none":
        raise UsageError("--start prior needs a depth prior; name one with --prior.model.")
    needs = frozenset({Need.PRIOR})
    providers = providers_for(needs, capture, settings, MatchSettings("none"))
    generator = torch.Generator().manual_seed(seed)
    each = -(-POINTS // len(capture.train))
    clouds = []
    with counter("depth of photos", len(capture.train)) as done:
        for view in capture.train:
            clouds.append(_believed(view, providers, each, generator))
            done(view.name)
    found = joined(*clouds)
    note = (
        f"{counted(len(found), 'point')} to begin with from the depth prior {settings.model} of "
        f"{counted(len(capture.train), 'training photo')}, where it is believed"
    )
    points = found if capture.points is None else joined(capture.points, found)
    return replace(capture, points=points, notes=(*capture.notes, note))


def _believed(
    view: View, providers: tuple[Provider, ...], most: int, generator: torch.Generator
) -> PointCloud:
    """Return some of the pixels of a photo that are believed, as points in the working frame."""
    prior = gathered(view, providers).prior
    if prior is None:
        return PointCloud(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.uint8))
    use = (prior.confidence >= BELIEVED) & (prior.depth > 0)
    valid = view.photo.valid()
    if valid is not None:
        use &= valid
    row, column = torch.nonzero(use, as_tuple=True)
    chosen = torch.randperm(len(row), generator=generator)[:most]
    row, column = row[chosen], column[chosen]
    pixels = torch.stack([column, row], -1).float() + 0.5
    positions = unproject(view.camera, pixels, prior.depth[row, column])
    return PointCloud(positions.float(), view.photo.pixels()[row, column])
