"""Predictions that other programs rendered: which of their files belong to which held-out view."""

import abc
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import final

from recon.errors import DataError
from recon.pictures import read_png
from recon.predictions import PredictionFiles
from recon.types import View
from recon.view_files import bare_name, file_stems

PICTURES = (".png", ".jpg", ".jpeg")
DEPTHS = (".npy", ".npz", ".npy.gz")
SAME_PHOTO = 12.0
"""Mean absolute difference, of 255, below which two pictures show the same photo: one may have been
resized or undistorted in another way."""


@dataclass(frozen=True)
class Brought:
    """What was found in a folder of predictions."""

    files: dict[str, PredictionFiles]
    """By the view's name."""
    layout: str
    """How they were told apart, for people."""
    notes: tuple[str, ...] = ()
    """What lies there and is not scored."""


def brought(folder: Path, views: Sequence[View]) -> Brought:
    """Find every view's predicted picture, and its depth if depths were predicted.

    Pictures are PNG or JPEG of the views' size. Depth, along the optical axis in the capture's unit
    of length, is .npy or .npy.gz with one array, 0 or not finite where nothing was predicted, or
    .npz as `recon.predictions` writes it.

    Args:
        folder: in any of `LAYOUTS`.
        views: those held out, by name.

    Raises:
        DataError: the folder or a view's picture is missing, some views have a depth and others
            none, or two files could be meant. The message says what was looked for.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; --predictions takes a folder of pictures.")
    candidates = (layout.find(folder, views) for layout in LAYOUTS)
    found = next(filter(None, candidates), None)
    assert found is not None  # The last layout takes any folder.
    return found


class Layout(abc.ABC):
    """A way to lay out predictions in a folder."""

    @abc.abstractmethod
    def find(self, folder: Path, views: Sequence[View]) -> Brought | None:
        """Return the views' files, or None where the folder is laid out in another way.

        Raises:
            DataError: it is laid out so, but something is missing or ambiguous.
        """


@final
@dataclass(frozen=True)
class Named(Layout):
    """Files named after the photos: by stem, by path, or as `recon.view_files` has it."""

    color: str
    """Folder of the pictures."""
    depth: str
    """Folder of the depths, which may be missing."""

    def find(self, folder: Path, views: Sequence[View]) -> Brought | None:
        """See `Layout.find`."""
        if not (folder / self.color).is_dir():
            return None
        names = _names_of([view.name for view in views])
        colors = _assign(folder / self.color, names, PICTURES)
        _check_all_there(folder / self.color, names, colors, "picture", "png")
        depths: Mapping[str, Path] = {}
        notes = []
        if (folder / self.depth).is_dir():
            depths = _assign(folder / self.depth, names, DEPTHS)
            if depths:
                _check_all_there(folder / self.depth, names, depths, "depth", "npy")
            else:
                notes.append(
                    f"{folder / self.depth}: no depth is scored; expected .npy or .npz named after "
                    "the views"
                )
        files = {name: PredictionFiles(colors[name], depths.get(name)) for name in names}
        return Brought(files, f"named after the photos, in {self.color}", tuple(notes))


@final
class Numbered(Layout):
    """What gsplat's trainer leaves: `renders/val_step<step>_<number>.png`.

    Each shows the photo at the left and its prediction at the right; numbers count the held-out
    photos by name. Of several steps, the last counts.
    """

    pattern = re.compile(r"val_step(\d+)_(\d+)\.png")

    def find(self, folder: Path, views: Sequence[View]) -> Brought | None:
        """See `Layout.find`."""
        for base in (folder / "renders", folder):
            steps = self._steps(base)
            if steps:
                return self._at(base, max(steps), steps[max(steps)], views)
        return None

    def _steps(self, base: Path) -> dict[int, dict[int, Path]]:
        found: dict[int, dict[int, Path]] = defaultdict(dict)
        for path in sorted(base.glob("val_step*.png")):
            match = self.pattern.fullmatch(path.name)
            if match is not None:
                found[int(match[1])][int(match[2])] = path
        return found

    def _at(
        self, base: Path, step: int, numbered: Mapping[int, Path], views: Sequence[View]
    ) -> Brought:
        if sorted(numbered) != list(range(len(views))):
            raise DataError(
                f"{base}: pictures of {len(numbered)} views at step {step}, and {len(views)} are "
                f"held out; expected val_step{step}_0000.png to "
                f"val_step{step}_{len(views) - 1:04d}.png. Hold out the same photos in both "
                "(--hold-every here, --test-every there), or render again."
            )
        ordered = sorted(views, key=lambda view: view.name)
        for number in {0, len(ordered) - 1}:
            _check_same_photo(numbered[number], ordered[number])
        files = {
            view.name: PredictionFiles(numbered[i], None, beside_photo=True)
            for i, view in enumerate(ordered)
        }
        return Brought(files, f"numbered by gsplat's trainer, step {step}")


LAYOUTS: tuple[Layout, ...] = (
    Numbered(),
    Named("predictions", "depth"),  # recon
    Named("color", "depth"),  # recon render, nerfbaselines
    Named("test/rgb", "test/raw-depth"),  # nerfstudio: ns-render dataset
    Named("rgb", "raw-depth"),
    Named("renders", "depth"),
    Named(".", "depth"),
)
"""The first that a folder has counts."""


def _names_of(views: Sequence[str]) -> dict[str, list[str]]:
    """Return what the files of each view may be called, without an ending, the surest first.

    The ends of a path count where no other view ends so.
    """
    stems = file_stems(views)
    tails = {name: list(_tails(name)) for name in views}
    uses = Counter(tail for mine in tails.values() for tail in set(mine))
    return {
        name: [tails[name][0], stems[name], name, *(t for t in tails[name][1:] if uses[t] == 1)]
        for name in views
    }


def _tails(name: str) -> Iterator[str]:
    """Yield a path without suffix, then the same with less and less before its last part."""
    parts = PurePosixPath(bare_name(name)).parts
    for begin in range(len(parts)):
        yield "/".join(parts[begin:])


def _assign(
    base: Path, names: Mapping[str, Sequence[str]], endings: Sequence[str]
) -> dict[str, Path]:
    """Return the file of every view that has one."""
    there: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(base.rglob("*")):
        relative = path.relative_to(base).as_posix()
        ending = next((e for e in endings if relative.lower().endswith(e)), None)
        if ending is not None:
            there[relative[: -len(ending)]].append(path)
    found = {}
    for view, keys in names.items():
        mine = next((there[key] for key in keys if key in there), [])
        if len(mine) > 1:
            raise DataError(
                f"{mine[0]}: {mine[1].name} lies beside it, and either could be of the view "
                f"{view}; expected one. Remove the one that shall not be scored."
            )
        if mine:
            found[view] = mine[0]
    return found


def _check_all_there(
    base: Path, names: Mapping[str, Sequence[str]], found: Mapping[str, Path], what: str, kind: str
) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        first, stem, *_ = names[missing[0]]
        either = f"{first}.{kind}" + ("" if stem == first else f" or {stem}.{kind}")
        raise DataError(
            f"{base}: no {what} of {len(missing)} of {len(names)} held-out views, such as "
            f"{missing[0]}; expected {either} there. Render all that are held out, or hold out "
            "others (--protocol, --hold-every, --test-list)."
        )


def _check_same_photo(path: Path, view: View) -> None:
    """Refuse numbers that count other photos, which would be scored as bad predictions."""
    width, height = view.camera.width, view.camera.height
    left = read_png(path, 2 * width, height)[:, :width].astype(float)
    off = abs(left - view.photo.pixels().numpy().astype(float)).mean()
    if off > SAME_PHOTO:
        raise DataError(
            f"{path}: its left half is not the photo {view.name} (off by {off:.0f} of 255); "
            "expected the held-out photos in the order of their names. Hold out the same ones in "
            "both (--hold-every, --test-list)."
        )
