"""Pictures to a video."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from recon.errors import DataError, ResourceError, UsageError
from recon.files import replacing
from recon.pictures import Picture

CODECS = {".mp4": "mp4v", ".webm": "VP90"}
"""By suffix: MPEG-4, quick and for players; VP9, slower and for browsers too."""


def write_video(path: Path, pictures: Sequence[Path], fps: float) -> None:
    """Join pictures of one size to a video; the file appears whole or not at all.

    An odd last row or column is left out, because codecs halve the resolution of colour.

    Args:
        path: ends in .mp4 or .webm.
        pictures: in their order; at least one.
        fps: pictures a second, more than 0.

    Raises:
        UsageError: the suffix or the speed is not possible.
        DataError: a picture is missing or of another size.
        ResourceError: this OpenCV cannot encode the format, or the disk is full.
    """
    if path.suffix not in CODECS or not fps > 0 or not pictures:
        raise UsageError(
            f"{path}: {len(pictures)} pictures at {fps} a second; expected a name that ends in "
            f"{' or '.join(CODECS)}, at least one picture and a speed above 0"
        )
    first = _even(_read(pictures[0]))
    size = (first.shape[1], first.shape[0])
    with replacing(path) as temporary:
        # OpenCV chooses the container by the suffix.
        encoded = temporary.with_name(temporary.name + path.suffix)
        try:
            _encode(encoded, CODECS[path.suffix], pictures, size, fps)
            encoded.replace(temporary)
        finally:
            encoded.unlink(missing_ok=True)


def _encode(
    path: Path, codec: str, pictures: Sequence[Path], size: tuple[int, int], fps: float
) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    try:
        if not writer.isOpened():
            raise ResourceError(
                f"{path.name}: the installed OpenCV cannot encode {codec}; the single pictures are "
                "there, join them with another tool, or ask for another of .mp4 and .webm"
            )
        for picture in pictures:
            frame = _even(_read(picture))
            if frame.shape[1::-1] != size:
                raise DataError(
                    f"{picture}: is {frame.shape[1]}x{frame.shape[0]}; expected {size[0]}x"
                    f"{size[1]} like the first picture, give all one size"
                )
            writer.write(frame)
    finally:
        writer.release()
    if not path.is_file() or not path.stat().st_size:
        raise ResourceError(f"{path.name}: nothing was encoded; free some space and try again")


def _read(path: Path) -> Picture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{path}: cannot be read; expected a picture, render it again")
    return picture.astype(np.uint8)


def _even(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])
