"""nerfstudio's splatfacto, by `ns-train` and `ns-render`, in an environment of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

from recon.baselines.colmap_folder import write_colmap
from recon.baselines.interface import Baseline, Job
from recon.baselines.program import found, run_program
from recon.brought import Brought
from recon.predictions import PredictionFiles


@final
@dataclass(frozen=True)
class Splatfacto(Baseline):
    """See the module. Its depth is scored too, in the capture's unit of length."""

    title: ClassVar[str] = "splatfacto"
    program: str
    """`ns-train`, by its name on PATH or its path; `ns-render` lies beside it."""

    def lacks(self) -> str | None:
        """See `Baseline.lacks`."""
        if found(self.program) is None:
            return f"{self.program} is not on PATH. Install nerfstudio, or say --command PATH."
        if found(self._renderer) is None:
            return f"{self._renderer}: not there, and ns-train alone predicts nothing."
        return None

    @property
    def _renderer(self) -> Path:
        return Path(found(self.program) or self.program).with_name("ns-render")

    def fit(self, job: Job) -> Brought:
        """See `Baseline.fit`."""
        program, capture = found(self.program), job.capture
        assert program is not None
        folder = job.folder.resolve()
        names = write_colmap(folder / "photos", capture, range(len(capture.views)))
        train = [program, "splatfacto", "--output-dir", str(folder), "--experiment-name", "fit"]
        train += ["--timestamp", "run", "--max-num-iterations", str(job.steps)]
        train += ["--vis", "tensorboard", *job.arguments]
        data = ["colmap", "--data", str(folder / "photos"), "--colmap-path", "sparse/0"]
        data += ["--downscale-factor", "1", "--load-3D-points", "True"]
        run_program([*train, *data], job.log)
        settings = folder / "fit" / "splatfacto" / "run" / "config.yml"
        render = [str(self._renderer), "dataset", "--load-config", str(settings)]
        render += ["--output-path", str(folder / "renders"), "--split", "test"]
        render += ["--rendered-output-names", "rgb", "raw-depth", "--image-format", "png"]
        run_program(render, job.log)
        rendered = folder / "renders" / "test"
        files = {
            view.name: PredictionFiles(
                rendered / "rgb" / f"{names[view.name]}.png",
                rendered / "raw-depth" / f"{names[view.name]}.npy.gz",
            )
            for view in capture.test
        }
        return Brought(files, "ns-render dataset, with its depth in the capture's unit")
