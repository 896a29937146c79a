"""What a report says, before it is a page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A JPEG with a caption."""

    caption: str
    jpeg: bytes


@dataclass(frozen=True)
class ViewRow:
    """One held-out view."""

    name: str
    numbers: tuple[float | None, ...]
    """One for each of the report's view columns; None where there is none."""
    pictures: tuple[Picture, ...]
    """Of the same size: the photo first, then the render."""


@dataclass(frozen=True)
class Column:
    """A column of numbers."""

    title: str
    digits: int
    higher_is_better: bool


@dataclass(frozen=True)
class Table:
    """Words and numbers, written out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Series:
    """Numbers over numbers, or over labels."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Lines, or groups of bars where the places along x have labels."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything on the page, from top to bottom."""

    title: str
    command: str
    """What makes the numbers again."""
    facts: tuple[tuple[str, str], ...]
    """The protocol's card: what was measured, on what, how, and with what."""
    verdicts: tuple[str, ...]
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]
    view_columns: tuple[Column, ...]
    views: tuple[ViewRow, ...]
    """The worst first, by the first column."""
    hashes: Table | None
