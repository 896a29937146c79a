"""What the summary of any scored predictions has to say in a report."""

import math
from collections.abc import Iterable
from typing import Any

from recon.report.contents import Chart, Series, Table
from recon.scores import ABSENT
from recon.types import Capture


def headline(summary: dict[str, Any]) -> str:
    """Write the scores that come first."""
    words = f"PSNR {_number(summary['psnr'], 2)} dB"
    depth = summary.get("depth")
    return words if depth is None else f"{words}, depth AbsRel {_number(depth['abs_rel'], 3)}"


def measured(summary: dict[str, Any], capture: Capture) -> tuple[tuple[str, str], ...]:
    """Say what was measured, on which photos, and how."""
    camera = capture.views[0].camera
    return (
        ("protocol", str(summary["protocol"])),
        ("held out", f"{summary['views']} of {len(capture.views)} views, {capture.split.rule}"),
        ("photos", f"{capture.format}, {camera.width}x{camera.height}"),
        ("SSIM", f"{_number(summary['ssim'], 4)}, Gaussian window 11, sigma 1.5"),
        ("LPIPS", _lpips(summary)),
        ("unit", str(summary["unit"])),
    )


def _lpips(summary: dict[str, Any]) -> str:
    if summary["lpips"] == ABSENT:
        return ABSENT
    return f"{_number(summary['lpips'], 4)}, {summary['lpips_weights']}"


def range_tables(summary: dict[str, Any]) -> list[Table]:
    """Write the errors by range, of each kind of depth that was predicted."""
    ranges = summary.get("depth", {}).get("ranges")
    if not ranges:
        return []
    names = ("abs_rel", "mae", "rmse", "delta1", "coverage")
    return [
        Table(
            f"Depth error by range, {kind} depth",
            ("range, m", "AbsRel", "MAE, m", "RMSE, m", "delta1", "coverage"),
            tuple(
                (f"{r['near']:g}-{r['far']:g}", *(_number(r[kind][name], 3) for name in names))
                for r in ranges
            ),
        )
        for kind in _kinds(ranges)
    ]


def range_charts(summary: dict[str, Any]) -> list[Chart]:
    """Draw the errors by range."""
    ranges = summary.get("depth", {}).get("ranges")
    if not ranges:
        return []
    labels = tuple(f"{r['near']:g}-{r['far']:g} m" for r in ranges)
    places = tuple(float(i) for i in range(len(ranges)))
    series = tuple(
        Series(kind, places, tuple(finite(r[kind]["abs_rel"]) for r in ranges))
        for kind in _kinds(ranges)
    )
    return [Chart("Depth error by range", "true depth", "AbsRel", series, labels)]


def _kinds(ranges: list[dict[str, Any]]) -> Iterable[str]:
    return (kind for kind in ("expected", "median") if isinstance(ranges[0][kind], dict))


def hashes(summary: dict[str, Any]) -> Table:
    """List what was scored against what."""
    keys = ("prediction_sha256", "depth_prediction_sha256", "photo_sha256")
    rows = tuple(
        (file["view"], *(str(file.get(key, ""))[:16] for key in keys))
        for file in summary.get("files", [])
    )
    columns = ("view", "prediction", "predicted depth", "photo")
    return Table("SHA-256 of the files that were scored, first 16 digits", columns, rows)


def finite(value: float | None) -> float:
    """Read a number that JSON could not hold."""
    return math.nan if value is None else float(value)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
