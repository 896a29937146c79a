"""gsplat's own trainer, `examples/simple_trainer.py`, in an environment of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

from recon.baselines.colmap_folder import write_colmap
from recon.baselines.cuda import lacks_cuda
from recon.baselines.interface import Baseline, Job
from recon.baselines.program import found, run_program
from recon.brought import Brought, brought
from recon.errors import DataError
from recon.types import Capture


@final
@dataclass(frozen=True)
class GsplatTrainer(Baseline):
    """See the module. It predicts no depth.

    It picks the held-out photos itself: every n-th from the first, as `Split` must have it too.
    """

    title: ClassVar[str] = "gsplat's trainer"
    python: str
    """Of its environment, by its name on PATH or its path."""
    trainer: Path | None
    """simple_trainer.py."""

    def lacks(self) -> str | None:
        """See `Baseline.lacks`."""
        if self.trainer is None or not self.trainer.is_file():
            where = "" if self.trainer is None else f"{self.trainer}: no such file. "
            return f"{where}Say where examples/simple_trainer.py is in gsplat's sources: --trainer."
        return lacks_cuda(self.python, "gsplat")

    def fit(self, job: Job) -> Brought:
        """See `Baseline.fit`."""
        capture, python = job.capture, found(self.python)
        assert python is not None
        assert self.trainer is not None
        every = _held_out_every(capture)
        write_colmap(job.folder / "photos", capture, range(len(capture.views)))
        results, steps = job.folder / "results", str(job.steps)
        command = [python, str(self.trainer.resolve()), "default"]
        command += ["--data_dir", str((job.folder / "photos").resolve()), "--data_factor", "1"]
        command += ["--test_every", str(every), "--result_dir", str(results.resolve())]
        command += ["--max_steps", steps, "--eval_steps", steps, "--save_steps", steps]
        run_program([*command, "--disable_viewer", "--disable_video", *job.arguments], job.log)
        return brought(results, capture.test)


def _held_out_every(capture: Capture) -> int:
    """Return n where every n-th view is held out, the first included."""
    count, test = len(capture.views), capture.split.test
    every = test[1] - test[0] if len(test) > 1 else count
    held_out = tuple(range(0, count, every))
    if test != held_out or len(capture.split.train) != count - len(test):
        raise DataError(
            f"{capture.path}: held out is {capture.split.rule}, and gsplat's trainer can hold out "
            "every n-th photo only, from the first on. Use --hold-every 8 --hold-by name."
        )
    return every
