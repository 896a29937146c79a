"""The base of every fit: the render looks like the photo (Kerbl et al. 2023, eq. 7)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from recon.losses.functional import photometric
from recon.supervise import Sample, Term


@dataclass(frozen=True)
class Photometric(Term):
    """(1 - ssim_weight) L1 + ssim_weight (1 - SSIM) between render and photo."""

    weight: float = 1.0
    """Multiplier; 0 leaves the term out."""
    ssim_weight: float = 0.2
    """Share of the structural part, in [0, 1]."""

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean over the photo's valid pixels."""
        return photometric(sample.render.color, sample.photo, sample.valid, self.ssim_weight).loss
