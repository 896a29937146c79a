"""A small network that tells from a sharp photo how fast each pixel of it blurs as a lens opens.

It is the light generator's only trained part. The design is our own.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle, silu, softplus

from recon.networks.siamese_coc import Residual

WIDTHS = (20, 32, 56, 96, 128)
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the photo's size."""
MULTIPLE = 32
"""Sides of the network's input are multiples of it."""
UNIT, BEGINNING = 0.25, 0.3
"""1/m; what the network's answer counts in, and what it begins with everywhere."""


class BokehNetwork(nn.Module):
    """A U-Net from a photo to its defocus rate, in px of blur for each px·m of K: 1/m.

    It sees the whole photo at its coarsest level, and knows where in the photo a pixel lies: floors
    and roads come nearer downwards.
    """

    def __init__(self) -> None:
        super().__init__()
        first, *rest = WIDTHS
        self.enter = nn.Conv2d(14, first, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(WIDTHS, rest, strict=False)
        )
        self.encode = nn.ModuleList(Residual(width) for width in WIDTHS)
        self.whole = nn.Linear(WIDTHS[-1], WIDTHS[-1])
        self.deepest = Residual(WIDTHS[-1])
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(WIDTHS, rest, strict=False))
        self.decode = nn.ModuleList(Residual(width) for width in WIDTHS[:-1])
        self.leave = nn.Conv2d(first, 4, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        # The inverse of softplus.
        nn.init.constant_(self.leave.bias, math.log(math.expm1(BEGINNING / UNIT)))

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
        """Look at photos, sRGB 0 to 1, of any size."""
        height, width = images.shape[-2:]
        padded = pad(images, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        pixels = 4 * (pixel_unshuffle(padded, 2) - images.mean((1, 2, 3), keepdim=True))
        x = torch.cat([pixels, _places(pixels, height, width)], 1)
        x = self.encode[0](self.enter(x))
        skips = []
        for down, encode in zip(self.down, list(self.encode)[1:], strict=True):
            skips.append(x)
            x = encode(silu(down(x)))
        x = self.deepest(x + self.whole(silu(x).mean((2, 3)))[..., None, None])
        for up, decode in zip(list(self.up)[::-1], list(self.decode)[::-1], strict=True):
            x = interpolate(up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = decode(x + skips.pop())
        rate: Tensor = UNIT * softplus(pixel_shuffle(self.leave(x), 2))
        return rate[:, 0, :height, :width]


def _places(
    features: Float[Tensor, "b c v u"], height: int, width: int
) -> Float[Tensor, "b 2 v u"]:
    """Return how far from the middle each 2 by 2 pixels lie, in halves of the longer side."""
    b, _, v, u = features.shape
    half = max(height, width) / 2
    y = (2 * torch.arange(v, dtype=features.dtype) + 1 - height / 2) / half
    x = (2 * torch.arange(u, dtype=features.dtype) + 1 - width / 2) / half
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij"))
    return grid.to(features).expand(b, 2, v, u)
