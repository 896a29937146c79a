"""Reading any capture: recognise the format, translate, finalise."""

from dataclasses import replace
from pathlib import Path

from recon.datasets.blender import BlenderReader
from recon.datasets.colmap import ColmapReader
from recon.datasets.dgp import DgpReader
from recon.datasets.drivestudio import DrivestudioReader
from recon.datasets.finalise import finalise
from recon.datasets.kitti import KittiReader
from recon.datasets.llff import LlffReader
from recon.datasets.source import Reader, ReadOptions, SourceCapture
from recon.datasets.transforms import TransformsReader
from recon.datasets.waymo import WaymoV1Reader, WaymoV2Reader
from recon.errors import DataError, UsageError
from recon.types import Capture

__all__ = ["READERS", "ReadOptions", "Reader", "read_capture"]

READERS: tuple[Reader, ...] = (
    ColmapReader(),
    TransformsReader(),
    BlenderReader(),
    LlffReader(),
    KittiReader(),
    DgpReader(),
    DrivestudioReader(),
    WaymoV2Reader(),
    WaymoV1Reader(),
)
"""In the order of preference where a folder fits several: COLMAP brings points, so it is first."""


def read_capture(
    path: Path, options: ReadOptions | None = None, *, start_points: bool = True
) -> Capture:
    """Read a folder of posed photos, whatever its format.

    Photos stay on disk until their pixels are asked for.

    Args:
        path: the folder of any format, or what else its reader recognises, such as a TFRecord.
        options: size, split, and which format and photos to take; the defaults where absent.
        start_points: gather points for a fit to begin with, which takes a drive's LiDAR seconds;
            points that lie ready in the files come in any case.

    Raises:
        DataError: the folder is no capture, or none of its views can be used.
        UsageError: an option names or asks for something that does not exist.
    """
    options = options or ReadOptions()
    return finalise(read_source(path, options), options, start_points)


def identify(path: Path, options: ReadOptions) -> tuple[str, str]:
    """Return the format of a capture and the name of its scene, without reading all of it.

    Args:
        path: as for `read_capture`.
        options: likewise; which time steps are asked for does not matter.

    Raises:
        DataError: the folder is no capture.
        UsageError: an option names or asks for something that does not exist.
    """
    first = replace(options.drive, frames=(0, 0), stride=1, lidar="A")
    source = read_source(path, replace(options, drive=first))
    return source.format, source.scene


def read_source(path: Path, options: ReadOptions) -> SourceCapture:
    """Translate a capture by the reader that fits, or that was asked for.

    Raises:
        DataError: the folder is no capture.
        UsageError: an option names or asks for something that does not exist.
    """
    if path.suffix == ".json":
        return TransformsReader().read(path, options)
    fitting = [reader for reader in READERS if reader.recognises(path)]
    if not (fitting or path.is_dir()):
        raise DataError(f"{path}: no such folder; --data takes the folder of a capture.")
    reader = choose(path, fitting, options.format)
    source = reader.read(path, options)
    others = [other.name for other in fitting if other is not reader]
    if others and options.format is None:
        source.notes.insert(
            0, f"read as {reader.name}; also there: {', '.join(others)} (choose with --format)"
        )
    return source


def choose(folder: Path, fitting: list[Reader], name: str | None) -> Reader:
    """Return the reader asked for, or the first that fits."""
    if name is not None:
        named = next((reader for reader in READERS if reader.name == name), None)
        if named is None:
            known = ", ".join(reader.name for reader in READERS)
            raise UsageError(f"--format {name}: expected one of {known}.")
        return named
    if not fitting:
        needs = "\n".join(f"  {reader.name}: {reader.needs}" for reader in READERS)
        raise DataError(f"{folder}: {contents(folder)} Expected one of these:\n{needs}")
    return fitting[0]


def contents(folder: Path) -> str:
    """Say what is in a folder, in a sentence."""
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in folder.iterdir())
    if not names:
        return "the folder is empty."
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"not a capture that can be read. It holds {', '.join(names[:12])}{more}."
