"""Photos without the pixels that show moving objects, which no scene that stands still explains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.drive_types import MOVING, Boxes
from recon.moving import Outline, covered, outlines
from recon.types import DepthMap, Photo, View

COARSE = 8
"""px; the part of a photo that is left out is told from squares of this size."""
ASKED = 50
"""At most so many photos are asked for it, evenly chosen."""


@dataclass(frozen=True, eq=False)
class MaskedPhoto(Photo):
    """A photo of which some parts are not to be used."""

    whole: Photo
    left_out: tuple[Outline, ...]
    width: int
    height: int

    def pixels(self) -> UInt8[Tensor, "h w 3"]:
        """Decode the photo."""
        return self.whole.pixels()

    def valid(self) -> Bool[Tensor, "h w"] | None:
        """Return the photo's own pixels to use without those left out."""
        own = self.whole.valid()
        still = torch.from_numpy(~covered(self.left_out, self.width, self.height))
        return still if own is None else own & still

    def depth(self) -> DepthMap | None:
        """Return the photo's depth."""
        return self.whole.depth()

    def sky(self) -> Bool[Tensor, "h w"] | None:
        """Return the photo's sky."""
        return self.whole.sky()


def without_moving(
    views: Sequence[View], boxes: Sequence[Boxes], tracks: frozenset[str], notes: list[str]
) -> tuple[View, ...]:
    """Leave out what photos show of moving objects; other photos stay what they are.

    Args:
        views: of a drive, or of any other capture, which has no boxes.
        boxes: by time step.
        tracks: the objects that move.
        notes: grows by what was left out.
    """
    here = {frame.step: frame.only(tracks) for frame in boxes}
    masked = []
    left: list[MaskedPhoto] = []
    for view in views:
        frame = None if view.step is None else here.get(view.step)
        found = () if frame is None else outlines(view.camera, frame)
        if found:
            camera = view.camera
            photo = MaskedPhoto(view.photo, found, camera.width, camera.height)
            view = replace(view, photo=photo)
            left.append(photo)
        masked.append(view)
    if left:
        asked = left[:: -(-len(left) // ASKED)]
        share = sum(_share(photo) for photo in asked) / len(asked)
        notes.append(
            f"tracked objects that move (faster than {MOVING:g} m/s at some time): {len(tracks)} "
            f"of {len(_tracks(boxes))}{_unknown(boxes)}; their boxes are left out of "
            f"{len(left)} of {len(views)} photos, about {share:.1%} of "
            "those (--drive.moving keep uses them)"
        )
    return tuple(masked)


def _share(photo: MaskedPhoto) -> float:
    """Return about which part of a photo is left out."""
    small = [outline / COARSE for outline in photo.left_out]
    return float(covered(small, -(-photo.width // COARSE), -(-photo.height // COARSE)).mean())


def _tracks(boxes: Sequence[Boxes]) -> set[str]:
    return {track for frame in boxes for track in frame.tracks}


def _unknown(boxes: Sequence[Boxes]) -> str:
    """Say how many objects have no speed at any time step."""
    measured = {
        track
        for frame in boxes
        for track, speed in zip(frame.tracks, frame.speeds.tolist(), strict=True)
        if not math.isnan(speed)
    }
    count = len(_tracks(boxes) - measured)
    return f", {count} of unknown speed taken as still" if count else ""
