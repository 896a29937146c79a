"""The two readers of Waymo segments; pyarrow and protobuf are imported when they read."""

from pathlib import Path
from typing import ClassVar

from recon.datasets.source import Reader, ReadOptions, SourceCapture
from recon.datasets.tfrecord import tfrecords
from recon.datasets.waymo_capture import to_source
from recon.datasets.waymo_files import looks_like_segment
from recon.errors import DataError


class WaymoV2Reader(Reader):
    """Reads the Parquet components of one segment."""

    name: ClassVar[str] = "waymo-v2"
    needs: ClassVar[str] = (
        "camera_image, camera_calibration and more, with one Waymo segment's *.parquet; or such a "
        "folder's path and behind it the name of one of its segments"
    )

    def recognises(self, path: Path) -> bool:
        """Say whether there are components, or Parquet files."""
        return looks_like_segment(path)

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read the segment that a path means."""
        if not self.recognises(path):
            raise DataError(f"{path}: no Parquet files, and --format waymo-v2 needs them.")
        from recon.datasets.waymo_v2 import read_segment

        segment = read_segment(path, cameras_only=options.drive.lidar == "A")
        return to_source(path, self.name, segment, options.drive)


class WaymoV1Reader(Reader):
    """Reads segment-*.tfrecord."""

    name: ClassVar[str] = "waymo-v1"
    needs: ClassVar[str] = "one Waymo segment-*.tfrecord, or the path of one"

    def recognises(self, path: Path) -> bool:
        """Say whether there is a TFRecord."""
        return bool(tfrecords(path))

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read the segment at a path, or the only one in it."""
        from recon.datasets.waymo_v1 import read_segment

        last = None if options.drive.frames is None else max(0, options.drive.frames[1])
        return to_source(path, self.name, read_segment(path, last), options.drive)
