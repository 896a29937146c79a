"""The siamese network as an estimator of blur: photos of any size in, circles of confusion out."""

from pathlib import Path
from typing import final

import cv2
import torch
from jaxtyping import UInt8
from torch import Tensor

from recon.errors import DataError
from recon.evidence.coc import CocEstimator, CocMap
from recon.evidence.store import digest
from recon.files import sha256
from recon.networks.siamese_coc import Lenses, SiameseNetwork
from recon.networks.stored import load_network
from recon.types import ThinLens

LARGEST = 480
"""px; the longer side at which photos are looked at. The network knows blurs up to 14 px there."""
SMALLEST = 32
"""px; no side may be shorter."""
VERSION = "1"
"""Of the code around the network; results of another are not reused."""


@final
class SiameseEstimator(CocEstimator):
    """The network with a set of weights, read at first use."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self._network: SiameseNetwork | None = None

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return "siamese"

    def identity(self) -> str:
        """Digest the weights and this file's version."""
        return digest(self.name, VERSION, sha256(self.weights))

    def estimate(self, pixels: UInt8[Tensor, "h w 3"], lens: ThinLens | None = None) -> CocMap:
        """Return circles of confusion at the photo's size.

        Raises:
            DataError: the weights are damaged, or a side is shorter than `SMALLEST`.
        """
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST:
            raise DataError(
                f"a photo of {width}x{height} pixels; expected {SMALLEST} or more on each side "
                "to tell blur."
            )
        if self._network is None:
            self._network = load_network(self.weights)
        scale = min(1.0, LARGEST / max(height, width))
        size = max(SMALLEST, round(scale * width)), max(SMALLEST, round(scale * height))
        small = pixels.numpy()
        if scale < 1:
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            found = self._network(image, _lenses(lens, scale))
        seen = CocMap(found.size[0], found.spread[0], found.behind[0].sigmoid())
        return seen.resized(width, height)


def _lenses(lens: ThinLens | None, scale: float) -> Lenses:
    if lens is None or not float(lens.strength) > 0:
        return Lenses.unknown(1)
    strength, inverse_focus = (
        t.detach().float().reshape(1) for t in (scale * lens.strength, lens.inverse_focus)
    )
    return Lenses(strength, inverse_focus, torch.ones(1))
