"""`recon inspect`."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from recon.commands.capture import rasterizer_for, resolve
from recon.commands.progress import counting
from recon.config import FitSettings
from recon.datasets.reader import ReadOptions, read_capture
from recon.errors import DataError
from recon.evidence.store import Store
from recon.forecast import Forecaster
from recon.inspect import Inspection, inspect_capture, to_json
from recon.inspect_table import print_inspection
from recon.match_facts import match_facts
from recon.match_pictures import write_match_pictures
from recon.matching.choose import MatcherOptions, choose_matcher
from recon.matching.survey import compare, triangulated
from recon.types import Capture
from recon.workload import Workload

WIDTHS = (960, 1600)
"""px, at which drives are fitted as a rule; photos of Waymo are then 640 and 1066 high."""


@dataclass(frozen=True)
class Inspect:
    """Say what a capture holds, what is wrong with it, and what the default fit will take here."""

    data: tyro.conf.Positional[Path]
    """The capture's folder, or `demo`."""
    read: Annotated[ReadOptions, tyro.conf.arg(name="")] = field(default_factory=ReadOptions)
    matches: Path | None = None
    """Match the photos as well, and draw into this folder how they agree with the poses."""
    matcher: Annotated[MatcherOptions, tyro.conf.arg(name="")] = field(
        default_factory=MatcherOptions
    )
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Look, and print."""
        capture = read_capture(resolve(self.data), self.read)
        settings = FitSettings(self.data, self.read).resolved()
        forecaster = Forecaster.here(settings, rasterizer_for("auto"))
        work = Workload.of(capture)
        stored = round(self.read.downscale * work.width)
        widths = [w for w in WIDTHS if work.drive and w <= stored and w != work.width]
        inspection = inspect_capture(capture, forecaster, widths)
        if self.matches is not None:
            inspection = with_matches(inspection, capture, self.matcher, self.matches)
        if self.json:
            print(to_json(inspection))
        else:
            print_inspection(inspection, Console())


def with_matches(
    inspection: Inspection, capture: Capture, options: MatcherOptions, folder: Path
) -> Inspection:
    """Match a capture's photos, draw what a person should see, and add what was found.

    Where nothing overlaps, or nothing can be triangulated, the reason becomes a warning.
    """
    matcher, warnings = choose_matcher(options), list(inspection.warnings)
    points = None if capture.points is None else capture.points.positions
    try:
        comparison = compare(capture.views, matcher, Store(), points=points, counter=counting)
    except DataError as error:
        return replace(inspection, warnings=(*warnings, str(error)))
    try:
        found = triangulated(comparison)
        warnings += comparison.warnings
    except DataError as error:
        found = None
        warnings.append(str(error))
    unit = " m" if capture.metric else ""
    paths = write_match_pictures(comparison, found, folder, unit)
    print(f"{folder}: {len(paths)} pictures of matches", file=sys.stderr)
    facts = match_facts(comparison, found)
    return replace(inspection, matches=facts, warnings=tuple(warnings))
