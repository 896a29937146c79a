"""How much contrast a photo has at each fineness, which is what blur changes."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

SIGMAS = (0.6, 1.0, 1.6, 2.6, 4.2)
"""px; of the Gaussians whose differences are the bands."""
WINDOW = 2.0
"""px; sigma of the window over which a band's energy is gathered."""
FLOOR = (0.4 / 255) ** 2
"""Below this energy lies the rounding of 8 bits, which tells nothing."""


def gaussian(sigma: float) -> Float[Tensor, " taps"]:
    """Return a Gaussian's weights on whole pixels, up to three sigma, that sum to 1."""
    reach = max(1, round(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    taps = torch.exp(-(offsets**2) / (2 * sigma**2))
    return taps / taps.sum()


def smooth(images: Float[Tensor, "b c h w"], sigma: float) -> Float[Tensor, "b c h w"]:
    """Blur every channel by a Gaussian; borders go on with their last pixel."""
    taps = gaussian(sigma).to(images)
    reach = len(taps) // 2
    b, c, h, w = images.shape
    planes = images.reshape(b * c, 1, h, w)
    across = conv2d(pad(planes, (reach, reach, 0, 0), mode="replicate"), taps[None, None, None])
    down = pad(across, (0, 0, reach, reach), mode="replicate")
    return conv2d(down, taps[None, None, :, None]).reshape(b, c, h, w)


def band_energies(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n v u"]:
    """Return the logs of local energy in each band and their differences, at half the size.

    Blur by a circle of confusion takes the fine bands away and leaves the coarse, so differences of
    neighbouring logs tell its size where there is texture, whatever the contrast.

    Args:
        images: sRGB, 0 to 1, of even height and width.
    """
    grey = images.mean(1, keepdim=True)
    levels = [grey]
    for before, sigma in zip((0.0, *SIGMAS), SIGMAS, strict=False):
        levels.append(smooth(levels[-1], (sigma**2 - before**2) ** 0.5))
    bands = torch.cat([a - b for a, b in pairwise(levels)], 1)
    # Pooled first, which is cheaper; half as many pixels wide then is the window.
    energy = (smooth(avg_pool2d(bands.square(), 2), WINDOW / 2) + FLOOR).log()
    return torch.cat([(energy + 8) / 3, energy.diff(dim=1)], 1)
