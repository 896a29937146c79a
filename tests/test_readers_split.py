from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.datasets.reader import ReadOptions
from recon.datasets.source import SourceSplit
from recon.datasets.split import ordinal, split_views, training_sweeps
from recon.errors import DataError, UsageError
from recon.types import Split

NAMES = [f"cam/{i:02d}.jpg" for i in range(10)]


@given(st.integers(2, 300), st.integers(2, 20))
def test_every_nth(count: int, n: int) -> None:
    names = [f"{i:04d}" for i in range(count)]
    split = split_views(names, None, ReadOptions(hold_every=n))
    assert all(i % n == 0 for i in split.test)
    assert sorted(split.train + split.test) == list(range(count))
    assert len(split.test) == -(-count // n)


def test_a_single_view_trains() -> None:
    assert split_views(["a"], None, ReadOptions()).train == (0,)


def test_nothing_left_to_train_on() -> None:
    with pytest.raises(DataError, match="--hold-every 0"):
        split_views(NAMES, None, ReadOptions(hold_every=1))


def test_negative() -> None:
    with pytest.raises(UsageError, match="--hold-every -2"):
        split_views(NAMES, None, ReadOptions(hold_every=-2))


def test_lists_go_before_the_files_own(tmp_path: Path) -> None:
    own = SourceSplit(frozenset(NAMES[:5]), frozenset(NAMES[5:]), "the files' own")
    assert split_views(NAMES, own, ReadOptions()).test == (5, 6, 7, 8, 9)
    assert split_views(NAMES, own, ReadOptions(hold_every=0)).test == ()
    test = tmp_path / "test.txt"
    test.write_text("cam/03.jpg\n\n 04.jpg \n05\n")  # Whole, without folder, without ending.
    split = split_views(NAMES, own, ReadOptions(test_list=test))
    assert split.test == (3, 4, 5)
    assert split.train == (0, 1, 2, 6, 7, 8, 9)
    assert split.rule == "lists"
    train = tmp_path / "train.txt"
    train.write_text("00\n01\n")
    split = split_views(NAMES, own, ReadOptions(train_list=train, test_list=test))
    assert (split.train, split.test) == ((0, 1), (3, 4, 5))
    assert split_views(NAMES, own, ReadOptions(train_list=train)).test == tuple(range(2, 10))


def test_lists_that_cannot_be_followed(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    with pytest.raises(DataError, match="cannot be read"):
        split_views(NAMES, None, ReadOptions(test_list=names))
    names.write_text("cam/77.jpg\n")
    with pytest.raises(DataError, match="names no view"):
        split_views(NAMES, None, ReadOptions(test_list=names))
    names.write_text("00\n")
    with pytest.raises(DataError, match="fits 2 views"):
        split_views(["a/00.jpg", "b/00.jpg"], None, ReadOptions(test_list=names))
    with pytest.raises(DataError, match="share views"):
        split_views(NAMES, None, ReadOptions(test_list=names, train_list=names))


@pytest.mark.parametrize(
    ("n", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (8, "8th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(n: int, word: str) -> None:
    assert ordinal(n) == word


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 12), st.integers(0, 9))
def test_drives_are_split_by_time_step(count: int, cameras: int, n: int, first: int) -> None:
    steps = [first + 2 * step for _ in range(cameras) for step in range(count)]
    names = [f"{i:04d}" for i in range(len(steps))]
    if n == 1 and count == 1:
        return
    split = split_views(names, None, ReadOptions(hold_every=n), steps)
    held = {steps[i] for i in split.test}
    assert held == {first + 2 * k for k in range(n, count, n)}
    assert {steps[i] for i in split.train} == set(steps) - held
    assert len(split.train) + len(split.test) == len(names)


def test_drives_hold_out_every_tenth_step_where_nobody_says() -> None:
    names = [f"{i:04d}" for i in range(42)]
    split = split_views(names, None, ReadOptions(), [*range(21), *range(21)])
    assert split.test == (10, 20, 31, 41)
    assert split_views(names, None, ReadOptions()).test == tuple(range(0, 42, 8))
    assert split_views(names, None, ReadOptions(hold_every=0), list(range(42))).test == ()
    with pytest.raises(UsageError, match="--hold-every -1"):
        split_views(names, None, ReadOptions(hold_every=-1), list(range(42)))


def test_sweeps_of_held_out_steps_never_train_but_on_track_c() -> None:
    steps = [0, 1, 2, 0, 1, 2]
    split = Split((0, 1, 2, 3, 5), (4,), "lists")
    sweeps = [0, 1, 2, 3]
    assert training_sweeps(sweeps, split, steps, "A") == ()
    # Of step 1, one camera tests; of step 3, none is there.
    assert training_sweeps(sweeps, split, steps, "B") == (0, 2)
    assert training_sweeps(sweeps, split, steps, "C") == (0, 1, 2, 3)


def test_drives_can_be_held_out_by_name_and_nothing_else_by_step() -> None:
    names, steps = [f"{i:02d}" for i in range(20)], list(range(20))
    own = SourceSplit(frozenset(names[:5]), frozenset(names[5:]), "the files' own")
    by_name = ReadOptions(hold_every=8, hold_by="name")
    assert split_views(names, None, by_name, steps).test == (0, 8, 16)
    assert split_views(names, own, by_name, steps).test == (0, 8, 16)
    by_step = ReadOptions(hold_every=8, hold_by="step")
    assert split_views(names, own, by_step, steps).test == (8, 16)
    with pytest.raises(UsageError, match="no time steps"):
        split_views(names, None, by_step)
