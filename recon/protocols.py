"""Named protocols: what exactly a number was measured on, as data files that come along.

A protocol says which scenes, cameras and time steps count, how large photos are, what is held out
and how it is scored. Numbers compare where their protocol, with its version, is the same.
"""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

import cattrs.preconf.json
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from recon.datasets.source import ReadOptions
from recon.errors import DataError, UsageError

FOLDER = "protocol_files"
UNNAMED = "full@1"
"""How held-out views are scored where no protocol says which they are: whole photos, 8 bit."""


@dataclass(frozen=True)
class Scene:
    """A drive, or a part of it."""

    name: str
    """As the capture names it; of Waymo, the segment."""
    index: int | None = None
    """In the list that peers count by."""
    first: int | None = None
    """First time step, counted from 0; the drive's where None."""
    last: int | None = None
    """Last time step, included; the drive's where None."""

    @property
    def frames(self) -> tuple[int, int] | None:
        """First and last time step, as `--drive.frames` takes them; None for all."""
        if self.first is None and self.last is None:
            return None
        return self.first or 0, NO_END if self.last is None else self.last


NO_END = 1_000_000
"""A last time step that no drive reaches."""


@dataclass(frozen=True)
class PhotoRules:
    """What photos are compared."""

    cameras: tuple[str, ...]
    """All where empty."""
    width: int
    height: int
    resize: Literal["area"]
    lens: Literal["undistorted"]
    moving: Literal["mask", "keep"]
    """Whether pixels of moving objects are left out, in fits and in scores."""


@dataclass(frozen=True)
class HeldOut:
    """Which photos are held out."""

    by: Literal["name", "step"]
    """Every n-th by name, the first included; or every n-th time step that is read, of all cameras,
    the first excepted."""
    every: int


@dataclass(frozen=True)
class ImageRules:
    """How images are scored."""

    bits: Literal[8]
    mean: Literal["images"]
    regions: tuple[Literal["full", "non_sky", "near", "mid", "far", "moving"], ...]
    ssim: Literal["gaussian 11, sigma 1.5"]
    second_ssim: Literal["uniform 7"]
    lpips: Literal["vgg16", "not computed"]
    """Version 0.1 with images in [-1, 1], where weights are given."""


@dataclass(frozen=True)
class DepthRules:
    """How depth is scored."""

    truth: tuple[Literal["files", "LiDAR of the held-out steps"], ...]
    """The first that there is."""
    kinds: tuple[Literal["expected", "median"], ...]
    covered_from: float
    """Alpha from which a pixel is covered."""
    ranges: tuple[tuple[float, float], ...]
    """Metres."""


@dataclass(frozen=True)
class Protocol:
    """A named way to measure."""

    id: str
    """Name and version, such as "waymo-static/notr32@1"; a change of any rule is a new version."""
    about: str
    sources: tuple[str, ...]
    formats: tuple[str, ...]
    """In which the scenes may lie on disk."""
    scenes: tuple[Scene, ...]
    open: bool
    """Whether any scene will do, so that only numbers of the same one compare."""
    photos: PhotoRules
    poses: str
    held_out: HeldOut
    image: ImageRules
    depth: DepthRules
    differences: tuple[str, ...]
    """From what the sources do."""

    def scene(self, path: Path, kind: str, name: str) -> Scene:
        """Return the scene that a capture is.

        Args:
            path: of the capture, for messages.
            kind: its format.
            name: what it calls itself.

        Raises:
            DataError: it is none of the protocol's.
        """
        if kind not in self.formats:
            raise DataError(
                f"{path}: read as {kind}, and {self.id} is measured on {' or '.join(self.formats)}."
            )
        for scene in self.scenes:
            if scene.name == name:
                return scene
        if self.open:
            return Scene(name)
        first = self.scenes[0]
        raise DataError(
            f"{path}: {name or 'a scene without a name'} is none of the {len(self.scenes)} scenes "
            f"of {self.id}, such as {first.name}; `recon data protocols` lists them."
        )

    def applied(self, options: ReadOptions, scene: Scene) -> ReadOptions:
        """Return options with all that the protocol decides.

        Which LiDAR may be learned from and how points are thinned stays the user's choice.

        Raises:
            UsageError: an option says something else than the protocol.
        """
        for flag, given, unset, pinned in self._pins(options, scene):
            if given not in (unset, pinned):
                raise UsageError(
                    f"{flag} {_words(given)} and --protocol {self.id}, which has "
                    f"{_words(pinned)}, say different things; leave one of them out."
                )
        photos, drive = self.photos, options.drive
        return replace(
            options,
            size=(photos.width, photos.height),
            hold_every=self.held_out.every,
            hold_by=self.held_out.by,
            drive=replace(
                drive,
                cameras=photos.cameras or drive.cameras,
                frames=drive.frames if self.open else scene.frames,
                moving=photos.moving,
            ),
        )

    def _pins(self, options: ReadOptions, scene: Scene) -> Iterator[tuple[str, Any, Any, Any]]:
        """List flags, what the user gave, what they are where not given, and the protocol's."""
        photos, held, drive = self.photos, self.held_out, options.drive
        yield "--size", options.size, None, (photos.width, photos.height)
        yield "--downscale", options.downscale, 1.0, 1.0
        yield "--images", options.images, None, None
        yield "--hold-every", options.hold_every, None, held.every
        yield "--hold-by", options.hold_by, "auto", held.by
        yield "--train-list", options.train_list, None, None
        yield "--test-list", options.test_list, None, None
        yield "--keep-border", options.keep_border, False, False
        yield "--drive.stride", drive.stride, 1, 1
        yield "--drive.moving", drive.moving, "mask", photos.moving
        yield "--drive.cameras", tuple(sorted(drive.cameras)), (), tuple(sorted(photos.cameras))
        if not self.open:
            yield "--drive.frames", drive.frames, None, scene.frames


def known_protocols() -> tuple[str, ...]:
    """List the ids of the protocols that come along."""
    return tuple(sorted(_texts()))


def load_protocol(name: str) -> Protocol:
    """Read a protocol.

    Raises:
        UsageError: there is none of this name.
        DataError: its file is damaged.
    """
    text = _texts().get(name)
    if text is None:
        near = difflib.get_close_matches(name, known_protocols(), n=1, cutoff=0.3)
        meant = f" Perhaps you meant {near[0]}." if near else ""
        known = ", ".join(known_protocols())
        raise UsageError(f"--protocol {name}: there is none of this name.{meant} Known: {known}.")
    return parse(text, name)


def parse(text: str, name: str) -> Protocol:
    """Read a protocol's text.

    Raises:
        DataError: it is not what a protocol of this name holds.
    """
    try:
        protocol = _converter.structure(json.loads(text), Protocol)
    except (ValueError, ClassValidationError, ForbiddenExtraKeysError) as why:
        problems = (
            "; ".join(cattrs.transform_error(why))
            if isinstance(why, ClassValidationError)
            else str(why)
        )
        raise DataError(f"protocol {name}: {problems}. Install recon again.") from why
    if protocol.id != name:
        raise DataError(f"protocol {name}: its file is of {protocol.id}. Install recon again.")
    return protocol


@cache
def _texts() -> dict[str, str]:
    """Read the files that come along, by id."""
    with as_file(files("recon").joinpath(FOLDER)) as folder:
        return {
            file.relative_to(folder).as_posix().removesuffix(".json"): file.read_text()
            for file in sorted(folder.rglob("*.json"))
        }


def _words(value: Any) -> str:
    """Write an option's value as on a command line."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "all"
    return "none" if value is None else str(value)


_converter = cattrs.preconf.json.make_converter(forbid_extra_keys=True)
