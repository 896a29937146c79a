"""TFRecord files: a length, its checksum, the data, its checksum, and so on.

Checksums are CRC-32C, rotated and offset so that a checksum of data with checksums stays good
(TensorFlow's record_writer). `google_crc32c` computes the plain CRC.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recon.errors import DataError

HEADER = struct.Struct("<QI")
FOOTER = struct.Struct("<I")
GZIP = b"\x1f\x8b"
SUFFIXES = (".tfrecord", ".tfrecords")


@dataclass(frozen=True)
class Record:
    """Where a record's data lie in a file."""

    path: Path
    number: int
    """Counted from 0."""
    offset: int
    """Of the first byte of the data."""
    length: int

    def __str__(self) -> str:
        """Name the record for people."""
        return f"{self.path}, record {self.number}"

    def read(self) -> bytes:
        """Read the data again.

        Raises:
            DataError: the file is gone, or shorter than it was.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.length)
        except OSError as error:
            raise DataError(f"{self}: cannot be read ({error}); put the file back.") from error
        if len(data) != self.length:
            raise DataError(f"{self}: cut off since it was first read; copy the file again.")
        return data


def masked_crc(data: bytes) -> int:
    """Return the checksum that TFRecords carry."""
    import google_crc32c

    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """Return a record's data with lengths and checksums around it."""
    length = struct.pack("<Q", len(data))
    return length + FOOTER.pack(masked_crc(length)) + data + FOOTER.pack(masked_crc(data))


def records(path: Path) -> Iterator[tuple[Record, bytes]]:
    """Yield every record of a file with its data, checked.

    Raises:
        DataError: the file is missing, empty, cut off, compressed, or a checksum is wrong.
    """
    try:
        with path.open("rb") as file:
            yield from checked(path, file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}).") from error


def checked(path: Path, file: BinaryIO) -> Iterator[tuple[Record, bytes]]:
    """Yield the records of an open file."""
    number = 0
    size = path.stat().st_size
    while header := file.read(HEADER.size):
        if number == 0 and header[:2] == GZIP:
            raise DataError(f"{path}: compressed with gzip; unpack it with gunzip first.")
        if len(header) < HEADER.size:
            raise cut_off(path, number)
        length, crc = HEADER.unpack(header)
        if masked_crc(header[:8]) != crc:
            raise damaged(path, number, "length")
        record = Record(path, number, file.tell(), length)
        if record.offset + length + FOOTER.size > size:
            raise cut_off(path, number)
        data = file.read(length)
        if FOOTER.unpack(file.read(FOOTER.size))[0] != masked_crc(data):
            raise damaged(path, number, "data")
        yield record, data
        number += 1
    if number == 0:
        raise DataError(f"{path}: the file is empty; download it again.")


def cut_off(path: Path, number: int) -> DataError:
    """Return the error of a file that ends too soon."""
    before = f"the {number} before it are whole (--drive.frames 0 {number - 1} reads them)"
    return DataError(
        f"{path}, record {number}: cut off by the end of the file; "
        f"{before if number else 'none before it'}. Download the file again."
    )


def damaged(path: Path, number: int, part: str) -> DataError:
    """Return the error of a checksum that does not fit."""
    if number == 0 and part == "length":
        return DataError(f"{path}: no TFRecord (the first checksum is wrong), or damaged.")
    return DataError(
        f"{path}, record {number}: the checksum of its {part} is wrong; download the file again."
        + (f" Records 0 to {number - 1} are whole: --drive.frames 0 {number - 1}." * (number > 0))
    )


def tfrecords(path: Path) -> list[Path]:
    """List the TFRecords that a path means."""
    if path.suffix in SUFFIXES:
        return [path]
    return sorted(file for file in path.glob("*") if file.suffix in SUFFIXES)
