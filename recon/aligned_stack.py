"""Focal stacks whose slices lie over one another, as one camera at one place must have seen them.

Lenses change the size of the picture when they focus, and hands shake. A stack says that all its
photos are of one pose; where they are not, they are moved into the frame of the middle one.
"""

from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.errors import DataError
from recon.focal_stack import focal_stack
from recon.stack_alignment import Alignment, align
from recon.types import Capture, DepthMap, Photo, View

LEAST = 0.008
"""Of the longer side. Corners that seem to move less stay: blur alone, which differs on the two
sides of an edge, has made slices that lay right move by 0.006."""


@final
@dataclass(frozen=True, eq=False)
class MovedPhoto(Photo):
    """A slice as the camera of the stack's middle one saw it."""

    photo: Photo
    alignment: Alignment
    index: int

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        """Decode and move."""
        return torch.from_numpy(self.alignment.warped(self.index, self.photo.pixels().numpy()))

    def valid(self) -> Bool[Tensor, "h w"] | None:
        """Return what both the slice and the middle one saw."""
        inside = torch.from_numpy(self.alignment.seen(self.index))
        given = self.photo.valid()
        return inside if given is None else inside & given

    def depth(self) -> DepthMap | None:
        """Return nothing: depth of the slice is not in this frame."""
        return None

    def sky(self) -> Bool[Tensor, "h w"] | None:
        """Return nothing, for the same reason."""
        return None


def with_aligned_slices(capture: Capture) -> Capture:
    """Return a focal stack with its slices in one frame; other captures as they are.

    Slices of several sizes are believed to lie as their cameras say. Where one does not show what
    the others do, or is too blurred to tell, none is moved and a warning names it.
    """
    views = capture.train
    stack = focal_stack(views) if capture.metric else None
    if stack is None or len({(v.camera.width, v.camera.height) for v in views}) > 1:
        return capture
    ordered = sorted(views, key=lambda view: view.exif.focus_distance or 0.0)
    try:
        found = align([v.photo.pixels().numpy() for v in ordered], [v.name for v in ordered])
    except DataError as why:
        warning = f"{why} They are fitted as they lie."
        return replace(capture, warnings=(*capture.warnings, warning))
    least = LEAST * max(views[0].camera.width, views[0].camera.height)
    far = {v.name: moved for v, moved in zip(ordered, found.moved, strict=True) if moved > least}
    if not far:
        return capture
    moved: dict[str, View] = {
        view.name: replace(view, photo=MovedPhoto(view.photo, found, index))
        for index, view in enumerate(ordered)
        if view.name in far
    }
    widest = max(far, key=far.__getitem__)
    note = (
        f"{len(far)} of {len(views)} slices lie beside the middle one, {widest} by "
        f"{far[widest]:.1f} px in a corner: they are moved into its frame"
    )
    whole = tuple(moved.get(view.name, view) for view in capture.views)
    return replace(capture, views=whole, notes=(*capture.notes, note))
