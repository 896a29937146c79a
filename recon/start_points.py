"""Points for a fit to begin with, from matches, where a capture brings poses and no points."""

from dataclasses import replace
from typing import Literal

import torch

from recon.counter import Counter, silent
from recon.errors import DataError, ResourceError
from recon.match_provider import MatchSettings, survey_of
from recon.matching.survey import Survey
from recon.types import Capture, PointCloud
from recon.words import counted

Start = Literal["points", "matches", "dense", "prior", "random"]

FROM_PHOTOS: frozenset[Start] = frozenset({"matches", "dense"})
"""Those that leave a capture's own points aside."""
ENOUGH = 30
"""With fewer points, Gaussians spread before the cameras cover more of what the photos show."""
UNSURE = 0.1
"""Points whose depth is less certain than this, relative to it and seen from the view that knows it
best, are left out: they would float."""


def with_points_from_matches(
    capture: Capture, start: Start, settings: MatchSettings, counter: Counter = silent
) -> Capture:
    """Return a capture with points triangulated from matches, if a fit should begin with these.

    They are of training photos only, and taken where asked for, or where the capture has no points
    and random ones were not asked for. Where too few can be had, a warning says why, and the fit
    begins at random.

    Args:
        capture: as it was read.
        start: what was asked for.
        settings: who matches.
        counter: shows how far matching is.

    Raises:
        DataError, ResourceError, UsageError: the matcher's weights cannot be read or had.
    """
    if start == "random" or (start not in FROM_PHOTOS and capture.points is not None):
        return capture
    matcher = settings.choose()
    if matcher is None:
        if start not in FROM_PHOTOS:
            return capture
        return _at_random(capture, "--matching.matcher none is set")
    try:
        found = survey_of(capture.train, matcher, counter)
    except (DataError, ResourceError) as why:
        return _at_random(capture, str(why))
    warnings = (*capture.warnings, *found.comparison.warnings)
    cloud = sure_points(found)
    if len(cloud) < ENOUGH:
        few = f"matches determine {counted(len(cloud), 'point')}, fewer than {ENOUGH}"
        return _at_random(replace(capture, warnings=warnings), few)
    note = (
        f"{counted(len(cloud), 'point')} to begin with, triangulated from matches ({matcher.name}) "
        f"of {counted(len(capture.train), 'training photo')}; --start random does without"
    )
    return replace(capture, points=cloud, notes=(*capture.notes, note), warnings=warnings)


def sure_points(found: Survey) -> PointCloud:
    """Return the points whose depth is certain enough in some view."""
    track = found.points.tracks.track
    relative = found.points.deviation / found.points.depth
    best = torch.full((len(found.points),), torch.inf, dtype=relative.dtype)
    best = best.scatter_reduce(0, track, relative, "amin")
    cloud, sure = found.cloud(), best <= UNSURE
    return PointCloud(cloud.positions[sure], cloud.colors[sure])


def _at_random(capture: Capture, why: str) -> Capture:
    warning = f"no points from matches, so the fit begins at random: {why}"
    return replace(capture, warnings=(*capture.warnings, warning))
