"""Where the weights of networks are: a path given, a folder of one's own, or Hugging Face."""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import torch
from torch import nn

from recon.errors import DataError, ResourceError, first_line

FOLDER = "RECON_WEIGHTS"
"""The environment's variable that names a folder of weights."""
PATIENCE = 10.0
"""Seconds to wait for Hugging Face's first word."""


@dataclass(frozen=True)
class Weights:
    """The weights of one network, and the places where they may be."""

    name: str
    """For people: "ALIKED n16"."""
    file: str
    """The file's name, looked for in $RECON_WEIGHTS and in the folders just below it."""
    repository: str | None
    """Where Hugging Face has the file; None where it has not."""
    instead: str
    """What works without these weights: "--matcher sift needs none"."""
    hub_file: str = ""
    """The file's path on Hugging Face, where it has another one there."""
    beside: tuple[str, ...] = ()
    """Names of files that must lie in the same folder: "config.json"."""
    source: str = ""
    """For people, where the file comes from if Hugging Face has it not."""

    def on_this_machine(self, given: Path | None = None) -> Path | None:
        """Return the file if it is here already; asks no network.

        Args:
            given: the file, or a folder with the file in it; no other place counts then.

        Raises:
            DataError: a path was given and no file is there.
        """
        if given is not None:
            return self._at(given)
        return next(filter(None, (self._in_folder(), self._in_hub_cache())), None)

    def find(self, given: Path | None = None) -> Path:
        """Return the file, from Hugging Face if it is not here yet.

        Args:
            given: as for `on_this_machine`.

        Raises:
            DataError: a path was given and no file is there.
            ResourceError: it is nowhere; the message lists the places, and what works without.
        """
        return self.on_this_machine(given) or self._download()

    @property
    def _on_hub(self) -> PurePosixPath:
        return PurePosixPath(self.hub_file or self.file)

    def _at(self, given: Path) -> Path:
        if given.is_dir():
            names = (self.file, Path(self.file).name, str(self._on_hub), self._on_hub.name)
            found = self._first([given / name for name in names])
            if found is None:
                expected = ", ".join((Path(self.file).name, *self.beside))
                raise DataError(
                    f"{given}: a folder without {expected}; expected the weights of {self.name}."
                )
            return found
        if not given.is_file():
            raise DataError(f"{given}: no such file; expected the weights of {self.name}.")
        lacking = [name for name in self.beside if not (given.parent / name).is_file()]
        if lacking:
            raise DataError(f"{given}: it needs {', '.join(lacking)} in the same folder.")
        return given

    def _in_folder(self) -> Path | None:
        folder = os.environ.get(FOLDER)
        if not folder:
            return None
        return self._first([Path(folder) / self.file, *sorted(Path(folder).glob(f"*/{self.file}"))])

    def _first(self, places: Sequence[Path]) -> Path | None:
        """Return the first place that has all the files."""
        whole = (p for p in places if all(f.is_file() for f in (p, *self._companions(p))))
        return next(whole, None)

    def _companions(self, place: Path) -> list[Path]:
        return [place.parent / name for name in self.beside]

    def _in_hub_cache(self) -> Path | None:
        if self.repository is None:
            return None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repository, str(self._on_hub))
        if not isinstance(found, str):
            return None
        return Path(found) if all(f.is_file() for f in self._companions(Path(found))) else None

    def _download(self) -> Path:
        reason = "it is not published there" + (f", but by {self.source}" if self.source else "")
        if self.repository is not None:
            try:
                for name in self.beside:
                    _fetch(self.repository, str(self._on_hub.with_name(name)))
                return _fetch(self.repository, str(self._on_hub))
            except Exception as error:  # Its errors share no class; to the user they are one.
                reason = first_line(error)
        named = os.environ.get(FOLDER)
        folder = f"{named} (${FOLDER})" if named else f"${FOLDER} (not set)"
        hub = f"Hugging Face {self.repository or ''}".strip()
        raise ResourceError(
            f"the weights of {self.name} are not to be had. Looked for {self.file} in: --weights "
            f"(not given); {folder}; {hub} ({reason}). Put the file into a folder and name it in "
            f"${FOLDER}, or do without: {self.instead}."
        )


def _fetch(repository: str, file: str) -> Path:
    # At use, because it takes half a second to import.
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    log = logging.getLogger("huggingface_hub")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        # Asked once first: where there is no network, the download itself asks for half a minute.
        get_hf_file_metadata(hf_hub_url(repository, file), timeout=PATIENCE)
        return Path(hf_hub_download(repository, file))
    finally:
        log.setLevel(level)


Network = TypeVar("Network", bound=nn.Module)


def unfilled(kind: Callable[[], Network]) -> Network:
    """Make a network whose weights are read next, with `load_state_dict(..., assign=True)`.

    It draws no random numbers, so that a fit's do not depend on whether a network was needed or
    its results were found from an earlier fit.
    """
    with torch.device("meta"):
        return kind()
