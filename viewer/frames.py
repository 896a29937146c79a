"""From a look to a picture."""

import numpy as np

from recon.optics import signed_coc
from recon.pictures import Picture
from recon.viewer.layer import Vantage
from recon.viewer.layers import LAYERS
from recon.viewer.look import sharp_bound
from recon.viewer.wipe import wiped

TINT = np.array([60, 255, 90], np.float32)
"""sRGB laid over what is in focus."""
TINT_SHARE = 0.45


def picture_of(vantage: Vantage) -> Picture:
    """Draw the layer asked for, tinted where it is in focus and wiped, if that is asked for too."""
    picture = LAYERS[vantage.look.layer].picture(vantage)
    if vantage.look.tint:
        picture = tinted(picture, vantage)
    return wiped(picture, vantage)


def tinted(picture: Picture, vantage: Vantage) -> Picture:
    """Lay a green over the pixels whose surface the lens draws sharp; over none without a lens."""
    if vantage.lens is None:
        return picture
    blur = signed_coc(vantage.surface, vantage.lens).abs()
    focused = (vantage.covered & (blur <= sharp_bound(vantage.camera))).cpu().numpy()
    mixed = (1 - TINT_SHARE) * picture[focused] + TINT_SHARE * TINT
    tinted = picture.copy()
    tinted[focused] = mixed.round().astype(np.uint8)
    return tinted
