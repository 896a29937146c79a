"""Where the weights of networks are: a path given, a folder of one's own, or Hugging Face."""

import os
from dataclasses import dataclass
from pathlib import Path

from recon.errors import DataError, ResourceError

FOLDER = "RECON_WEIGHTS"
"""The environment's variable that names a folder of weights."""


@dataclass(frozen=True)
class Weights:
    """The weights of one network, and the places where they may be."""

    name: str
    """For people: "ALIKED n16"."""
    file: str
    """The file's name, looked for in $RECON_WEIGHTS and in the folders just below it."""
    repository: str | None
    """Where Hugging Face has the file, under the same name; None where it has not."""
    instead: str
    """What works without these weights: "--matcher sift needs none"."""

    def on_this_machine(self, given: Path | None = None) -> Path | None:
        """Return the file if it is here already; asks no network.

        Raises:
            DataError: a path was given and no file is there.
        """
        if given is not None:
            if not given.is_file():
                raise DataError(f"{given}: no such file; expected the weights of {self.name}.")
            return given
        return next(filter(None, (self._in_folder(), self._in_hub_cache())), None)

    def find(self, given: Path | None = None) -> Path:
        """Return the file, from Hugging Face if it is not here yet.

        Raises:
            DataError: a path was given and no file is there.
            ResourceError: it is nowhere; the message lists the places, and what works without.
        """
        return self.on_this_machine(given) or self._download()

    def _in_folder(self) -> Path | None:
        folder = os.environ.get(FOLDER)
        if not folder:
            return None
        found = [Path(folder) / self.file, *sorted(Path(folder).glob(f"*/{self.file}"))]
        return next((path for path in found if path.is_file()), None)

    def _in_hub_cache(self) -> Path | None:
        if self.repository is None:
            return None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repository, self.file)
        return Path(found) if isinstance(found, str) else None

    def _download(self) -> Path:
        reason = "it is not published there"
        if self.repository is not None:
            # At use, because it takes half a second to import.
            from huggingface_hub import hf_hub_download

            try:
                return Path(hf_hub_download(self.repository, self.file))
            except Exception as error:  # Its errors share no class; to the user they are one.
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        named = os.environ.get(FOLDER)
        folder = f"{named} (${FOLDER})" if named else f"${FOLDER} (not set)"
        hub = f"Hugging Face {self.repository or ''}".strip()
        raise ResourceError(
            f"the weights of {self.name} are not to be had. Looked for {self.file} in: --weights "
            f"(not given); {folder}; {hub} ({reason}). Put the file into a folder and name it in "
            f"${FOLDER}, or do without: {self.instead}."
        )
