"""What a bokeh stack measures without any training: inverse depth, from how blur grows with K.

Through lenses of known strengths K, focused at the distance s, a point is a disc of the diameter
K |1/s - 1/z| px. So the slope of the diameters over K is the offset of inverse depth, |1/s - 1/z|,
and least squares give it: sum K c / sum K² where all diameters are equally sure (the proposition of
BokehDepth, arXiv 2512.12425), else each weighted by the inverse of its variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from recon.defocus import BlurStack, blur_stack
from recon.errors import UsageError
from recon.networks.bands import smooth
from recon.networks.bokeh_generator import check_strengths

COCS = (0.0, *(round(1.18**i, 2) for i in range(25)), 64.0)
"""px; diameters of the discs by which the reference is blurred. Between two it is interpolated."""
WINDOW = 3.0
"""px; sigma of the window in which blur is taken for even."""
ROUNDING = (1 / 255) ** 2 / 12
"""Variance of sRGB values of 8 bits."""
COMPUTED = 1e-9
"""Mean square of the differences between blurs that come from computing in 32 bits."""
LARGEST_ERROR = 1e3
"""1/m; the error where there is no texture, which tells nothing."""


@dataclass(frozen=True, eq=False)
class Diameters:
    """How wide a disc blurs each pixel of the reference to the frame's, by least squares."""

    size: Float[Tensor, "h w"]
    """px."""
    variance: Float[Tensor, "h w"]
    """px², by what the best disc leaves unexplained; very large where there is no texture."""


@dataclass(frozen=True, eq=False)
class Offset:
    """How far each pixel's inverse depth lies from the plane of focus."""

    size: Float[Tensor, "h w"]
    """|1/s - 1/z| in 1/m: inverse depth itself where the focus is at infinity."""
    error: Float[Tensor, "h w"]
    """Its standard error in 1/m, at most `LARGEST_ERROR`. It does not know of occlusion."""


def measure_offset(
    reference: Float[Tensor, "3 h w"],
    frames: Float[Tensor, "n 3 v u"],
    strengths: Sequence[float],
    window: float = WINDOW,
    cocs: tuple[float, ...] = COCS,
) -> Offset:
    """Return the offset of inverse depth that explains a stack best.

    Args:
        reference: the sharp photo, sRGB 0 to 1.
        frames: the same through lenses of one plane of focus.
        strengths: K of the frames in px·m, of which one or more is not 0; those that are 0 count
            for nothing.
        window: sigma in px of the window in which blur is taken for even.
        cocs: px; diameters of the discs that are tried, increasing; fewer are faster.

    Raises:
        UsageError: strengths are missing, or none is more than 0, or sizes differ.
    """
    check_strengths(strengths)
    if len(strengths) != len(frames) or not any(strengths):
        raise UsageError(
            f"{len(frames)} frames with strengths {list(strengths)}; expected one K for each, and "
            "one that is more than 0."
        )
    if reference.shape != frames.shape[1:]:
        raise UsageError(
            f"a reference of {tuple(reference.shape)} and frames of {tuple(frames.shape[1:])}; "
            "expected one size."
        )
    levels = blur_stack(reference.permute(1, 2, 0).contiguous(), cocs)
    above, below = torch.zeros(reference.shape[1:]), torch.zeros(reference.shape[1:])
    for strength, frame in zip(strengths, frames, strict=True):
        found = measure_diameters(levels, frame, window)
        above += strength * found.size / found.variance
        below += strength**2 / found.variance
    return Offset(above / below, below.rsqrt().clamp(max=LARGEST_ERROR))


def measure_diameters(
    levels: BlurStack, frame: Float[Tensor, "3 h w"], window: float = WINDOW
) -> Diameters:
    """Return the disc that blurs the reference to the frame, around each pixel.

    Blurs between two of the stack are linear in the square of the diameter, so that the best one of
    each interval is known in closed form.

    Args:
        levels: the reference, blurred evenly.
        frame: sRGB, 0 to 1.
        window: sigma in px of the window over which differences are summed.
    """
    squares = torch.tensor(levels.cocs) ** 2
    images = levels.images.float().permute(2, 3, 0, 1)
    best = torch.full(frame.shape[1:], torch.inf)
    square, curvature = torch.zeros_like(best), torch.zeros_like(best)
    for index in range(len(levels.cocs) - 1):
        off, change = frame - images[index], images[index + 1] - images[index]
        sums = torch.stack([off * off, off * change, change * change]).mean(1)
        left, along, across = smooth(sums[None], window)[0]
        # Without texture nothing changes, and any part explains nothing.
        part = (along / across.clamp(min=1e-12)).clamp(0, 1)
        left = left - 2 * part * along + part**2 * across
        step = squares[index + 1] - squares[index]
        better = left < best
        best = torch.where(better, left, best)
        square = torch.where(better, squares[index] + part * step, square)
        known = (across - COMPUTED).clamp(min=0) / step**2
        curvature = torch.where(better, known, curvature)
    # Values that the window counts as independent: its effective area, in three channels.
    count = 3 * 4 * torch.pi * window**2
    size = square.sqrt()
    of_square = (best + ROUNDING) / (count * curvature).clamp(min=1e-18)
    return Diameters(size, (of_square / (4 * square.clamp(min=0.25))).clamp(min=1e-8))
