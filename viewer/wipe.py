"""A line over the picture of a photo's camera: one thing left of it, the layer right of it."""

import numpy as np

from recon.pictures import DARK, Picture, as_8_bit
from recon.viewer.error_layer import resized_into
from recon.viewer.layer import Vantage

LINE = (255, 255, 255)
"""sRGB."""


def wiped(picture: Picture, vantage: Vantage) -> Picture:
    """Put the photo, or the render in colour, left of the line; nothing changes away from photos.

    Args:
        picture: of the layer.
        vantage: with the wipe in its look.
    """
    wipe, view, frame = vantage.look.wipe, vantage.look.at, vantage.frame
    if wipe is None or view is None or frame is None:
        return picture
    if wipe.left == "photo":
        left = np.full_like(picture, DARK)
        down = slice(frame.top, frame.top + frame.height)
        across = slice(frame.left, frame.left + frame.width)
        left[down, across] = resized_into(view.photo.pixels().numpy(), frame)
    else:
        left = as_8_bit(vantage.blurred.color)
    line = frame.left + round(wipe.share * frame.width)
    joined = picture.copy()
    joined[:, :line] = left[:, :line]
    joined[:, max(0, line - 1) : line + 1] = LINE
    return joined
