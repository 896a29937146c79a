"""OpenSplat: a binary that fits on CPU or GPU and writes a PLY, which our rasterizer draws."""

from dataclasses import dataclass
from typing import ClassVar, final

from recon.backdrop import Plain
from recon.baselines.colmap_folder import write_colmap
from recon.baselines.interface import Baseline, Job
from recon.baselines.program import found, run_program
from recon.brought import Brought
from recon.errors import DataError
from recon.predictions import predict, prediction_files
from recon.raster.interface import Rasterizer
from recon.scene import Scene
from recon.scene_file import read_ply

BEHIND = (0.6130, 0.0101, 0.3984)
"""sRGB that OpenSplat fits in front of, by its sources."""


@final
@dataclass(frozen=True, eq=False)
class OpenSplat(Baseline):
    """See the module. It is shown the training photos only."""

    title: ClassVar[str] = "OpenSplat"
    program: str
    """The binary, by its name on PATH or its path."""
    rasterizer: Rasterizer
    """Draws the held-out views."""

    def lacks(self) -> str | None:
        """See `Baseline.lacks`."""
        if found(self.program) is None:
            return f"{self.program} is not on PATH. Install OpenSplat, or say --command PATH."
        return None

    def fit(self, job: Job) -> Brought:
        """See `Baseline.fit`."""
        capture = job.capture
        write_colmap(job.folder / "photos", capture, capture.split.train)
        scene = job.folder / "opensplat.ply"
        program = found(self.program)
        assert program is not None
        options = ["-n", str(job.steps), "-d", "1", "--keep-crs", "-o", str(scene.resolve())]
        photos = str((job.folder / "photos").resolve())
        run_program([program, photos, *options, *job.arguments], job.log)
        if not scene.is_file():
            raise DataError(f"{scene}: OpenSplat ended well and did not write it; see {job.log}.")
        device = self.rasterizer.device
        gaussians = read_ply(scene).to(device)
        predict(Scene(gaussians, Plain(BEHIND, device)), capture.test, self.rasterizer, job.folder)
        return Brought(
            prediction_files(job.folder, capture.test),
            f"OpenSplat's scene of {len(gaussians):,} Gaussians, drawn by recon's rasterizer "
            f"{self.rasterizer.name}",
        )
