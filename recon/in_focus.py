"""Learning from what is sharp in each training photo, and from nothing else.

This is what can be done about defocus without knowing of lenses: the baseline of those that do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.part import Fixed
from recon.photo_lens import Misfit, PhotoLens
from recon.sharpness import in_focus
from recon.types import DepthMap, Photo, View

ASKED = 12
"""Photos that tell how much of all is sharp."""


@dataclass(frozen=True, eq=False)
class SharpPhoto(Photo):
    """A photo of which only what is in focus is to be used."""

    whole: Photo

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        """Decode the photo."""
        return self.whole.pixels()

    def valid(self) -> Bool[Tensor, "h w"]:
        """Return the photo's own pixels to use that are in focus."""
        sharp = torch.from_numpy(in_focus(self.whole.pixels().numpy()))
        own = self.whole.valid()
        return sharp if own is None else own & sharp

    def depth(self) -> DepthMap | None:
        """Return the photo's depth."""
        return self.whole.depth()

    def sky(self) -> Bool[Tensor, "h w"] | None:
        """Return the photo's sky."""
        return self.whole.sky()


@final
class InFocusOnly(Fixed, PhotoLens):
    """Photographs that are not sharp everywhere, of which only the sharp parts are believed."""

    def __init__(self, views: Sequence[View]) -> None:
        """Prepare for the views that train."""
        self._views = tuple(views)

    def learned_from(self, view: View) -> View:
        """Return the view without what is out of focus."""
        return replace(view, photo=SharpPhoto(view.photo))

    def of(self, view: View) -> None:
        """Return no lens."""
        return

    def settle(self, share: float, misfit: Misfit) -> None:
        """Look for nothing."""
        return

    def found(self) -> str:
        """Say how much of the photos is in focus, as some of them tell."""
        asked = self._views[:: -(-len(self._views) // ASKED)]
        shares = [float(SharpPhoto(view.photo).valid().float().mean()) for view in asked]
        return f"not looked for; {sum(shares) / len(shares):.0%} of the pixels are in focus"
