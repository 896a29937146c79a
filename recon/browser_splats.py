"""A scene as browsers draw it: covariances and one colour per Gaussian."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from recon.gaussians import HARMONIC_BAND_0, Gaussians, rotations
from recon.raster.interface import ALPHA_MIN


@dataclass(frozen=True, eq=False)
class Splats:
    """What viser sends to a browser."""

    centers: Float32[np.ndarray, "n 3"]
    covariances: Float32[np.ndarray, "n 3 3"]
    colors: Float32[np.ndarray, "n 3"]
    """In [0, 1]; the harmonics of degree 0 alone."""
    opacities: Float32[np.ndarray, "n 1"]


def browser_splats(gaussians: Gaussians) -> Splats:
    """Return the Gaussians that can be seen, without their change with the view."""
    source = gaussians.to(torch.device("cpu")).to(torch.float32)
    kept = source.opacities > ALPHA_MIN
    turned = rotations(source.quaternions[kept]) * source.scales[kept][:, None]
    colors = (0.5 + HARMONIC_BAND_0 * source.sh_base[kept, 0]).clamp(0, 1)
    return Splats(
        source.means[kept].numpy(),
        (turned @ turned.transpose(1, 2)).numpy(),
        colors.numpy(),
        source.opacities[kept][:, None].numpy(),
    )
