"""Reading the vertices of a binary PLY file without trusting its header.

The size of the file is compared with the header before anything is allocated: a header of a few
bytes can claim billions of vertices.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from recon.errors import DataError

HEADER_LIMIT = 64 * 1024
"""Bytes; longer headers are refused."""

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}
"""numpy's name for each type, by either of its spellings."""

_BYTE_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str]]
    """Name and numpy type."""
    has_list: bool = False

    @property
    def row(self) -> np.dtype[np.void]:
        return np.dtype(self.properties)


def read_vertices(path: Path) -> NDArray[Any]:
    """Return the element `vertex` as a structured array, one field per property.

    Comments, Windows line ends, either byte order and further elements are accepted.

    Raises:
        DataError: the file is missing, is no binary PLY, or its header is malformed or does not
            agree with its size.
    """
    try:
        with path.open("rb") as file:
            elements, start = _read_header(path, file)
            return _read_element(path, file, elements, start)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); expected a PLY file, check the path"
        ) from error


def _read_header(path: Path, file: BinaryIO) -> tuple[list[_Element], int]:
    """Return the elements, and the offset at which their data begins."""
    start = file.read(HEADER_LIMIT)
    if not start.startswith((b"ply\n", b"ply\r\n")):
        raise DataError(f"{path}: does not begin with 'ply'; expected a PLY file, check the path")
    lines: list[str] = []
    offset = 0
    while not lines or lines[-1] != "end_header":
        end = start.find(b"\n", offset)
        if end < 0:
            raise DataError(
                f"{path}: no end_header within the first {HEADER_LIMIT} bytes; expected a complete "
                "PLY header, copy or export the file again"
            )
        # Comments may hold anything, so that decoding must not fail on them.
        lines.append(start[offset:end].decode("ascii", "replace").rstrip("\r"))
        offset = end + 1
    return _parse_header(path, lines[1:-1]), offset


def _parse_header(path: Path, lines: list[str]) -> list[_Element]:
    order: str | None = None
    elements: list[_Element] = []
    for number, line in enumerate(lines, start=2):
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                pass
            case ["format", "ascii", _]:
                raise DataError(
                    f"{path}: is an ascii PLY; expected a binary one, export it as "
                    "binary_little_endian"
                )
            case ["format", encoding, "1.0"] if encoding in _BYTE_ORDERS and order is None:
                order = _BYTE_ORDERS[encoding]
            case ["element", name, count] if order and _is_count(count):
                elements.append(_Element(name, int(count), []))
            case ["property", "list", _, _, _] if elements:
                elements[-1].has_list = True
            case ["property", kind, name] if order and elements and kind in _TYPES:
                if name in dict(elements[-1].properties):
                    raise DataError(
                        f"{path}: line {number} of the header names the property {name} a second "
                        "time; expected it once, export the file again"
                    )
                elements[-1].properties.append((name, order + _TYPES[kind]))
            case _:
                raise DataError(
                    f"{path}: line {number} of the header, {line[:60]!r}, is not understood; "
                    "expected format, element or property, export the file again"
                )
    return elements


def _is_count(text: str) -> bool:
    # Twenty digits hold every 64 bit number; Python itself refuses to convert endless ones.
    return text.isascii() and text.isdigit() and len(text) <= 20


def _read_element(path: Path, file: BinaryIO, elements: list[_Element], start: int) -> NDArray[Any]:
    vertex = next((e for e in elements if e.name == "vertex"), None)
    if vertex is None or vertex.has_list or not vertex.properties:
        raise DataError(
            f"{path}: has no element 'vertex' of plain properties; expected a point cloud or a "
            "scene of Gaussians, check the path"
        )
    before = elements[: elements.index(vertex)]
    if any(e.has_list for e in before):
        raise DataError(
            f"{path}: a list stands before its vertices; expected vertices first, export it again"
        )
    start += sum(e.count * e.row.itemsize for e in before)
    claimed = start + vertex.count * vertex.row.itemsize
    size = os.fstat(file.fileno()).st_size
    if claimed > size or (vertex is elements[-1] and claimed < size):
        raise DataError(
            f"{path}: holds {size} bytes where its header's {vertex.count} vertices of "
            f"{vertex.row.itemsize} bytes make {claimed}; the file is truncated or damaged, copy "
            "or export it again"
        )
    file.seek(start)
    return np.fromfile(file, vertex.row, vertex.count)
