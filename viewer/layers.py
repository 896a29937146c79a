"""The layers of the page, in the order of its list."""

from typing import final

import numpy as np

from recon.pictures import Picture, as_8_bit
from recon.viewer.depth_layers import Blur, ExpectedDepth, MedianDepth, Normals, Uncertainty
from recon.viewer.error_layer import PhotoError
from recon.viewer.layer import Layer, Vantage


@final
class Colour(Layer):
    """What a camera would see."""

    title = "Colour"
    about = "The scene as a photo shows it, through the lens."

    def picture(self, vantage: Vantage) -> Picture:
        """Return it in 8 bits."""
        return as_8_bit(vantage.blurred.color)


@final
class Alpha(Layer):
    """How opaque the scene is."""

    title = "Alpha"
    about = "White where the scene is opaque, black where one sees through it."

    def picture(self, vantage: Vantage) -> Picture:
        """Return it as greys."""
        return np.repeat(as_8_bit(vantage.sharp.alpha)[..., None], 3, axis=-1)


LAYERS: dict[str, Layer] = {
    layer.title: layer
    for layer in (
        Colour(),
        ExpectedDepth(),
        MedianDepth(),
        Alpha(),
        Normals(),
        Uncertainty(),
        Blur(),
        PhotoError(),
    )
}
"""By title. A new layer is one more line above."""
