"""Rows of a Parquet file, read one at a time, however large its row groups are.

A row group is the least that can be read of a Parquet file. Where one is larger than a few photos,
as in files written at once, the columns asked for are first copied, streaming, to a scratch file
with small row groups, which goes when the process ends. So memory does not grow with the file,
beyond its largest page.
"""

import atexit
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
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
        self.groups: dict[tuple[str, ...], RowGroups] = {}

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
        # Damaged levels can leave values out without Arrow's notice.
        with self.named():
            values: list[Any] = self.file.read(columns=[column]).column(0).to_pylist()
            if len(values) != len(self):
                raise ValueError(f"column {column} has {len(values)} of {len(self)} values")
        return values

    def row(self, index: int, columns: tuple[str, ...]) -> dict[str, Any]:
        """Read large values of one row, as Arrow scalars.

        Raises:
            DataError: the file is damaged; the message names the row.
            ResourceError: the disk has no room for a scratch file.
        """
        with self.named(f", row {index}"):
            if columns not in self.groups:
                self.groups[columns] = RowGroups(split(self.path, self.file, columns), columns)
            return self.groups[columns].row(index)

    @contextmanager
    def named(self, where: str = "") -> Iterator[None]:
        """Turn what Arrow raises into an error that names the file."""
        try:
            yield
        except MemoryError:  # Arrow's own is an ArrowException too, but no fault of the file.
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(
                f"{self.path}{where}: component {self.what} cannot be read ({first_line(error)}). "
                "Download it again; an encrypted file must be decrypted first."
            ) from error


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class RowGroups:
    """A Parquet file whose row groups fit into memory; the last one read is kept."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        """Open a file to read some of its columns."""
        self.file = pq.ParquetFile(path)
        self.columns = columns
        meta = self.file.metadata
        counts = [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]
        self.starts = np.cumsum([0, *counts])
        self.kept: tuple[int, pa.Table] | None = None
        self.lock = threading.Lock()

    def row(self, index: int) -> dict[str, Any]:
        """Read one row, as Arrow scalars."""
        group = int(np.searchsorted(self.starts, index, side="right")) - 1
        with self.lock:
            if self.kept is None or self.kept[0] != group:
                # On this thread alone: those of Arrow take longer together than one by itself.
                columns = list(self.columns)
                table = self.file.read_row_group(group, columns=columns, use_threads=False)
                self.kept = group, table
            table, row = self.kept[1], index - int(self.starts[group])
        return {name: table.column(name)[row] for name in self.columns}


def split(path: Path, file: pq.ParquetFile, columns: tuple[str, ...]) -> Path:
    """Return the path of a file with these columns in row groups that are small enough.

    Raises:
        ResourceError: the disk has no room for a scratch file.
    """
    meta = file.metadata
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
