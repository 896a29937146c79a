"""Results kept between runs, each under a digest of everything it was worked out from."""

import hashlib
import os
from pathlib import Path

from recon.errors import ResourceError
from recon.files import replacing

FOLDER = "RECON_CACHE"
"""The environment's variable that says where results are kept."""


def digest(*parts: bytes | str) -> str:
    """Return one name for a sequence of contents; parts do not run into one another."""
    whole = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        whole.update(len(content).to_bytes(8, "little"))
        whole.update(content)
    return whole.hexdigest()


def default_folder() -> Path:
    """Return $RECON_CACHE, or `recon` in the user's folder of caches."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "recon"


class Store:
    """A folder of results by kind and key; what is in it may be deleted at any time.

    A result appears whole or not at all. One that was damaged since counts as absent.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def read(self, kind: str, key: str) -> bytes | None:
        """Return what was kept, or None where nothing intact is there."""
        try:
            checksum, content = _split(self._path(kind, key).read_bytes())
        except OSError:
            return None
        return content if checksum == hashlib.sha256(content).digest() else None

    def write(self, kind: str, key: str, content: bytes) -> None:
        """Keep a result.

        Raises:
            ResourceError: the disk is full, or the folder cannot be written to.
        """
        path = self._path(kind, key)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
        except ResourceError as error:
            raise ResourceError(
                f"{self.folder}: results cannot be kept there. Free some space, or name another "
                f"folder in ${FOLDER}."
            ) from error

    def _path(self, kind: str, key: str) -> Path:
        # Thousands of files in one folder are slow to list on some disks.
        return self.folder / kind / key[:2] / key[2:]


def _split(content: bytes) -> tuple[bytes, bytes]:
    return content[:32], content[32:]
