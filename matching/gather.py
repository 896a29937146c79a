"""All pairs of a capture matched, each pair once: what was matched before is read from a store."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recon.evidence.store import Store, digest
from recon.matching.matcher import Matcher, Matches
from recon.matching.pair import Pair, PairMatches
from recon.types import View

KIND = "matches"
DESCRIBED = 16
"""So many descriptions of photos are kept in memory; those of large networks take 100 MB each."""


def match_views(
    views: Sequence[View],
    pairs: Sequence[Pair],
    matcher: Matcher[Any],
    store: Store,
    progress: Callable[[object], None] = lambda _: None,
) -> tuple[PairMatches, ...]:
    """Match pairs of views, or read what an earlier call kept, however it ended.

    Results are kept by the pixels of both photos and the matcher's identity, so that neither names
    nor poses matter to them. Pixels that a view masks are left out afterwards.

    Args:
        views: whose photos are decoded.
        pairs: of views, by index.
        matcher: who matches.
        store: where results are kept.
        progress: called with each pair's result.

    Raises:
        DataError: a photo cannot be decoded.
        ResourceError: results cannot be kept.
    """
    needed = sorted({view for pair in pairs for view in (pair.a, pair.b)})
    names = {view: content_name(views[view].photo.pixels()) for view in needed}
    masks = {view: views[view].photo.valid() for view in needed}
    described = _Described(views, matcher)
    found = []
    for pair in pairs:
        key = digest(matcher.identity, names[pair.a], names[pair.b])
        matches = _read(store, key)
        if matches is None:
            matches = matcher.pair(described(pair.a), described(pair.b))
            _write(store, key, matches)
        keep = _used(masks[pair.a], matches.pixels_a) & _used(masks[pair.b], matches.pixels_b)
        found.append(PairMatches(pair.a, pair.b, matches.where(keep)))
        progress(found[-1])
    return tuple(found)


def content_name(photo: UInt8[Tensor, "h w 3"]) -> str:
    """Name a photo by its pixels."""
    return digest(repr(tuple(photo.shape)), photo.contiguous().numpy().tobytes())


class _Described:
    """Descriptions of photos, of which the last few used are kept."""

    def __init__(self, views: Sequence[View], matcher: Matcher[Any]) -> None:
        self.views, self.matcher = views, matcher
        self.kept: OrderedDict[int, Any] = OrderedDict()

    def __call__(self, view: int) -> Any:
        if view not in self.kept:
            self.kept[view] = self.matcher.describe(self.views[view].photo.pixels())
        self.kept.move_to_end(view)
        if len(self.kept) > DESCRIBED:
            self.kept.popitem(last=False)
        return self.kept[view]


def _used(mask: Bool[Tensor, "h w"] | None, pixels: Float[Tensor, "n 2"]) -> Bool[Tensor, " n"]:
    if mask is None:
        return torch.ones(len(pixels), dtype=torch.bool)
    limit = torch.tensor([mask.shape[1] - 1, mask.shape[0] - 1])
    column, row = pixels.long().clamp(torch.zeros(2).long(), limit).T
    return mask[row, column]


def _write(store: Store, key: str, matches: Matches) -> None:
    fields = {name: value.contiguous() for name, value in vars(matches).items()}
    store.write(KIND, key, save(fields))


def _read(store: Store, key: str) -> Matches | None:
    content = store.read(KIND, key)
    if content is None:
        return None
    try:
        return Matches(**load(content))
    except (SafetensorError, TypeError):  # An older version's: matched again.
        return None
