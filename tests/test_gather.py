from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from photos import MemoryPhoto
from rigs import ring

from recon.evidence.store import Store
from recon.matching.gather import match_views
from recon.matching.matcher import Matcher, Matches
from recon.matching.pair import Pair, PairMatches
from recon.types import View


@dataclass
class Counting(Matcher[torch.Tensor]):
    """Says that the pixels (1, 2) and (3, 4) match, and notes that it was asked."""

    name: ClassVar[str] = "counting"
    merge_distance: ClassVar[float] = 0.0
    identity: str = "counting 1"  # type: ignore[misc]
    described: list[int] = field(default_factory=list)
    paired: int = 0
    last: int = 1000

    def describe(self, photo: torch.Tensor) -> torch.Tensor:
        self.described.append(int(photo[0, 0, 0]))
        return photo

    def pair(self, a: torch.Tensor, b: torch.Tensor) -> Matches:
        if self.paired == self.last:
            raise KeyboardInterrupt
        self.paired += 1
        ones = torch.ones(2)
        return Matches(torch.tensor([[1.0, 2], [8.5, 9.5]]), torch.tensor([[3.0, 4], [5, 6]]), ones)


PAIRS = (Pair(0, 1), Pair(0, 2), Pair(1, 2), Pair(2, 3))


def views() -> list[View]:
    photos = [torch.full((10, 12, 3), i, dtype=torch.uint8) for i in range(4)]
    return [
        View(f"{i}", camera, MemoryPhoto(photo))
        for i, (camera, photo) in enumerate(zip(ring(4), photos, strict=True))
    ]


def equal(one: PairMatches, other: PairMatches) -> bool:
    fields = zip(vars(one.matches).values(), vars(other.matches).values(), strict=True)
    return (one.a, one.b) == (other.a, other.b) and all(torch.equal(x, y) for x, y in fields)


def test_each_photo_is_described_once_and_each_pair_matched_once(tmp_path: Path) -> None:
    matcher, told = Counting(), []
    found = match_views(views(), PAIRS, matcher, Store(tmp_path), told.append)
    assert [(pair.a, pair.b) for pair in found] == [(0, 1), (0, 2), (1, 2), (2, 3)]
    assert matcher.described == [0, 1, 2, 3]
    assert matcher.paired == len(told) == 4
    again = Counting()
    kept = match_views(views(), PAIRS, again, Store(tmp_path))
    assert again.paired == 0
    assert again.described == []
    assert all(map(equal, found, kept))


def test_an_interruption_costs_no_work_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        match_views(views(), PAIRS, Counting(last=3), Store(tmp_path))
    after = Counting()
    match_views(views(), PAIRS, after, Store(tmp_path))
    assert after.paired == 1


def test_a_photo_that_changed_is_matched_again_and_a_name_is_nothing(tmp_path: Path) -> None:
    match_views(views(), PAIRS, Counting(), Store(tmp_path))
    changed = [replace(view, name=f"renamed {view.name}") for view in views()]
    changed[3] = replace(changed[3], photo=MemoryPhoto(changed[3].photo.pixels() + 1))
    matcher = Counting()
    match_views(changed, PAIRS, matcher, Store(tmp_path))
    assert matcher.paired == 1


def test_another_matcher_or_other_settings_match_again(tmp_path: Path) -> None:
    match_views(views(), PAIRS, Counting(), Store(tmp_path))
    matcher = Counting(identity="counting 2")
    match_views(views(), PAIRS, matcher, Store(tmp_path))
    assert matcher.paired == 4


def test_masked_pixels_are_left_out_but_not_forgotten(tmp_path: Path) -> None:
    mask = torch.ones(10, 12, dtype=torch.bool)
    mask[2, 1] = False
    masked = [replace(view, photo=MemoryPhoto(view.photo.pixels(), mask)) for view in views()]
    (found,) = match_views(masked, PAIRS[:1], Counting(), Store(tmp_path))
    assert found.matches.pixels_a.tolist() == [[8.5, 9.5]]
    matcher = Counting()
    (unmasked,) = match_views(views(), PAIRS[:1], matcher, Store(tmp_path))
    assert len(unmasked.matches) == 2
    assert matcher.paired == 0


def test_what_is_kept_is_as_found_or_found_again(tmp_path: Path) -> None:
    match_views(views(), PAIRS[:1], Counting(), Store(tmp_path))
    (path,) = (p for p in tmp_path.rglob("*") if p.is_file())
    store = Store(tmp_path)
    key = path.parent.name + path.name
    store.write("matches", key, b"from another time")
    matcher = Counting()
    match_views(views(), PAIRS[:1], matcher, store)
    assert matcher.paired == 1
