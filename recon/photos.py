"""Decoded photos, kept while a fit needs them again and again."""

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.types import View


class PhotoCache:
    """Decodes each view's photo and mask at first use, and keeps them as 8 bit."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._photos: dict[str, tuple[Tensor, Tensor | None]] = {}

    def load(self, view: View) -> tuple[UInt8[Tensor, "h w 3"], Bool[Tensor, "h w"] | None]:
        """Return the photo and the pixels to use, None where all are."""
        if view.name not in self._photos:
            valid = view.photo.valid()
            self._photos[view.name] = (
                view.photo.pixels().to(self._device),
                None if valid is None else valid.to(self._device),
            )
        return self._photos[view.name]
