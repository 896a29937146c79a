"""Which program is run."""

from pathlib import Path
from typing import Literal

from recon.baselines.gsplat_trainer import GsplatTrainer
from recon.baselines.interface import Baseline
from recon.baselines.opensplat import OpenSplat
from recon.baselines.splatfacto import Splatfacto
from recon.raster.interface import Rasterizer

Name = Literal["opensplat", "gsplat", "splatfacto"]


def choose_baseline(
    name: Name, program: str | None, trainer: Path | None, rasterizer: Rasterizer
) -> Baseline:
    """Build the baseline asked for.

    Args:
        name: which.
        program: where it is; its usual name on PATH where None.
        trainer: gsplat's simple_trainer.py.
        rasterizer: draws the scenes of those that write nothing but a scene.
    """
    match name:
        case "opensplat":
            return OpenSplat(program or "opensplat", rasterizer)
        case "gsplat":
            return GsplatTrainer(program or "python3", trainer)
        case "splatfacto":
            return Splatfacto(program or "ns-train")
