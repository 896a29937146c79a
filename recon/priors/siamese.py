"""Depth from the blur of one photo, by the siamese network and the lens.

With signed circles of confusion c = K (1/s - 1/z), inverse depth is 1/s - c/K: metres where the
lens is known. Where it is not, -c still is inverse depth up to a factor and an offset.
"""

from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import DataError
from recon.evidence.coc import CocEstimator, CocMap
from recon.evidence.weights import Weights
from recon.networks.estimator import LARGEST, SiameseEstimator
from recon.networks.stored import FILE, PACKAGED
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthKind, DepthMap, ThinLens

FARTHEST = 100.0
"""Metres; blur tells no farther depth apart."""
SIDELESS = 1.0
"""px; of what is sharper than this, the side of the focus does not matter."""
SHARP = 3.0
"""px at the size at which photos are looked at. Where nearly all circles of confusion seem smaller,
a photo tells nothing of depth; the network hardly tells 2 px from 0."""
NEARLY_ALL = 0.9


def weights_at(given: Path | None) -> Path:
    """Return the file given, or the one that comes with the package.

    Raises:
        DataError: a path was given and no file is there.
    """
    named = Weights("the siamese network", FILE, None, "leave --weights out", source="recon train")
    return PACKAGED if given is None else named.find(given)


@final
class Siamese(DepthPrior):
    """Depth from circles of confusion that an estimator tells."""

    def __init__(self, weights: Path) -> None:
        self._estimator: CocEstimator = SiameseEstimator(weights)

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return self._estimator.name

    @property
    def uses_focal_length(self) -> bool:
        """Blur in pixels and the lens' strength in pixels are all it needs."""
        return False

    def identity(self) -> str:
        """Return the estimator's."""
        return self._estimator.identity()

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres where the frame's lens is known, else an inverse up to factor and offset.

        Its confidence is the probability that a circle of confusion is right to a pixel, times how
        sure the side of the focus is; 0 everywhere for a photo that is sharp all over.
        """
        lens = frame.lens if frame.lens is not None and float(frame.lens.strength) > 0 else None
        try:
            coc = self._estimator.estimate(frame.pixels, lens)
        except DataError as error:
            raise DataError(f"{frame.name}: {error}") from error
        trust = confidence(coc)
        note = ""
        sharp = SHARP * max(1.0, max(coc.size.shape) / LARGEST)
        if float((coc.size < sharp).float().mean()) > NEARLY_ALL:
            trust = torch.zeros_like(trust)
            note = (
                f"sharp all over (circles of confusion of {float(coc.size.median()):.1f} px): "
                "there is no blur to tell depth by"
            )
        z = metres(coc, lens) if lens is not None else relative(coc)
        kind = DepthKind.METRIC if lens is not None else DepthKind.AFFINE_DISPARITY
        valid = torch.ones_like(z, dtype=torch.bool)
        return PriorDepth(DepthMap(z, valid, kind), trust, coc, note)


def metres(coc: CocMap, lens: ThinLens) -> Float[Tensor, "h w"]:
    """Return depth; where behind the focus is beyond infinity, the surface lies before it."""
    away = coc.size / lens.strength
    farthest = 1 / FARTHEST
    behind = (coc.behind >= 0.5) & (lens.inverse_focus - away > farthest)
    inverse = torch.where(behind, lens.inverse_focus - away, lens.inverse_focus + away)
    return inverse.clamp(min=farthest).reciprocal()


def relative(coc: CocMap) -> Float[Tensor, "h w"]:
    """Return depth whose inverse is 1 at the farthest and grows by 1 with each pixel of blur."""
    signed = coc.signed()
    return (1 + signed.max() - signed).reciprocal()


def confidence(coc: CocMap) -> Float[Tensor, "h w"]:
    """Return how far a map is to be believed, 0 to 1."""
    to_a_pixel = 1 - torch.exp(-1 / coc.spread)
    sided = (2 * coc.behind - 1).abs()
    # Of what is nearly sharp, the side does not matter.
    return to_a_pixel * torch.where(coc.size < SIDELESS, 1.0, sided)
