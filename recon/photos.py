"""Decoded photos at the sizes a fit asks for, kept while it needs them again and again."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.camera import resized
from recon.types import View


class PhotoCache:
    """Decodes each view's photo and mask at first use, and keeps them as 8 bit."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._kept: dict[tuple[str, int], tuple[View, Tensor, Tensor | None]] = {}

    def load(
        self, view: View, shrink: int
    ) -> tuple[View, UInt8[Tensor, "h w 3"], Bool[Tensor, "h w"] | None]:
        """Return a view at a fraction of its size, its photo, and the pixels to use, None for all.

        Args:
            view: of the capture.
            shrink: 1 for its own size, 2 for half of it, and so on. A small pixel is the mean of
                those it covers, and is used only if all of them are.
        """
        key = (view.name, shrink)
        if key not in self._kept:
            photo, valid = view.photo.pixels(), view.photo.valid()
            camera = view.camera
            if shrink > 1:
                width, height = max(1, camera.width // shrink), max(1, camera.height // shrink)
                camera = resized(camera, width, height)
                photo = _smaller(photo, width, height)
                if valid is not None:
                    valid = _smaller(255 * valid.to(torch.uint8), width, height) == 255
            small = replace(view, camera=camera)
            on_device = None if valid is None else valid.to(self._device)
            self._kept[key] = (small, photo.to(self._device), on_device)
        return self._kept[key]


def _smaller(image: UInt8[Tensor, "h w *c"], width: int, height: int) -> UInt8[Tensor, "v u *c"]:
    small = cv2.resize(image.numpy(), (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small).astype(np.uint8, copy=False))
