"""Where a photo shows sky there are no Gaussians."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from recon.evidence.interface import Need
from recon.supervise import Sample, Term

HIGHEST_ALPHA = 0.99
"""Beyond it the logarithm's slope would outweigh everything."""


@dataclass(frozen=True)
class Sky(Term):
    """Cross entropy of transparency over the pixels that show sky."""

    weight: float = 0.05
    """Multiplier; 0 leaves the term out."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.SKY})

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return the mean of -log(1 - alpha) over the whole photo, 0 where there is no sky."""
        alpha, sky = sample.render.alpha, sample.evidence.sky
        if sky is None:
            return 0.0 * alpha.sum()
        use = sky if sample.valid is None else sky & sample.valid
        clear = 1 - alpha.clamp(max=HIGHEST_ALPHA)
        return -(clear.log() * use).sum() / alpha.numel()
