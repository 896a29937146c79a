"""What a photo's own blur says: circles of confusion, estimated from pixels alone."""

import abc
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from recon.types import ThinLens


@dataclass(frozen=True, eq=False)
class CocMap:
    """Circles of confusion over a photo, and how far they are to be believed."""

    size: Float[Tensor, "h w"]
    """Diameters in px of this map, at least 0: the defocus map."""
    spread: Float[Tensor, "h w"]
    """Expected absolute error of the diameter in px, more than 0: Laplace's scale."""
    behind: Float[Tensor, "h w"]
    """Probability, 0 to 1, that the surface lies behind the plane of focus."""

    def signed(self) -> Float[Tensor, "h w"]:
        """Return K (1/s - 1/z) as is more likely: positive behind the focus, negative before."""
        return torch.where(self.behind >= 0.5, self.size, -self.size)

    def resized(self, width: int, height: int) -> "CocMap":
        """Return the map of the photo at another size, whose pixels blur counts in."""
        if self.size.shape == (height, width):
            return self
        scale = width / self.size.shape[1]
        stacked = torch.stack([scale * self.size, scale * self.spread, self.behind])[None]
        shrinks = width < self.size.shape[1]
        how = {"mode": "area"} if shrinks else {"mode": "bilinear", "align_corners": False}
        return CocMap(*interpolate(stacked, (height, width), **how)[0])

    def to(self, device: torch.device) -> "CocMap":
        """Return it on another device."""
        return CocMap(*(getattr(self, f.name).to(device) for f in fields(self)))


class CocEstimator(abc.ABC):
    """Tells blur from single photos."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What people call it: "siamese"."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Return a digest of the model, its weights and its settings."""

    @abc.abstractmethod
    def estimate(self, pixels: UInt8[Tensor, "h w 3"], lens: ThinLens | None = None) -> CocMap:
        """Return circles of confusion at the photo's size; the same photo gives the same.

        Args:
            pixels: sRGB; grey photos have three equal channels.
            lens: of the photo, in px of it; a known one helps to tell behind from before.

        Raises:
            DataError: the weights are damaged, or the photo is too small to tell.
        """
