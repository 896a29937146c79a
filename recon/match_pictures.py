"""Pictures by which a person judges matches: pairs, agreement with the poses, coverage."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from recon.matching.epipolar import DOUBTFUL, Agreement, epipolar_distances
from recon.matching.pair import PairMatches
from recon.matching.survey import Comparison, Survey
from recon.pictures import (
    DARK,
    DepthRange,
    Picture,
    depth_picture,
    side_by_side,
    with_caption,
    with_legend,
    write_png,
)
from recon.types import View

PAIRS = 12
"""So many pairs are drawn: the worst, the best, and some between."""
LINES = 120
"""At most so many matches of a pair are drawn, evenly chosen."""
PHOTO_WIDTH = 560
"""px of a photo in the picture of a pair."""
VIEWS, VIEW_WIDTH, ACROSS = 24, 320, 4
"""Views in the picture of coverage: at most so many, so wide, so many in a row."""


@dataclass(frozen=True)
class Drawn:
    """One picture, and its file's name."""

    name: str
    picture: Picture


def write_match_pictures(
    comparison: Comparison, survey: Survey | None, folder: Path, unit: str
) -> tuple[Path, ...]:
    """Draw pairs, their agreement with the poses and, if points were found, their coverage.

    Args:
        comparison: the matches.
        survey: what was triangulated from them, if anything was.
        folder: where pictures go; it is made where it is not there.
        unit: of depth, written into the legend.

    Raises:
        ResourceError: the folder cannot be written to.
    """
    paths = []
    for drawn in _all(comparison, survey, unit):
        paths.append(folder / f"{drawn.name}.png")
        write_png(paths[-1], drawn.picture)
    return tuple(paths)


def _all(comparison: Comparison, survey: Survey | None, unit: str) -> Iterator[Drawn]:
    yield Drawn("agreement", agreement_picture(comparison.agreements, len(comparison.views)))
    if survey is not None:
        yield Drawn("coverage", coverage_picture(survey, unit))
    for index in chosen_pairs(comparison.agreements):
        pair = comparison.matched[index]
        picture = pair_picture(comparison, pair)
        yield Drawn(f"pair_{pair.a:04d}_{pair.b:04d}", picture)


def chosen_pairs(agreements: Sequence[Agreement]) -> list[int]:
    """Return some pairs by index, from the one that agrees worst with the poses to the best."""
    told = [i for i, pair in enumerate(agreements) if pair.count]
    told.sort(key=lambda i: -agreements[i].median)
    if not told:
        return []
    places = np.linspace(0, len(told) - 1, min(PAIRS, len(told))).round().astype(int)
    return [told[place] for place in places]


def pair_picture(comparison: Comparison, pair: PairMatches) -> Picture:
    """Draw two photos beside each other, and lines between pixels that match.

    A line is green where the match lies on its epipolar line and red where it lies 5 px off or
    more.
    """
    distance = epipolar_distances(comparison.cameras, pair.a, pair.b, pair.matches)[:, 0]
    views = [comparison.views[pair.a], comparison.views[pair.b]]
    photos = [_scaled(view.photo.pixels(), PHOTO_WIDTH) for view in views]
    height = max(photo.shape[0] for photo in photos)
    padded = [_padded(photo, height) for photo in photos]
    picture = side_by_side(padded)
    factors = [PHOTO_WIDTH / view.camera.width for view in views]
    shift = padded[0].shape[1] + 4
    some = torch.linspace(0, len(distance) - 1, min(LINES, len(distance))).long()
    # The worst are drawn last, so that none of them is hidden.
    some = some[distance[some].argsort()]
    starts = (factors[0] * pair.matches.pixels_a[some]).tolist()
    ends = (factors[1] * pair.matches.pixels_b[some]).tolist()
    for (x, y), (u, v), color in zip(starts, ends, _colors(distance[some]).tolist(), strict=True):
        begin, end = (round(x), round(y)), (round(u) + shift, round(v))
        cv2.line(picture, begin, end, color, 1, cv2.LINE_AA)
        for place in (begin, end):
            cv2.circle(picture, place, 2, color, -1, cv2.LINE_AA)
    shown = f", {len(some)} drawn" if len(some) < len(distance) else ""
    words = (
        f"{views[0].name} - {views[1].name}: {len(distance)} matches{shown}, median "
        f"{float(distance.median()):.2f} px off their line, "
        f"{float((distance < 1).double().mean()):.0%} within 1 px"
    )
    return with_caption(picture, words)


def agreement_picture(agreements: Sequence[Agreement], views: int) -> Picture:
    """Draw a square for each pair: green where its matches agree with the poses, red where not.

    What stays dark was not matched; what is grey has no match.
    """
    side = int(np.clip(720 // max(1, views), 4, 24))
    picture = np.full((views, views, 3), DARK, np.uint8)
    for pair in agreements:
        color = _colors(torch.tensor([pair.median]))[0] if pair.count else np.array([90, 90, 90])
        picture[pair.a, pair.b] = picture[pair.b, pair.a] = color
    large = picture.repeat(side, axis=0).repeat(side, axis=1)
    wide = np.full((large.shape[0], max(large.shape[1], 480), 3), DARK, np.uint8)
    wide[:, : large.shape[1]] = large
    words = f"pairs of {views} views: green 0 px, red {DOUBTFUL:.0f} px or more"
    return with_caption(wide, words)


def coverage_picture(survey: Survey, unit: str) -> Picture:
    """Draw the triangulated points on some of the views, in the colours of their depth."""
    views, tracks = survey.comparison.views, survey.points.tracks
    span = DepthRange.of(survey.points.depth.float(), unit)
    places = np.linspace(0, len(views) - 1, min(VIEWS, len(views))).round().astype(int).tolist()
    sheets = []
    for index in places:
        seen = tracks.view == index
        depth = survey.points.depth[seen].float()
        sheets.append(_covered(views[index], tracks.pixels[seen], depth, span))
    height = max(sheet.shape[0] for sheet in sheets)
    sheets = [_padded(sheet, height) for sheet in sheets]
    empty = np.full_like(sheets[0], DARK)
    across = min(ACROSS, len(sheets))
    sheets += [empty] * (-len(sheets) % across)
    rows = [side_by_side(sheets[i : i + across]) for i in range(0, len(sheets), across)]
    return with_legend(np.concatenate(rows, axis=0), span)


def _covered(
    view: View, pixels: Float[Tensor, "n 2"], depth: Float[Tensor, " n"], span: DepthRange
) -> Picture:
    photo = _scaled(view.photo.pixels(), VIEW_WIDTH)
    picture = (photo // 3 + 20).astype(np.uint8)
    colors = depth_picture(depth[None], torch.ones(1, len(depth), dtype=torch.bool), span)[0]
    factor = VIEW_WIDTH / view.camera.width
    for (x, y), color in zip((factor * pixels).tolist(), colors.tolist(), strict=True):
        cv2.circle(picture, (round(x), round(y)), 2, color, -1, cv2.LINE_AA)
    return with_caption(picture, f"{view.name}: {len(depth)}")


def _colors(distance: Float[Tensor, " n"]) -> UInt8[np.ndarray, "n 3"]:
    """Return green for 0 px, yellow between, and red for the distance that makes poses doubtful."""
    t = (distance.double() / DOUBTFUL).clamp(0, 1).numpy()[:, None]
    channels = np.concatenate([2 * t, 2 - 2 * t, np.full_like(t, 0.25)], axis=1)
    return (255 * channels.clip(0, 1)).astype(np.uint8)


def _scaled(photo: UInt8[Tensor, "h w 3"], width: int) -> Picture:
    height = max(1, round(photo.shape[0] * width / photo.shape[1]))
    scaled = cv2.resize(photo.numpy(), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _padded(picture: Picture, height: int) -> Picture:
    below = np.full((height - picture.shape[0], picture.shape[1], 3), DARK, np.uint8)
    return np.concatenate([picture, below], axis=0)
