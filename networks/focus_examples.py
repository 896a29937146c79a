"""What attention over focus learns from: stacks of photos with depth, seen once by METER's encoder.

The encoder is not trained, so that what it says of a photo is worked out once and kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from recon.datasets.reader import read_capture
from recon.errors import DataError
from recon.networks.focus_meter import Features
from recon.networks.focus_stacks import StackMaker
from recon.networks.meter_canvas import CELL, Canvas, MeterVariant
from recon.networks.meter_network import MeterXxs
from recon.optics import stated_lens
from recon.types import Camera, DepthMap

FARTHEST: dict[MeterVariant, float] = {"kitti": 80.0, "nyu": 10.0}
"""Metres; depth beyond is not learned from, as METER has not."""
NEAREST = 0.1
"""Metres; what the base says to be nearer counts as this where a logarithm is taken."""
LEAST_KNOWN = 0.05
"""Of the network's answers; photos that know fewer are left out."""


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photo with its depth."""

    pixels: UInt8[Tensor, "h w 3"]
    camera: Camera
    depth: DepthMap

    def mirrored(self) -> "Photograph":
        """Return what a mirror shows."""
        camera = replace(self.camera, cx=self.camera.width - self.camera.cx)
        own = self.depth
        depth = DepthMap(own.z.flip(1), own.valid.flip(1), own.kind)
        return Photograph(self.pixels.flip(1), camera, depth)


@dataclass(frozen=True, eq=False)
class Examples:
    """Stacks as METER's encoder sees them, and what is known of their photos."""

    frames: Features
    """Of each stack; the first frame is the photo. In half precision."""
    strengths: Float[Tensor, "n f"]
    """K of each frame, in px·m of the network's input."""
    truth: Float[Tensor, "n h w"]
    """Log depth where the network's answers belong."""
    known: Bool[Tensor, "n h w"]
    base: Float[Tensor, "n h w"]
    """Log depth that the base says of the photo."""
    edges: Float[Tensor, "n h w"]
    """Steepness of the photo."""

    def __len__(self) -> int:
        """Return how many stacks there are."""
        return len(self.truth)

    def chosen(self, index: Tensor) -> "Examples":
        """Return some of them, in full precision."""
        frames = Features(*(one[index].float() for one in self.frames.maps))
        rest = (self.strengths, self.truth, self.known, self.base, self.edges)
        return Examples(frames, *(one[index] for one in rest))


def photographs(folders: Sequence[str]) -> Iterator[Photograph]:
    """Read captures' photos that have depth in metres.

    Photos through a lens that is known are left out, since they are not sharp.

    Raises:
        DataError: a folder is no capture, or no photo of it can be used.
    """
    for folder in folders:
        found = 0
        for view in read_capture(Path(folder), start_points=False).views:
            depth = view.photo.depth()
            if depth is not None and stated_lens(view.exif, view.camera) is None:
                found += 1
                yield Photograph(view.photo.pixels(), view.camera, depth)
        if not found:
            raise DataError(
                f"{folder}: no sharp photo with depth in it; `recon data synthesize` makes some."
            )


def examples(
    photos: Iterator[Photograph], variant: MeterVariant, base: MeterXxs, maker: StackMaker
) -> Examples:
    """Let the base's encoder see stacks of photos.

    Args:
        photos: with depth; what is known of too little of it is left out.
        variant: of METER.
        base: with its weights.
        maker: of the stacks.

    Raises:
        DataError: no photo is left.
    """
    made = [_example(one, variant, base, maker) for one in photos]
    used = [one for one in made if float(one.known.float().mean()) >= LEAST_KNOWN]
    if not used:
        raise DataError("no photo to learn from: none has depth where METER looks.")
    maps = zip(*(one.frames.maps for one in used), strict=True)
    rest = ("strengths", "truth", "known", "base", "edges")
    return Examples(
        Features(*(torch.cat(one) for one in maps)),
        *(torch.cat([getattr(one, name) for one in used]) for name in rest),
    )


def _example(
    photo: Photograph, variant: MeterVariant, base: MeterXxs, maker: StackMaker
) -> Examples:
    canvas = Canvas(variant, photo.camera)
    stack, strengths = maker.frames(canvas, photo.pixels, photo.depth)
    with torch.no_grad():
        frames = Features.of(base, canvas.normalized(stack)[None])
        said = canvas.trained.unit * frames.first().depth(base)[:, 0]
    truth = canvas.answers(photo.depth)
    known = truth.valid & (truth.z <= FARTHEST[variant])
    return Examples(
        Features(*(one.half() for one in frames.maps)),
        torch.tensor([strengths]),
        torch.where(known, truth.z, 1.0).log()[None],
        known[None],
        said.clamp(min=NEAREST).log(),
        steepness(stack[0])[None],
    )


def steepness(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "h/4 w/4"]:
    """Return the length of a photo's gradient, all colours together, at the network's answers."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    slopes = [cv2.Sobel(pixels, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1))]
    steep = np.sqrt(sum((slope**2).mean(-1) for slope in slopes))
    rows, columns = (side // CELL for side in steep.shape)
    small = cv2.resize(steep, (columns, rows), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small.astype(np.float32))
