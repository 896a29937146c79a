"""Depth of a whole focal stack, from its slices' blur and what the slices say of one another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon.errors import DataError
from recon.motion_blur import SHAKEN, unevenness
from recon.networks.estimator import LARGEST, SiameseEstimator
from recon.networks.slice_order import ordered_lenses
from recon.networks.stack_depth import StackDepth, stack_depth
from recon.priors.interface import Frame, PriorDepth
from recon.priors.siamese import FARTHEST
from recon.stack_alignment import align
from recon.types import DepthKind, DepthMap, ThinLens

PLANES = 97
"""Depths that are tried, evenly in their inverse."""
BEYOND = 0.25
"""Of the range of focus; how far beyond it depths are tried."""
HALF = 0.5
"""What is left of the confidence in a slice's circles of confusion, if it seems to be shaken."""


@dataclass(frozen=True, eq=False)
class StackPrior:
    """Depth of a stack, once for each slice, all in the frame of one of them."""

    frames: tuple[Frame, ...]
    """The slices, brought into that frame."""
    found: tuple[PriorDepth, ...]
    """The same depth for each, with the slice's own circles of confusion and notes."""


def predict_stack(frames: Sequence[Frame], weights: Path) -> StackPrior:
    """Return the depth of a focal stack: metres where all lenses are known, relative elsewhere.

    Without lenses, the slices count as given in the order of their focus, in even steps of inverse
    depth; the inverse of the answer is then right up to a factor and an offset.

    Args:
        frames: the slices, in the order of their focus.
        weights: of the siamese network.

    Raises:
        DataError: there are fewer than two slices, one is of another size or shows something else,
            or some state a lens and some do not.
    """
    if len(frames) < 2:
        raise DataError(
            f"{frames[0].name if frames else 'a stack'}: one slice is no focal stack. Give two or "
            "more photos, or leave --stack out."
        )
    names = [frame.name for frame in frames]
    alignment = align([frame.pixels.numpy() for frame in frames], names)
    seen = [
        replace(frame, pixels=torch.from_numpy(alignment.warped(i, frame.pixels.numpy())))
        for i, frame in enumerate(frames)
    ]
    estimator = SiameseEstimator(weights)
    given = _lenses(seen)
    height, width = seen[0].pixels.shape[:2]
    scale = min(1.0, LARGEST / max(height, width))
    size = round(scale * width), round(scale * height)
    small = [_shrunk(frame.pixels, *size) for frame in seen]
    lenses = [ThinLens(scale * one.strength, one.inverse_focus) for one in given]
    maps = [
        estimator.estimate(pixels, lenses[i] if lenses else None) for i, pixels in enumerate(small)
    ]
    known = bool(lenses)
    lenses = lenses or ordered_lenses(maps)
    planes = _planes(lenses, known)
    told = stack_depth(small, maps, lenses, planes)
    shaken = unevenness([frame.pixels.numpy() for frame in seen]) > SHAKEN
    found = []
    for index, lens in enumerate(lenses):
        notes = []
        if not known and index == 0:
            notes.append("no slice states its lens: which end of the stack is nearer is a guess")
        if alignment.moved[index]:
            middle = names[alignment.reference]
            notes.append(f"moved by up to {alignment.moved[index]:.1f} px onto {middle}")
        if shaken[index]:
            notes.append(
                "lacks detail in one direction: it may be shaken, which looks like defocus"
            )
        coc = told.coc(lens, float(planes[1] - planes[0])).resized(width, height)
        trust = _grown(told.sure, width, height) * (HALF if shaken[index] else 1.0)
        found.append(PriorDepth(_depth(told, known, width, height), trust, coc, "; ".join(notes)))
    return StackPrior(tuple(seen), tuple(found))


def _lenses(frames: Sequence[Frame]) -> list[ThinLens]:
    """Return the slices' lenses, or nothing where none states any."""
    lenses = [frame.lens for frame in frames if frame.lens is not None]
    if lenses and len(lenses) < len(frames):
        silent = next(frame.name for frame in frames if frame.lens is None)
        raise DataError(
            f"{silent}: states no lens, while other slices do; expected all or none. Leave it out, "
            "or write f-number, focal length and subject distance into its EXIF."
        )
    focused = {float(lens.inverse_focus) for lens in lenses}
    if lenses and (len(focused) < 2 or not all(float(one.strength) > 0 for one in lenses)):
        raise DataError(
            f"{frames[0].name} and the other slices are focused at one distance, or have no "
            "aperture; expected two distances or more."
        )
    return lenses


def _planes(lenses: Sequence[ThinLens], metric: bool) -> Float[Tensor, " n"]:
    focused = torch.stack([lens.inverse_focus for lens in lenses])
    low, high = float(focused.min()), float(focused.max())
    wider = BEYOND * (high - low)
    least = max(low - wider, 1 / FARTHEST) if metric else low - wider
    return torch.linspace(least, high + wider, PLANES)


def _depth(told: StackDepth, metric: bool, width: int, height: int) -> DepthMap:
    inverse = _grown(told.inverse, width, height)
    if metric:
        z, kind = inverse.clamp(min=1 / FARTHEST).reciprocal(), DepthKind.METRIC
    else:
        z, kind = (1 + inverse - inverse.min()).reciprocal(), DepthKind.AFFINE_DISPARITY
    return DepthMap(z, torch.ones_like(z, dtype=torch.bool), kind)


def _shrunk(pixels: Tensor, width: int, height: int) -> Tensor:
    small = interpolate(pixels.permute(2, 0, 1)[None].float(), (height, width), mode="area")
    return small[0].permute(1, 2, 0).round().to(torch.uint8)


def _grown(values: Float[Tensor, "h w"], width: int, height: int) -> Float[Tensor, "v u"]:
    return interpolate(values[None, None], (height, width), mode="bilinear")[0, 0]
