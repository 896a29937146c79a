"""Writing so that a crash, a full disk or a kill leaves either the old file or the new one."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recon.errors import ResourceError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; move it to `path` once its bytes are on the disk.

    Raises:
        ResourceError: the disk is full or may not be written; what stood at `path` still stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as why:
        raise as_resource_error(why, path) from why
    finally:
        # What could not be written, on a read-only disk for instance, can not be removed either.
        with suppress(OSError):
            temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def remove(path: Path) -> None:
    """Delete a file, if it is there.

    Raises:
        ResourceError: the folder may not be changed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as why:
        raise as_resource_error(why, path) from why


def sync(path: Path) -> None:
    """Wait until a file or folder has reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Digest a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def as_resource_error(why: OSError, path: Path) -> ResourceError:
    """Say what a failed write means, and what to do."""
    if why.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = "The disk is full. Free some space"
    elif why.errno in (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EEXIST,
    ):
        advice = "It may not be written. Choose a folder of yours with --output"
    else:
        advice = "Look at that folder"
    return ResourceError(
        f"{path}: could not be written ({why.strerror or why}). {advice}; what was saved before "
        "is intact."
    )
