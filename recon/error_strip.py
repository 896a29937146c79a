"""One picture a view for people: photo, render, error and depth side by side."""

from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.pictures import (
    DepthRange,
    Picture,
    depth_picture,
    error_picture,
    side_by_side,
    with_caption,
    with_legend,
)
from recon.predictions import Prediction
from recon.raster.interface import COVERED
from recon.regions import completed
from recon.truth import Truth

DOT = 2.0
"""px around single depths that are drawn in their colour."""
LARGEST_ERROR = 0.25
"""The mean absolute difference of the channels, in [0, 1], that is drawn brightest."""


def error_strip(
    photo: UInt8[Tensor, "h w 3"],
    valid: Bool[Tensor, "h w"],
    prediction: Prediction,
    truth: Truth | None,
    captions: tuple[str, str],
    unit: str,
) -> Picture:
    """Draw photo | render | absolute error | expected depth, and the true depth where it exists.

    Both depths share their colours, which span the true depth, or else the rendered one.

    Args:
        photo: what was to be predicted.
        valid: the pixels that count; the error of the others is not drawn.
        prediction: of the same size.
        truth: the true depth, where there is one.
        captions: above the photo, and above the render.
        unit: of the legend's numbers.
    """
    difference = (prediction.color.float() - photo.float()).abs().mean(dim=-1) / 255
    pictures = [
        with_caption(photo.numpy(), captions[0]),
        with_caption(prediction.color.numpy(), captions[1]),
        with_caption(
            error_picture(difference, valid, LARGEST_ERROR), f"error, 0 to {LARGEST_ERROR:.0%}"
        ),
    ]
    depth = prediction.depth
    if depth is not None:
        drawn = depth.alpha >= COVERED
        spanned = depth.expected[drawn] if truth is None else truth.depth.z[truth.depth.valid]
        span = DepthRange.of(spanned, unit)
        picture = with_legend(depth_picture(depth.expected, drawn, span), span)
        pictures.append(with_caption(picture, "depth"))
        if truth is not None:
            pictures.append(with_caption(_drawn(truth, span), f"depth: {truth.source.value}"))
    return side_by_side(pictures)


def _drawn(truth: Truth, span: DepthRange) -> Picture:
    """Draw true depth, single pixels of it large enough to be seen."""
    depth = completed(truth.depth, DOT) if truth.sparse else truth.depth
    return depth_picture(depth.z, depth.valid, span)
