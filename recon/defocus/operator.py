"""Defocus in image space: an image and its depth, as a thin lens would have seen them."""

import torch
from jaxtyping import Float
from torch import Tensor

from recon.core import HAS_CORE
from recon.defocus.reference import blur_in_torch
from recon.defocus.shapes import Disc, Shape
from recon.optics import signed_coc
from recon.srgb import to_linear, to_srgb
from recon.types import ThinLens

if HAS_CORE:
    from recon.defocus.native import blur_natively

LARGEST = 64.0
"""px; circles of confusion are no larger, because time grows with their area."""


def defocus(
    image: Float[Tensor, "h w 3"],
    depth: Float[Tensor, "h w"],
    lens: ThinLens,
    shape: Shape = Disc(),
    *,
    encoded: bool = True,
) -> Float[Tensor, "h w 3"]:
    """Return the image as the lens sees it, with gradients to image, depth and lens.

    See `blur` for how, and `recon.optics.signed_coc` for depths that are unknown or infinite.

    Args:
        image: sharp everywhere; sRGB, may exceed 1.
        depth: along the optical axis, in the unit of the scene.
        lens: its strength K is for pixels of this image.
        shape: of the aperture.
        encoded: the image is sRGB; else it is linear light.
    """
    return blur(image, signed_coc(depth, lens), shape, encoded=encoded)


def blur(
    image: Float[Tensor, "h w 3"],
    coc: Float[Tensor, "h w"],
    shape: Shape = Disc(),
    *,
    encoded: bool = True,
) -> Float[Tensor, "h w 3"]:
    """Blur each pixel by its own circle of confusion, in linear light, with occlusion.

    What lies nearer blurs over what lies farther; what lies farther does not blur over a nearer
    surface that is sharper. The image stays itself where circles of confusion are 0, and one colour
    stays one colour. The blur is continuous in their size, with the variance of the shape at any
    size, so that it has a gradient below 1 px as well. On CPU in float32 the core computes it, else
    `recon.defocus.reference`, which says how.

    Args:
        image: sharp everywhere; sRGB, may exceed 1.
        coc: signed diameters in px, negative before the focus; at most `LARGEST`, beyond which, and
            where they are not finite, they have no gradient. NaN is 0.
        shape: of the aperture.
        encoded: the image is sRGB; else it is linear light.
    """
    coc = coc.nan_to_num(0.0).clamp(-LARGEST, LARGEST)
    if HAS_CORE and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (image, coc)):
        return blur_natively(image, coc, shape, encoded)
    if not encoded:
        return blur_in_torch(image, coc, shape)
    return to_srgb(blur_in_torch(to_linear(image), coc, shape))
