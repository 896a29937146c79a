"""`recon view`: a scene in the browser."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import torch
import tyro

from recon.backdrop import Plain
from recon.commands.capture import newest, rasterizer_for, reopen, scene_at, tell_unfinished
from recon.errors import UsageError
from recon.raster.choose import Wish
from recon.render import Stage
from recon.run import Run
from recon.scene import Scene
from recon.scene_file import read_ply
from recon.transform import transformed
from recon.types import Similarity
from recon.viewer.address import Address, stay_open, tell_the_way

if TYPE_CHECKING:
    from recon.viewer.server import ViewerServer
    from recon.viewer.subject import Subject


@dataclass(frozen=True)
class View:
    """Look at a run or a PLY file in the browser: colour, depth, and through a lens."""

    scene: tyro.conf.Positional[Path]
    """A run's folder, finished or not, or a PLY file of Gaussians."""
    address: Annotated[Address, tyro.conf.arg(name="")] = field(default_factory=Address)
    metric: bool = False
    """Lengths of the PLY file are metres, so that lenses may have f-numbers."""
    backend: Wish = "auto"
    """Which rasterizer draws a PLY file; a run is drawn by its own."""
    data: Path | None = None
    """Where the capture of a run is now, if it has moved since the fit."""

    def __call__(self) -> None:
        """Serve the page until Ctrl-C."""
        if self.scene.is_file() or self.scene.suffix.lower() == ".ply":
            if self.data is not None:
                raise UsageError(f"--data belongs to a run's folder, and {self.scene} is a file.")
            subject = file_subject(self.scene, self.backend, metric=self.metric)
        else:
            subject = run_subject(Run(self.scene), self.data)
        server = serve(subject, self.address)
        try:
            stay_open()
        finally:
            server.close()


def run_subject(run: Run, moved: Path | None) -> "Subject":
    """Open a run at its newest whole checkpoint.

    Raises:
        DataError: it is no run, one of another version, or without a checkpoint or its capture.
    """
    from recon.viewer.subject import Source, Subject

    settings, capture = reopen(run, moved)
    saved = newest(run)
    tell_unfinished(run, settings, saved)
    rasterizer = rasterizer_for(settings.backend)
    scene = scene_at(run, settings, capture, saved, rasterizer)
    source = Source(f"{run.path.name}, step {saved.step}", capture, run)
    return Subject(Stage(scene, rasterizer, capture.metric), source)


def file_subject(path: Path, backend: Wish, *, metric: bool) -> "Subject":
    """Open a PLY file, shifted to the middle of its Gaussians, where float32 is finest.

    Raises:
        DataError: it is no PLY file of Gaussians.
    """
    from recon.viewer.subject import Source, Subject

    gaussians = read_ply(path)
    centre = gaussians.means.double().median(dim=0).values
    rasterizer = rasterizer_for(backend)
    moved = transformed(gaussians, Similarity.shift(-centre)).to(rasterizer.device)
    scene = Scene(moved, Plain((0.0, 0.0, 0.0), rasterizer.device))
    return Subject(Stage(scene, rasterizer, metric), Source(path.name, moved_by=-centre))


def serve(subject: "Subject", address: Address) -> "ViewerServer":
    """Start the page, and say how to open it.

    Raises:
        ResourceError: there is no free port, or the host is none of this machine's.
    """
    from recon.viewer.server import ViewerServer

    with torch.no_grad():
        server = ViewerServer(subject, address)
    tell_the_way(address, server.port, server.url)
    return server
