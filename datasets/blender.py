"""Blender's transforms_train.json, transforms_val.json and transforms_test.json.

The set of NeRF's synthetic scenes (Mildenhall et al. 2020): RGBA photos, laid on white as its
protocol demands, one angle of view for all, and a split of its own. Its `val` views are left alone.
"""

from pathlib import Path
from typing import ClassVar

from recon.datasets.source import Reader, ReadOptions, SourceCapture, SourceSplit, SourceView
from recon.datasets.transforms import read_frames
from recon.datasets.transforms_json import load_json
from recon.errors import DataError

WHITE = (1.0, 1.0, 1.0)
PARTS = ("train", "val", "test")


class BlenderReader(Reader):
    """Reads transforms_train.json and its siblings."""

    name: ClassVar[str] = "blender"
    needs: ClassVar[str] = "transforms_train.json, as a rule with transforms_test.json"

    def recognises(self, path: Path) -> bool:
        """Say whether there is a transforms_train.json."""
        return (path / "transforms_train.json").is_file()

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read every part that is there."""
        if not self.recognises(path):
            raise DataError(f"{path}: no transforms_train.json, and --format blender needs it.")
        views: list[SourceView] = []
        names: dict[str, frozenset[str]] = {}
        warnings: list[str] = []
        for part in PARTS:
            file = path / f"transforms_{part}.json"
            if file.is_file():
                found = read_frames(path, load_json(file), options.images, warnings, rig=False)
                names[part] = frozenset(view.name for view in found)
                views += found
        test = names.get("test", frozenset()) - names["train"]
        split = SourceSplit(names["train"], test, "the files' own") if test else None
        return SourceCapture(
            path,
            self.name,
            views,
            split=split,
            metric=options.metric,
            background=WHITE,
            notes=remarks(names),
            warnings=warnings,
        )


def remarks(names: dict[str, frozenset[str]]) -> list[str]:
    """Tell of the views that are neither learned from nor tested on."""
    if not names.get("test") or not names.get("val"):
        return []
    return [f"{len(names['val'])} val views are neither trained on nor tested"]
