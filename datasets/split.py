"""Which views train and which are held out.

In this order: lists given by the user; none held out where `hold_every` is 0; what `hold_by` asks
for; the split that came with the files; on a drive every n-th time step, all its cameras together,
the first kept for training; every n-th view by name, starting with the first.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from recon.datasets.source import ReadOptions, SourceSplit
from recon.errors import DataError, UsageError
from recon.types import Split
from recon.words import counted

BY_NAME, BY_STEP = 8, 10
"""Every how many views, or time steps, one is held out where nobody says."""


def split_views(
    names: Sequence[str],
    own: SourceSplit | None,
    options: ReadOptions,
    steps: Sequence[int | None] = (),
) -> Split:
    """Split views by the first rule that applies.

    Args:
        names: the views' names, sorted.
        own: the split that came with the files.
        options: the user's wishes.
        steps: the views' time steps, of a drive.

    Raises:
        DataError: a list is missing, names no view, or leaves nothing to train on.
        UsageError: `hold_every` is negative, or counts what is not there.
    """
    if options.train_list is not None or options.test_list is not None:
        split = by_lists(names, options.train_list, options.test_list)
    elif options.hold_every == 0:
        split = Split(tuple(range(len(names))), (), "none held out")
    elif own is not None and options.hold_by == "auto":
        split = by_names(names, own)
    elif holds_steps(steps, options.hold_by):
        split = every_nth_step(steps, BY_STEP if options.hold_every is None else options.hold_every)
    else:
        split = every_nth(len(names), BY_NAME if options.hold_every is None else options.hold_every)
    if not split.train:
        raise DataError(
            f"no view is left to train on ({counted(len(names), 'view')}, rule: {split.rule}); "
            "hold out fewer, or none with --hold-every 0."
        )
    return split


def holds_steps(steps: Sequence[int | None], by: Literal["auto", "name", "step"]) -> bool:
    """Say whether time steps are held out, not single views.

    Raises:
        UsageError: time steps are asked for, and there are none.
    """
    is_drive = any(step is not None for step in steps)
    if by == "step" and not is_drive:
        raise UsageError("--hold-by step: the views have no time steps; use --hold-by name.")
    return is_drive and by != "name"


def every_nth_step(steps: Sequence[int | None], n: int) -> Split:
    """Hold out the views of every n-th time step that was read, the first excepted."""
    check_positive(n)
    held = set(sorted({step for step in steps if step is not None})[n::n])
    return Split(
        tuple(i for i, step in enumerate(steps) if step not in held),
        tuple(i for i, step in enumerate(steps) if step in held),
        f"every {ordinal(n)} time step",
    )


def training_sweeps(
    sweeps: Sequence[int], split: Split, steps: Sequence[int | None], track: Literal["A", "B", "C"]
) -> tuple[int, ...]:
    """Return which LiDAR sweeps may be learned from, by index.

    Args:
        sweeps: the sweeps' time steps.
        split: of the views.
        steps: the views' time steps.
        track: none (A), those of steps of which all views train (B), or all (C).
    """
    if track == "C":
        return tuple(range(len(sweeps)))
    train, test = ({steps[i] for i in part} for part in (split.train, split.test))
    return tuple(i for i, step in enumerate(sweeps) if track == "B" and step in train - test)


def check_positive(n: int) -> None:
    """Refuse what no views can be counted by."""
    if n < 0:
        raise UsageError(f"--hold-every {n}: expected 0 (none) or more.")


def every_nth(count: int, n: int) -> Split:
    """Hold out the views whose index is a multiple of n; a single view is kept for training."""
    check_positive(n)
    held = set(range(0, count, n)) if count > 1 else set()
    return Split(
        tuple(i for i in range(count) if i not in held),
        tuple(sorted(held)),
        f"every {ordinal(n)} by name",
    )


def ordinal(n: int) -> str:
    """Write 8 as 8th."""
    teens = n % 100 in (11, 12, 13)
    return f"{n}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def by_names(names: Sequence[str], own: SourceSplit) -> Split:
    """Follow the files' own split; views in neither set are neither trained on nor tested."""
    train = tuple(i for i, name in enumerate(names) if name in own.train)
    test = tuple(i for i, name in enumerate(names) if name in own.test)
    return Split(train, test, own.rule)


def by_lists(names: Sequence[str], train_list: Path | None, test_list: Path | None) -> Split:
    """Follow the user's lists; with one list only, the other set is all the rest."""
    train = None if train_list is None else listed(names, train_list)
    test = None if test_list is None else listed(names, test_list)
    everything = frozenset(range(len(names)))
    train = everything - (test or frozenset()) if train is None else train
    test = everything - train if test is None else test
    if train & test:
        both = ", ".join(names[i] for i in sorted(train & test)[:5])
        raise DataError(f"{train_list} and {test_list} share views: {both}; name each once.")
    return Split(tuple(sorted(train)), tuple(sorted(test)), "lists")


def listed(names: Sequence[str], path: Path) -> frozenset[int]:
    """Look up the names in a file, one a line: whole, or the file's own name, or its stem."""
    try:
        wanted = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of names ({error}).") from error
    index: dict[str, set[int]] = {}
    for i, name in enumerate(names):
        for key in {name, PurePosixPath(name).name, PurePosixPath(name).stem}:
            index.setdefault(key, set()).add(i)
    found = set()
    for name in filter(None, wanted):
        matches = {names.index(name)} if name in names else index.get(name, set())
        if len(matches) != 1:
            problem = "names no view" if not matches else f"fits {len(matches)} views"
            raise DataError(
                f"{path}: {name} {problem}; `recon inspect` lists the names, such as {names[0]}."
            )
        found |= matches
    return frozenset(found)
