"""Rows of a Parquet file, read one at a time, however large its row groups are.

A row group is the least that can be read of a Parquet file. Where one is larger than a few photos,
as in files written at once, the columns asked for are first copied, streaming, to a scratch file
with small row groups, which goes when the process ends. So memory does not grow with the file.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recon.errors import DataError, ResourceError

LARGEST = 64 * 2**20
"""Bytes; a row group with more in the columns asked for is split."""
SMALL = 16 * 2**20
"""Bytes of a row group in a scratch file, about."""


class ParquetRows:
    """A Parquet file whose large columns stay on disk."""

    def __init__(self, path: Path, what: str) -> None:
        """Open a file.

        Args:
            path: the file.
            what: what its messages call it, such as the component.

        Raises:
            DataError: it is missing, damaged or encrypted.
        """
        self.path, self.what = path, what
        with self.named():
            self.file = pq.ParquetFile(path)
        self.columns: list[str] = self.file.schema_arrow.names

    def __len__(self) -> int:
        """Count the rows."""
        rows: int = self.file.metadata.num_rows
        return rows

    def require(self, columns: Sequence[str], without: str) -> None:
        """Check that columns are there.

        Args:
            columns: their names.
            without: what still works without them, as a sentence.

        Raises:
            DataError: one is missing.
        """
        for column in columns:
            if column not in self.columns:
                raise DataError(
                    f"{self.path}: component {self.what} has no column {column}; download it "
                    f"again. {without}"
                )

    def small(self, column: str) -> list[Any]:
        """Read a whole column of small values; of one that is missing, None for each row."""
        if column not in self.columns:
            return [None] * len(self)
        with self.named():
            values: list[Any] = self.file.read(columns=[column]).column(0).to_pylist()
        return values

    def row(self, index: int, columns: tuple[str, ...]) -> dict[str, Any]:
        """Read large values of one row, as Arrow scalars.

        Raises:
            DataError: the file is damaged; the message names the row.
        """
        with self.named(f", row {index}"):
            path = split(self.path, columns)
            group, start = position(path, index)
            table = read_group(path, group, columns)
            return {name: table.column(name)[index - start] for name in columns}

    @contextmanager
    def named(self, where: str = "") -> Iterator[None]:
        """Turn what Arrow raises into an error that names the file."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{self.path}{where}: component {self.what} cannot be read ({first_line(error)}). "
                "Download it again; an encrypted file must be decrypted first."
            ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@lru_cache(maxsize=32)
def opened(path: Path) -> pq.ParquetFile:
    """Return an open file; files are kept open, as their footers take time to read."""
    return pq.ParquetFile(path)


@cache
def starts(path: Path) -> np.ndarray:
    """Return the index of the first row of each row group, and of the end."""
    meta = opened(path).metadata
    counts = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
    return np.concatenate([[0], np.cumsum(counts)])


def position(path: Path, index: int) -> tuple[int, int]:
    """Return the row group that holds a row, and the index of its first row."""
    group = int(np.searchsorted(starts(path), index, side="right")) - 1
    return group, int(starts(path)[group])


@lru_cache(maxsize=4)
def read_group(path: Path, group: int, columns: tuple[str, ...]) -> pa.Table:
    """Read some columns of a row group; the last few are kept."""
    return opened(path).read_row_group(group, columns=list(columns))


@cache
def split(path: Path, columns: tuple[str, ...]) -> Path:
    """Return a file with these columns in row groups that are small enough.

    Raises:
        ResourceError: the disk has no room for a scratch file.
    """
    meta = opened(path).metadata
    sizes = [group_bytes(meta.row_group(i), columns) for i in range(meta.num_row_groups)]
    if max(sizes, default=0) <= LARGEST:
        return path
    folder = scratch()
    if shutil.disk_usage(folder).free < 2 * sum(sizes):
        raise ResourceError(
            f"{path}: its row groups are too large to be read one by one, and {folder} has no room "
            f"for a copy of {sum(sizes) / 2**30:.1f} GiB; make room, or set TMPDIR."
        )
    copy = folder / f"{len(list(folder.iterdir())):03d}.parquet"
    rows = max(1, int(SMALL * meta.num_rows / sum(sizes)))
    # Buffered: without it, a column of a row group would be read whole.
    source = pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False)
    schema = pa.schema([source.schema_arrow.field(name) for name in columns])
    with pq.ParquetWriter(copy, schema, compression="none", use_dictionary=False) as writer:
        for batch in source.iter_batches(rows, columns=list(columns), use_threads=False):
            writer.write_batch(batch.select(list(columns)))
    return copy


def group_bytes(group: Any, columns: tuple[str, ...]) -> int:
    """Sum the decoded bytes of some columns of a row group."""
    chunks = [group.column(i) for i in range(group.num_columns)]
    return sum(
        chunk.total_uncompressed_size
        for chunk in chunks
        if any(
            chunk.path_in_schema == c or chunk.path_in_schema.startswith(f"{c}.") for c in columns
        )
    )


@cache
def scratch() -> Path:
    """Return a folder for scratch files, deleted when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="recon-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
