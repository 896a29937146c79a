"""KITTI's text files: rows of numbers, calibrations and times."""

from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from recon.errors import DataError


def lines_of(path: Path) -> list[str]:
    """Return a file's lines; empty ones at its end are left out.

    Raises:
        DataError: it is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8").rstrip().splitlines()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; download it again.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); download it again.") from error


def numbers(path: Path, line: int, text: str, count: int) -> Float64[np.ndarray, " {count}"]:
    """Read the numbers of a line.

    Args:
        path: named in errors.
        line: counted from 1, named in errors.
        text: what stands there.
        count: how many numbers are expected.

    Raises:
        DataError: there are more or fewer, or one is no finite number.
    """
    words = text.split()
    try:
        values = np.array([float(word) for word in words])
    except ValueError as error:
        raise DataError(f"{path}, line {line}: {error}; download the file again.") from error
    if len(values) != count:
        raise DataError(
            f"{path}, line {line}: {len(values)} numbers where {count} are expected; "
            "download the file again."
        )
    if not np.isfinite(values).all():
        raise DataError(f"{path}, line {line}: a number is not finite; download the file again.")
    return values


def rows_of(path: Path, count: int) -> Float64[np.ndarray, "n {count}"]:
    """Read a file with so many numbers in each line.

    Raises:
        DataError: the file is missing or a line is malformed.
    """
    rows = [numbers(path, i, text, count) for i, text in enumerate(lines_of(path), start=1)]
    return np.array(rows).reshape(-1, count)


def seconds_of(path: Path) -> Float64[np.ndarray, " n"]:
    """Read a raw drive's dates, one a line, as seconds since the first.

    Raises:
        DataError: the file is missing or a line is malformed.
    """
    times = []
    for line, text in enumerate(lines_of(path), start=1):
        try:
            times.append(datetime.fromisoformat(text.strip()))
        except ValueError as error:
            raise DataError(
                f"{path}, line {line}: {text!r} is no date and time; download the file again."
            ) from error
    return np.array([(time - times[0]).total_seconds() for time in times])


class Calibration:
    """The lines of a calibration file by their keys, read when asked for.

    A line without a key is the projection of the next camera: P0, P1 and so on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: dict[str, tuple[int, str]] = {}
        for line, text in enumerate(lines_of(path), start=1):
            key, colon, value = text.partition(":")
            if not colon:
                key, value = f"P{len(self._lines)}", text
            self._lines[key.strip()] = (line, value)

    def __contains__(self, key: str) -> bool:
        """Say whether there is a line with a key."""
        return key in self._lines

    def matrix(self, key: str, rows: int, columns: int) -> Float64[np.ndarray, "{rows} {columns}"]:
        """Return the numbers of a key.

        Raises:
            DataError: the key is not there, or the line is malformed.
        """
        if key not in self._lines:
            there = ", ".join(self._lines) or "nothing"
            raise DataError(f"{self.path}: no {key} (there is {there}); download the file again.")
        line, text = self._lines[key]
        return numbers(self.path, line, text, rows * columns).reshape(rows, columns)

    def rigid(self, rotation: str, translation: str) -> Float64[np.ndarray, "4 4"]:
        """Return a rigid transform whose two parts have lines of their own.

        Raises:
            DataError: a key is not there, or a line is malformed.
        """
        pose = np.eye(4)
        pose[:3, :3] = self.matrix(rotation, 3, 3)
        pose[:3, 3] = self.matrix(translation, 3, 1)[:, 0]
        return pose
