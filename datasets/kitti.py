"""The reader of KITTI: odometry sequences and raw drives."""

from pathlib import Path
from typing import ClassVar

from recon.datasets.kitti_capture import to_source
from recon.datasets.kitti_odometry import is_sequence, read_sequence
from recon.datasets.kitti_raw import is_drive, read_drive
from recon.datasets.source import Reader, ReadOptions, SourceCapture
from recon.errors import DataError


class KittiReader(Reader):
    """Reads one sequence of KITTI odometry, or one drive of KITTI raw, synced and rectified."""

    name: ClassVar[str] = "kitti"
    needs: ClassVar[str] = (
        "calib.txt, poses.txt or ../../poses/NN.txt, and image_0 to image_3 (odometry); or "
        "image_00 to image_03 and oxts, with the calibrations in the folder above (raw)"
    )

    def recognises(self, path: Path) -> bool:
        """Say whether a path is a sequence or a drive, or holds some."""
        return is_sequence(path) or is_drive(path) or bool(within(path))

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read the sequence or drive at a path, or the only one in it."""
        folder = path if is_sequence(path) or is_drive(path) else only_one(path)
        drive = read_drive(folder) if is_drive(folder) else read_sequence(folder)
        return to_source(drive, self.name, options.drive)


def within(path: Path) -> list[Path]:
    """List the sequences of a dataset, or the drives of a date."""
    if not path.is_dir():
        return []
    sequences = [folder for folder in path.glob("sequences/*") if is_sequence(folder)]
    return sorted(sequences + [folder for folder in path.glob("*_drive_*") if is_drive(folder)])


def only_one(path: Path) -> Path:
    """Return the only sequence or drive in a folder.

    Raises:
        DataError: there is none, or there are several.
    """
    found = within(path)
    if not found:
        raise DataError(f"{path}: neither a sequence nor a drive; expected {KittiReader.needs}.")
    if len(found) > 1:
        raise DataError(
            f"{path}: holds {len(found)} drives, and a capture is one; name one, such as "
            f"{found[0]}."
        )
    return found[0]
