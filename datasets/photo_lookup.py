"""Finding the photos that a COLMAP model names, also where a resized copy has other names."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from recon.datasets.folders import is_file, photos_in, within


def look_up(
    capture: Path, photos: Path, names: Sequence[str], notes: list[str]
) -> dict[str, Path | None]:
    """Return the file of each name, which may be missing, or None where the name leads out.

    A photo that is not there under its name is taken with another ending (photo.png for
    photo.JPG). Where no photo is found so, and the folder has as many as `images`, they are
    taken in the order of those, as LLFF's own resized copies need.

    Args:
        capture: the folder of the capture.
        photos: the folder of photos to take.
        names: as the model has them.
        notes: what is added to.
    """
    paths = {name: within(photos, name) for name in names}
    lost = [name for name, path in paths.items() if path is not None and not is_file(path)]
    if not lost:
        return paths
    found = other_endings(photos, lost)
    if found:
        notes.append(f"{len(found)} photos have another ending than the model says")
    elif len(lost) == len(names):
        found = by_order(capture / "images", photos, lost)
        if found:
            notes.append(f"photos in {photos.name} have other names: taken in the order of images")
    return paths | found


def other_endings(photos: Path, names: Sequence[str]) -> dict[str, Path]:
    """Find photos by their name without its ending, where only one has it."""
    files: dict[PurePosixPath, list[Path]] = {}
    for path in sorted(photos.rglob("*")):
        if path.is_file():
            stem = PurePosixPath(path.relative_to(photos).with_suffix(""))
            files.setdefault(stem, []).append(path)
    candidates = {name: files.get(PurePosixPath(name).with_suffix(""), []) for name in names}
    return {name: paths[0] for name, paths in candidates.items() if len(paths) == 1}


def by_order(originals: Path, photos: Path, names: Sequence[str]) -> dict[str, Path]:
    """Pair the photos of two folders by their order."""
    if not originals.is_dir():
        return {}
    before, after = photos_in(originals), photos_in(photos)
    if len(before) != len(after):
        return {}
    pairs = {old.name: new for old, new in zip(before, after, strict=True)}
    return {name: pairs[name] for name in names if name in pairs}
