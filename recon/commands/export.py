"""`recon export`."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from recon.commands.capture import newest, rasterizer_for, reopen, scene_at, tell_unfinished
from recon.commands.progress import counting
from recon.export.choose import ExportFormat, exporter_for
from recon.export.interface import Subject
from recon.export.surface import SurfaceSettings
from recon.render import Stage
from recon.run import Run


@dataclass(frozen=True)
class Export:
    """Write a run's scene for other programs, in the input's coordinates."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    to: ExportFormat = "ply"
    """ply keeps everything; splat drops the change with view; compressed-ply is about 4 times
    smaller than ply. points and mesh are the surface that the training views show, as PLY; a mesh
    needs the extra `mesh`. html is one page that shows the splats in any browser, without a
    network."""
    surface: Annotated[SurfaceSettings, tyro.conf.arg(name="")] = field(
        default_factory=SurfaceSettings
    )
    output: Path | None = None
    """The file; in the run's folder where not given."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""

    def __call__(self) -> None:
        """Write the file, and print its path."""
        exporter = exporter_for(self.to, self.surface)
        run = Run(self.run)
        settings, capture = reopen(run, self.data)
        saved = newest(run)
        tell_unfinished(run, settings, saved)

        def stage() -> Stage:
            rasterizer = rasterizer_for(settings.backend)
            scene = scene_at(run, settings, capture, saved, rasterizer)
            return Stage(scene, rasterizer, capture.metric)

        subject = Subject(saved.gaussians, capture.to_source, capture.metric, capture.train, stage)
        path = self.output or run.path / exporter.file_name
        said = exporter.write(subject, path, counting)
        if said:
            print(said, file=sys.stderr)
        print(path)
