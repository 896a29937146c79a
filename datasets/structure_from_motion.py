"""Poses of photographs that come without: COLMAP, run in a process of its own."""

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from recon.datasets.draft import Progress, draft
from recon.datasets.folders import photos_in
from recon.datasets.photo_header import PhotoHeader, read_header
from recon.datasets.registration import Registration
from recon.errors import DataError, ResourceError, UsageError
from recon.words import counted

LENSES = {"radial": "SIMPLE_RADIAL", "opencv": "OPENCV", "fisheye": "OPENCV_FISHEYE"}
DOUBLINGS = 10
"""Photos of a video are matched with those 1, 2, 4, ... 512 further on."""
GLANCE = 0.3
"""Seconds between looks at how far COLMAP is."""


@dataclass(frozen=True)
class PoseSettings:
    """How poses are found."""

    order: Literal["photos", "video"] = "photos"
    """photos: in any order, each is matched with each. video: with those 1, 2, 4, ... 512
    further on, by name, which takes far less time."""
    cameras: Literal["shared", "each"] = "shared"
    """shared: photos of one folder, size and focal length (EXIF) share a camera. each: every photo
    has its own."""
    lens: Literal["radial", "opencv", "fisheye"] = "radial"
    """Of the cameras: one focal length and one distortion; two and four; those of a fisheye."""
    longest_edge: int = 2000
    """Larger photos are made smaller while key points are looked for, in pixels."""

    def __post_init__(self) -> None:
        """Refuse what shows nothing."""
        if self.longest_edge < 64:
            raise UsageError(f"longest-edge is {self.longest_edge}; expected 64 pixels or more")


@dataclass(frozen=True)
class Found:
    """The outcome for all photos of a folder."""

    registration: Registration
    without: dict[str, str]
    """Photos that have no pose, and why."""


def find_poses(photos: Path, output: Path, settings: PoseSettings, progress: Progress) -> Found:
    """Write a COLMAP model of photos into a new folder, all of it or nothing.

    The folder gets `sparse/0` and `images`, a link to the photos.

    Args:
        photos: a folder of photos, or of folders of photos, one for each camera.
        output: a new or empty folder.
        settings: how.
        progress: told what is done, how far, and how much there is.

    Raises:
        UsageError: the output is not empty.
        DataError: there are fewer than two photos that can be read and differ, or none could be
            placed.
        ResourceError: pycolmap is not installed, or COLMAP came to an end of its own.
    """
    if find_spec("pycolmap") is None:
        raise ResourceError(
            "poses are found by COLMAP's Python package, which is not installed; "
            "pip install 'defocus-recon[sfm]'"
        )
    photos = photos.resolve()
    with draft(output) as folder:
        headers, without = usable(photos)
        job = {
            "photos": str(photos),
            "groups": groups(headers, settings.cameras == "each"),
            "video": DOUBLINGS if settings.order == "video" else 0,
            "lens": LENSES[settings.lens],
            "longest_edge": settings.longest_edge,
        }
        work = folder / "work"
        found = run(job, work, pairs(len(headers), settings.order == "video"), progress)
        if not found.placed:
            raise DataError(f"{photos}: no photo could be placed: {found.why_nothing()}.")
        without |= {name: found.why_not(name) for name in headers if name not in found.placed}
        (folder / "sparse").mkdir()
        Path(found.models[0].folder).rename(folder / "sparse" / "0")
        (folder / "images").symlink_to(photos, target_is_directory=True)
        shutil.rmtree(work)
    return Found(found, without)


def usable(photos: Path) -> tuple[dict[str, PhotoHeader], dict[str, str]]:
    """Return the headers of a folder's photos by name, and why others are left out."""
    if not photos.is_dir():
        raise DataError(f"{photos}: no such folder; name the folder that holds the photos.")
    folders = [photos, *sorted(p for p in photos.iterdir() if p.is_dir())]
    paths = photos_in(photos) or [path for folder in folders[1:] for path in photos_in(folder)]
    headers: dict[str, PhotoHeader] = {}
    without: dict[str, str] = {}
    seen: dict[str, str] = {}
    for path in paths:
        name = path.relative_to(photos).as_posix()
        try:
            header = read_header(path)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except (DataError, OSError) as error:
            without[name] = f"not used: {str(error).removeprefix(f'{path}: ')}"
            continue
        if digest in seen:
            without[name] = f"not used: the same file as {seen[digest]}"
            continue
        headers[name], seen[digest] = header, name
    if len(headers) < 2:
        raise DataError(too_few(photos, len(paths), without))
    return headers, without


def too_few(photos: Path, files: int, without: dict[str, str]) -> str:
    """Say why there is nothing to begin with."""
    if files == 0:
        return f"{photos}: no photos; expected .jpg, .png and the like, in it or its folders."
    if not without:
        return f"{photos}: one photo shows no depth; put several there, from different places."
    first = "; ".join(f"{name}: {why}" for name, why in list(without.items())[:3])
    kept = files - len(without)
    return f"{photos}: {kept} of {counted(files, 'photo')} can be used, and 2 are needed ({first})."


def groups(headers: dict[str, PhotoHeader], apart: bool) -> list[list[str]]:
    """Gather the photos that share a camera."""
    found: defaultdict[Any, list[str]] = defaultdict(list)
    for name, header in headers.items():
        size = (header.width, header.height, header.sideways)
        key = (Path(name).parent, size, header.exif.focal_length_mm)
        found[name if apart else key].append(name)
    return list(found.values())


def pairs(photos: int, video: bool) -> int:
    """Count the pairs that COLMAP will match."""
    if not video:
        return photos * (photos - 1) // 2
    return sum(max(0, photos - 2**i) for i in range(DOUBLINGS))


def run(job: dict[str, Any], work: Path, pairs: int, progress: Progress) -> Registration:
    """Run COLMAP, in a new folder.

    Raises:
        ResourceError: it came to an end of its own.
    """
    (work / "models").mkdir(parents=True)
    result, database = work / "result.json", work / "database.db"
    places = {"database": database, "models": work / "models", "result": result}
    (work / "job.json").write_text(json.dumps(job | {k: str(v) for k, v in places.items()}))
    worker = [sys.executable, "-P", str(Path(__file__).with_name("colmap_worker.py"))]
    told, said = work / "told", work / "said"
    with (
        told.open("w") as out,
        said.open("w") as words,
        subprocess.Popen([*worker, str(work / "job.json")], stdout=out, stderr=words) as process,
    ):
        try:
            while True:
                try:
                    code = process.wait(GLANCE)
                    break
                except subprocess.TimeoutExpired:
                    look(told, database, sum(map(len, job["groups"])), pairs, progress)
        finally:
            process.kill()
    if code != 0 or not result.is_file():
        last = (said.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise ResourceError(
            f"COLMAP came to an end of its own (exit code {code}: {last}). If memory ran out, try "
            "again with a smaller --longest-edge."
        )
    return Registration.parse(json.loads(result.read_text()))


def look(told: Path, database: Path, photos: int, pairs: int, progress: Progress) -> None:
    """Say how far COLMAP is."""
    words = told.read_text().split()
    if "map" in words:
        progress("photos placed", min(2 + words.count("image"), photos), photos)
    elif "match" in words:
        progress("pairs matched", min(count(database, "two_view_geometries"), pairs), pairs)
    else:
        progress("key points of photos", count(database, "keypoints"), photos)


def count(database: Path, table: str) -> int:
    """Count the rows of a table into which another process writes; 0 where it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
            (rows,) = opened.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
            return int(rows)
    except sqlite3.Error:
        return 0
