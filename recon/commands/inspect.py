"""`recon inspect`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from recon.commands.capture import rasterizer_for, resolve
from recon.config import FitSettings
from recon.datasets.reader import ReadOptions, read_capture
from recon.forecast import Forecaster
from recon.inspect import inspect_capture, to_json
from recon.inspect_table import print_inspection
from recon.workload import Workload

WIDTHS = (960, 1600)
"""px, at which drives are fitted as a rule; photos of Waymo are then 640 and 1066 high."""


@dataclass(frozen=True)
class Inspect:
    """Say what a capture holds, what is wrong with it, and what the default fit will take here."""

    data: tyro.conf.Positional[Path]
    """The capture's folder, or `demo`."""
    read: Annotated[ReadOptions, tyro.conf.arg(name="")] = field(default_factory=ReadOptions)
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
        if self.json:
            print(to_json(inspection))
        else:
            print_inspection(inspection, Console())
