"""`recon export`."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from recon.commands.capture import newest, reopen, tell_unfinished
from recon.export import ExportFormat, export
from recon.run import Run

ENDINGS: dict[ExportFormat, str] = {
    "ply": "scene.ply",
    "splat": "scene.splat",
    "compressed-ply": "scene.compressed.ply",
}


@dataclass(frozen=True)
class Export:
    """Write a run's scene for other viewers, in the input's coordinates."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    to: ExportFormat = "ply"
    """ply keeps everything; splat drops the change with view; compressed-ply is about 4 times
    smaller than ply."""
    output: Path | None = None
    """The file; in the run's folder where not given."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""

    def __call__(self) -> None:
        """Write the file, and print its path."""
        run = Run(self.run)
        settings, capture = reopen(run, self.data)
        saved = newest(run)
        tell_unfinished(run, settings, saved)
        path = self.output or run.path / ENDINGS[self.to]
        export(saved.gaussians, capture.to_source, path, self.to, metric=capture.metric)
        print(path)
