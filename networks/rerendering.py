"""The rendering loss: a sharp scene, blurred by predicted circles of confusion, is the photo.

After "Depth Estimation Based on 3D Gaussian Splatting Siamese Defocus" (arXiv 2409.12323), which
renders the defocused photo from Gaussians and the predicted circles of confusion; the published
text gives no equation for it, so this form is our own.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from recon.defocus import blur
from recon.networks.bands import smooth
from recon.networks.reblurring import FAINT
from recon.networks.siamese_coc import Branch

BORDER = 6
"""px; left out around a crop, whose blur knows nothing of what lies beyond."""
MOST = 3.0
"""A pixel counts no more than this, in shares of the blur's own difference."""


def rerender(
    branch: Branch, sharp: Float[Tensor, "b 3 h w"], photos: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, ""]:
    """Return what blurring by the predicted circles leaves of the difference to the photos.

    The mean of |blur(sharp, c) - photo| over |sharp - photo|, averaged nearby: 1 for a network that
    sees no blur anywhere, 0 for one that explains all of it. Pixels where the sharp scene and the
    photo agree say little, as `FAINT` is added to both. The gradient flows to the sizes of the
    circles and to the sharp picture; the sides of the focus only say what covers what.

    Args:
        branch: what the network saw in the photos.
        sharp: the scene from the photos' places, sharp everywhere, sRGB 0 to 1.
        photos: sRGB, 0 to 1.
    """
    signed = torch.where(branch.behind.detach() > 0, branch.size, -branch.size)
    drawn = torch.stack(
        [
            blur(picture.permute(1, 2, 0).contiguous(), coc.contiguous()).permute(2, 0, 1)
            for picture, coc in zip(sharp, signed, strict=True)
        ]
    )
    left = (drawn - photos).abs().mean(1)
    whole = (sharp - photos).detach().abs().mean(1, keepdim=True)
    share = (left + FAINT) / (smooth(whole, 2.0)[:, 0] + FAINT)
    inner = share[:, BORDER:-BORDER, BORDER:-BORDER]
    return inner.clamp(max=MOST).mean()
