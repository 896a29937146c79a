"""Recognises focal stacks: one place, one look, many planes of focus."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from recon.optics import stated_lens
from recon.types import View

SAME = 1e-4
"""Largest difference between entries of two poses that count as one."""
DIFFERENT = 1.01
"""Focus distances whose ratio is less are one."""


@dataclass(frozen=True)
class FocalStack:
    """What is known of a stack's lenses."""

    slices: int
    nearest: float
    """Of the focus distances, in metres."""
    farthest: float

    def describe(self) -> str:
        """Say what was found and what is done about it."""
        return (
            f"a focal stack: {self.slices} photos from one place, focused from {self.nearest:.3g} "
            f"to {self.farthest:.3g} m; each is drawn through the lens that it states "
            "(--parts.lens off draws them sharp)"
        )


def focal_stack(views: Sequence[View]) -> FocalStack | None:
    """Return what the views are as a focal stack, or None where they are none.

    Views are one if there are two or more, all at one pose, with lenses that are stated in full and
    focused at two distances at least. Photos may differ in size.
    """
    if len(views) < 2:
        return None
    first = views[0].camera.world_to_camera
    for view in views:
        if float((view.camera.world_to_camera - first).abs().max()) > SAME:
            return None
    lenses = [stated_lens(view.exif, view.camera) for view in views]
    known = [lens.inverse_focus for lens in lenses if lens is not None]
    if len(known) < len(views):
        return None
    distances = 1 / torch.stack(known)
    nearest, farthest = float(distances.min()), float(distances.max())
    return FocalStack(len(views), nearest, farthest) if farthest > DIFFERENT * nearest else None
