"""Terms that look at the Gaussians alone (Kheradmand et al. 2024, arXiv 2404.09591, eq. 10)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from recon.supervise import Sample, Term


@dataclass(frozen=True)
class Opacity(Term):
    """Mean opacity: lets Gaussians that do not pay fade, so that they can be moved."""

    weight: float = 0.01
    """Multiplier; 0 leaves the term out."""

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean opacity, in (0, 1)."""
        return sample.gaussians.opacities.mean()


@dataclass(frozen=True)
class Scale(Term):
    """Mean scale, in units of the scene's scale: keeps Gaussians from growing without need."""

    weight: float = 0.01
    """Multiplier; 0 leaves the term out."""

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean standard deviation over the scene's scale."""
        return sample.gaussians.scales.mean() / sample.scene_scale
