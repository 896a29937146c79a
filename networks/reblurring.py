"""Blurring photos further, by any amount, fast and with a gradient."""

import torch
from jaxtyping import Float
from torch import Tensor

from recon.networks.bands import smooth
from recon.srgb import to_linear

COCS = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 10.0, 12.0, 15.0)
"""px; of the blurs that are prepared. Wider ones count as the last."""
FAINT = 0.01
"""Differences between two photos below this are noise, sRGB 0 to 1."""


def blurs(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n h w"]:
    """Return the brightness of photos in linear light under Gaussians of each of `COCS`."""
    levels, done = [to_linear(images).mean(1, keepdim=True)], 0.0
    for coc in COCS[1:]:
        # Gaussians follow one another by adding variances; c px across has the variance c²/16.
        levels.append(smooth(levels[-1], (coc**2 / 16 - done**2) ** 0.5))
        done = coc / 4
    return torch.cat(levels, 1)


def blurred(
    levels: Float[Tensor, "b n h w"], squares: Float[Tensor, "b h w"]
) -> Float[Tensor, "b h w"]:
    """Look every pixel up in the blurs, linear in the square of the diameter, with its gradient."""
    nodes = squares.new_tensor(COCS) ** 2
    place = squares.clamp(0, float(nodes[-1]) - 1e-3)
    above = torch.searchsorted(nodes, place.detach().contiguous(), right=True)
    above = above.clamp(1, len(nodes) - 1)
    part = (place - nodes[above - 1]) / (nodes[above] - nodes[above - 1])
    less = levels.gather(1, (above - 1)[:, None])[:, 0]
    more = levels.gather(1, above[:, None])[:, 0]
    return less + part * (more - less)
