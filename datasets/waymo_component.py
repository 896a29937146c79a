"""One component of a Waymo v2 segment: its keys and columns, by their short names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from recon.datasets.parquet_rows import ParquetRows
from recon.datasets.waymo_files import COMPONENTS
from recon.datasets.waymo_segment import name_of
from recon.errors import DataError

SEGMENT = "key.segment_context_name"
AGAIN = "Without it nothing says where a row belongs."


@dataclass(frozen=True, eq=False)
class Component:
    """A component's file."""

    name: str
    rows: ParquetRows

    def column(self, short: str) -> str:
        """Return a column's full name."""
        return f"[{COMPONENTS[self.name]}].{short}"

    def require(self, short: Sequence[str], without: str) -> None:
        """Check that columns are there.

        Raises:
            DataError: one is missing; the message goes on with what works without it.
        """
        self.rows.require([self.column(name) for name in short], without)

    def small(self, short: str) -> list[Any]:
        """Read a column of small values whole; None for each row where it is missing."""
        return self.rows.small(self.column(short))

    def key(self, short: str) -> list[Any]:
        """Read a column of keys.

        Raises:
            DataError: it is missing.
        """
        self.rows.require([f"key.{short}"], AGAIN)
        return self.filled(f"key.{short}")

    def each(self, short: str) -> list[Any]:
        """Read a column of small values whole.

        Raises:
            DataError: a row has no value.
        """
        return self.filled(self.column(short))

    def filled(self, column: str) -> list[Any]:
        """Read a column by its full name; every row has a value."""
        values = self.rows.small(column)
        if None in values:
            raise DataError(
                f"{self.rows.path}, row {values.index(None)}: component {self.name} has nothing in "
                f"{column}; download it again."
            )
        return values

    def times(self) -> list[int]:
        """Read the frame of each row, in microseconds since 1970."""
        return self.key("frame_timestamp_micros")

    def names(self, short: str, names: Mapping[int, str]) -> list[str]:
        """Read the camera or laser of each row; some files hold numbers, some names."""
        return [name_of(names, value) for value in self.key(short)]

    def matrix(self, values: Sequence[float] | None, row: int) -> Float64[np.ndarray, "4 4"]:
        """Return a transform as a matrix.

        Raises:
            DataError: it has not 16 numbers.
        """
        if values is None or len(values) != 16:
            raise DataError(
                f"{self.rows.path}, row {row}: component {self.name} has a transform of "
                f"{len(values or ())} numbers, expected 16; download it again."
            )
        return np.array(values, np.float64).reshape(4, 4)


def open_components(files: Mapping[str, Path]) -> tuple[str, dict[str, Component]]:
    """Open the files of a segment, and return its name and its components.

    Raises:
        DataError: a file cannot be read, or they hold more than one segment.
    """
    owners: dict[str, str] = {}
    parts = {}
    for name, file in files.items():
        parts[name] = Component(name, ParquetRows(file, name))
        for segment in set(parts[name].key(SEGMENT.removeprefix("key."))):
            owners.setdefault(segment, name)
    if len(owners) > 1:
        found = "; ".join(f"{segment} in {name}" for segment, name in sorted(owners.items())[:3])
        raise DataError(
            f"{next(iter(files.values())).parent}: more than one segment ({found}); put each "
            "segment's files into a folder of their own."
        )
    if not owners:
        raise DataError(f"{next(iter(files.values()))}: no component has a row; download it again.")
    return next(iter(owners)), parts
