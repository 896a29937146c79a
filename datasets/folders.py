"""Finding a capture's files by the names that its description gives them."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from recon.errors import DataError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


def within(folder: Path, name: str) -> Path | None:
    """Return the path of a name below a folder, or None where the name leads out of it.

    Names come from files that may come from strangers. Links that stand in the folder are followed.
    """
    name = name.replace("\\", "/")
    path = Path(os.path.normpath(folder / name))
    if PurePosixPath(name).is_absolute() or not path.is_relative_to(os.path.normpath(folder)):
        return None
    return path


def is_file(path: Path) -> bool:
    """Say whether a file is there; a name that no file can have is simply not there."""
    try:
        return path.is_file()
    except OSError:
        return False


def photo_folder(path: Path, wish: str | None, notes: list[str]) -> Path:
    """Choose the folder of photos: the one asked for, else `images`, else the only images_N.

    Raises:
        DataError: the folder asked for, or any, is missing.
    """
    there = sorted(p.name for p in path.iterdir() if p.is_dir() and p.name.startswith("images"))
    if wish is not None:
        chosen = within(path, wish)
        if chosen is None or not chosen.is_dir():
            raise DataError(
                f"{path}: no folder {wish} for the photos; "
                f"{'there are ' + ', '.join(there) if there else 'there is none called images'}."
            )
        return chosen
    if not there:
        raise DataError(
            f"{path}: no folder called images; put the photos there, or name theirs with --images."
        )
    name = "images" if "images" in there else there[0]
    if len(there) > 1:
        notes.append(f"photos from {name} (of {', '.join(there)})")
    return path / name


def photos_in(folder: Path) -> list[Path]:
    """List the photos that lie directly in a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)


def sensors(names: Sequence[str]) -> list[str]:
    """Name each photo's camera in a rig: its folder, where the photos lie in more than one."""
    folders = [PurePosixPath(name).parent.name for name in names]
    return folders if len(set(folders)) > 1 else [""] * len(folders)
