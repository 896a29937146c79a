"""Recognises captures from many places whose photos state a lens that blurs what they show."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from recon.camera import inside, project
from recon.optics import REFERENCE_WIDTH, signed_coc, stated_lens
from recon.types import PointCloud, View

BLURRED = 2.0
"""px in a photo 360 px wide; sharper points look sharp."""
ENOUGH = 0.25
"""Share of the points that a photo must blur, averaged over photos, to count."""


@dataclass(frozen=True)
class OutOfFocus:
    """What the lenses of a capture do to its points."""

    photos: int
    share: float
    """Of the points that photos see, how many they blur, 0 to 1."""

    def describe(self) -> str:
        """Say what was found and what is done about it."""
        return (
            f"photos out of focus: their lenses, as they state them, blur {self.share:.0%} of what "
            f"they show; each of the {self.photos} is drawn through its lens "
            "(--parts.lens off draws them sharp)"
        )


def out_of_focus(views: Sequence[View], points: PointCloud | None) -> OutOfFocus | None:
    """Return what the stated lenses of views in metres blur, or None where it is little.

    Every view must state its f-number, focal length and distance of focus. Phones' lenses, which
    state them as well, are so small that they blur nothing.
    """
    if points is None or not views:
        return None
    shares = []
    for view in views:
        lens = stated_lens(view.exif, view.camera)
        if lens is None:
            return None
        pixels, depth = project(view.camera, points.positions.float())
        seen = depth[inside(view.camera, pixels, depth)]
        if len(seen):
            coc = signed_coc(seen, lens).abs() * REFERENCE_WIDTH / view.camera.width
            shares.append((coc > BLURRED).float().mean())
    share = float(torch.stack(shares).mean()) if shares else 0.0
    return OutOfFocus(len(views), share) if share >= ENOUGH else None
