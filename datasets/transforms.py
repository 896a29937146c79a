"""transforms.json, as nerfstudio writes it and, with fewer keys, instant-ngp.

The frame of the capture, in which `scene.ply` is exported, is that of the `transform_matrix`
entries as they stand in the file. `applied_transform` and `applied_scale` only record how a
program came to that frame; `ply_file_path` is in the same frame, so neither is undone.

Keys beyond nerfstudio's, all optional: `"metric": true` says that lengths are metres; a frame may
name its `sensor` and its `time` in seconds, and state lens settings under the names of
`recon.types.Exif` (`f_number`, `focus_distance`, ...), which go before those of the photo's EXIF.
"""

import dataclasses
from pathlib import Path, PurePosixPath
from typing import ClassVar

from recon.datasets.depth_source import DepthFile
from recon.datasets.folders import PHOTO_SUFFIXES, is_file, sensors, within
from recon.datasets.ply_points import read_points
from recon.datasets.poses import from_opengl
from recon.datasets.source import (
    Reader,
    ReadOptions,
    SourceCapture,
    SourceSplit,
    SourceView,
)
from recon.datasets.transforms_json import Entry, Json, intrinsics, load_json
from recon.errors import DataError
from recon.types import Exif

DEPTH_UNIT = 0.001
"""What a stored depth counts where `depth_unit_scale_factor` is absent: nerfstudio's default."""
RECORDED = ("applied_transform", "applied_scale")
INSTANT_NGP = (
    "aabb_scale",
    "scale",
    "offset",
    "render_aabb",
    "from_mitsuba",
    "enable_depth_loading",
)


class TransformsReader(Reader):
    """Reads transforms.json."""

    name: ClassVar[str] = "transforms"
    needs: ClassVar[str] = "transforms.json"

    def recognises(self, path: Path) -> bool:
        """Say whether there is a transforms.json."""
        return (path / "transforms.json").is_file()

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read every frame."""
        file = path if path.suffix == ".json" else path / "transforms.json"
        folder = file.parent
        if not file.is_file():
            raise DataError(f"{file}: no such file; the format transforms needs it.")
        content = load_json(file)
        warnings: list[str] = []
        views = read_frames(folder, content, options.images, warnings)
        points = None
        if content.get("ply_file_path"):
            points = read_points(folder, str(content["ply_file_path"]), warnings)
        return SourceCapture(
            path,
            self.name,
            views,
            points,
            split=own_split(content, {view.name for view in views}),
            metric=options.metric or content.get("metric") is True,
            notes=remarks(content),
            warnings=warnings,
            scene=scene_name(content),
        )


def scene_name(content: Json) -> str:
    """Name a scene that `recon data synthesize` made, by what makes it again; empty for others."""
    about = content.get("synthetic")
    made = about.get("settings") if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(made, dict):
        return ""
    if about.get("kind") == "focal-stack":
        return f"synthetic-stack-{made.get('seed')}-{made.get('width')}x{made.get('height')}"
    parts = [
        f"synthetic-street-{made.get('seed')}",
        f"{made.get('width')}x{made.get('height')}",
        f"{made.get('steps')}-steps",
    ]
    if "lens" in about:
        every, number, focus = (made.get(k) for k in ("lens_every", "f_number", "focus_distance"))
        parts.append(f"lens-every-{every}-f{number}-at-{focus}-m")
    return "-".join(parts)


def read_frames(
    folder: Path, content: Json, images: str | None, warnings: list[str], rig: bool = True
) -> list[SourceView]:
    """Translate frames; those that lack something are skipped, by name.

    Args:
        folder: what paths are relative to, and must not leave.
        content: the whole file.
        images: a folder to take photos from instead of the first part of their paths.
        warnings: what is added to.
        rig: whether photos in several folders come from several cameras.
    """
    paths = [str(frame.get("file_path", "")).removeprefix("./") for frame in content["frames"]]
    cameras = sensors(paths) if rig else [""] * len(paths)
    views = []
    for index, sensor in enumerate(cameras):
        try:
            views.append(read_frame(folder, Entry(content, index), images, sensor))
        except DataError as error:
            warnings.append(f"skipped {error}")
    return views


def read_frame(folder: Path, entry: Entry, images: str | None, sensor: str) -> SourceView:
    """Translate one frame.

    Raises:
        DataError: a key is missing or holds something else than expected, or a path leads out.
    """
    name = str(PurePosixPath(entry.text("file_path").replace("\\", "/")))
    image = find(folder, entry, name if images is None else moved(name, images))
    unit = entry.number("depth_unit_scale_factor")
    depth = optional(folder, entry, "depth_file_path")
    return SourceView(
        name,
        image,
        from_opengl(entry.pose()),
        intrinsics(entry, image),
        optional(folder, entry, "mask_path"),
        None if depth is None else DepthFile(depth, DEPTH_UNIT if unit is None else unit),
        entry.text("sensor") if entry.frame.get("sensor") else sensor,
        entry.number("time") or 0.0,
        lens_settings(entry),
    )


def lens_settings(entry: Entry) -> Exif:
    """Return what a frame states of its lens."""
    return Exif(**{field.name: entry.number(field.name) for field in dataclasses.fields(Exif)})


def find(folder: Path, entry: Entry, name: str) -> Path:
    """Return a file below the folder; photos may be named without their ending."""
    path = within(folder, name)
    if path is None:
        raise DataError(
            f"{entry.label}: the path {name} leads out of {folder}; "
            "write it relative to transforms.json, and put the file below"
        )
    if is_file(path):
        return path
    endings = (path.parent / (path.name + suffix) for suffix in (".png", *PHOTO_SUFFIXES))
    return next((candidate for candidate in endings if is_file(candidate)), path)


def optional(folder: Path, entry: Entry, key: str) -> Path | None:
    """Return the file that a key names, if the frame has the key."""
    return find(folder, entry, entry.text(key)) if entry.frame.get(key) else None


def moved(name: str, images: str) -> str:
    """Return a photo's name in another folder of photos, such as images_4 for images."""
    return str(PurePosixPath(images, *PurePosixPath(name).parts[1:]))


def own_split(content: Json, names: set[str]) -> SourceSplit | None:
    """Return the file's own split: `test_filenames`, or for want of it `val_filenames`, tests."""
    lists = {
        key: frozenset(str(PurePosixPath(str(name))) for name in content[key])
        for key in ("train_filenames", "val_filenames", "test_filenames")
        if isinstance(content.get(key), list)
    }
    test = lists.get("test_filenames") or lists.get("val_filenames") or frozenset()
    if not lists or not (test or "train_filenames" in lists):
        return None
    train = lists.get("train_filenames", frozenset(names) - test)
    return SourceSplit(train, test - train, "the files' own")


def remarks(content: Json) -> list[str]:
    """Tell of keys that change nothing here."""
    notes = []
    if any(key in content for key in RECORDED):
        notes.append(
            "the scene stays in the frame of transform_matrix; "
            f"{' and '.join(key for key in RECORDED if key in content)} not undone"
        )
    ignored = [key for key in INSTANT_NGP if key in content]
    if ignored:
        notes.append(f"ignored instant-ngp's {', '.join(ignored)}")
    return notes
