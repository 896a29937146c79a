"""A small network that tells circles of confusion and depth from one defocused photo.

It follows the spirit of "Depth Estimation Based on 3D Gaussian Splatting Siamese Defocus" (Zhang et
al. 2024, arXiv 2409.12323), whose equations and code are not public: the design is our own. While
it is trained, two branches with these same weights see two focal settings of one scene.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_unshuffle, silu, softplus

from recon.networks.bands import SIGMAS, band_energies

WIDTHS = (24, 48, 80, 112)
"""Channels at 1/2, 1/4, 1/8 and 1/16 of the photo's size."""
DEPTHS = (1, 1, 2, 4)
"""Residuals there on the way down: far context is told where it is cheap."""
LEAST_SPREAD = 0.05
"""px; an error below this is never promised."""
TOLD = 3
"""Channels that tell of the lens."""
MULTIPLE = 16
"""Sides of the network's input are multiples of it."""


@dataclass(frozen=True, eq=False)
class Branch:
    """What one branch says of each of a batch of photos."""

    size: Float[Tensor, "b h w"]
    """|CoC|, diameters in px."""
    spread: Float[Tensor, "b h w"]
    """Laplace's scale of the error of the size, in px."""
    behind: Float[Tensor, "b h w"]
    """Logit of the probability that the surface lies behind the focus."""

    def float(self) -> "Branch":
        """Return the maps in single precision."""
        return Branch(self.size.float(), self.spread.float(), self.behind.float())

    def every_second(self) -> "Branch":
        """Return every second row and column."""
        maps = (self.size, self.spread, self.behind)
        return Branch(*(one[..., ::2, ::2] for one in maps))


@dataclass(frozen=True, eq=False)
class Lenses:
    """The lens of each of a batch of photos, or that it is not known."""

    strength: Float[Tensor, " b"]
    """K in px·m; any where it is not known."""
    inverse_focus: Float[Tensor, " b"]
    """1/m."""
    known: Float[Tensor, " b"]
    """1 or 0."""

    @staticmethod
    def unknown(count: int) -> "Lenses":
        """Return lenses of which nothing is known."""
        return Lenses(torch.ones(count), torch.zeros(count), torch.zeros(count))


class SiameseNetwork(nn.Module):
    """A U-Net from an image's pixels and bands to |CoC| and its spread, and a head for depth.

    By |CoC| and the lens two depths are possible, one before and one behind the plane of focus.
    The depth head sees the image's features, the CoC, and both candidates, and says which.
    """

    def __init__(self) -> None:
        super().__init__()
        inputs = 12 + 2 * len(SIGMAS) - 1 + TOLD
        first, *rest = WIDTHS
        self.enter = nn.Conv2d(inputs, first, 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(WIDTHS, rest, strict=False)
        )
        self.encode = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(depth)))
            for width, depth in zip(WIDTHS, DEPTHS, strict=True)
        )
        self.up = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(WIDTHS, rest, strict=False))
        self.decode = nn.ModuleList(Residual(width) for width in WIDTHS[:-1])
        self.blur = nn.Conv2d(first, 2, 3, padding=1)
        self.side = nn.Sequential(
            nn.Conv2d(first + 4, first, 3, padding=1), nn.SiLU(), nn.Conv2d(first, 1, 1)
        )

    def forward(self, images: Float[Tensor, "b 3 h w"], lenses: Lenses) -> Branch:
        """Look at photos, sRGB 0 to 1, of any size."""
        height, width = images.shape[-2:]
        margin = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        padded = pad(images, margin, mode="replicate")
        features = self._features(padded, lenses)
        size, spread = self.blur(features).unbind(1)
        size = softplus(size)
        behind = self.side(torch.cat([features, hints(size, lenses)], 1))[:, 0]
        maps = torch.stack([size, softplus(spread + 1) + LEAST_SPREAD, behind], 1)
        whole = interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
        return Branch(*whole[..., :height, :width].unbind(1))

    def _features(
        self, images: Float[Tensor, "b 3 h w"], lenses: Lenses
    ) -> Float[Tensor, "b c v u"]:
        pixels = 4 * (pixel_unshuffle(images, 2) - images.mean((1, 2, 3), keepdim=True))
        lens = told(lenses)[..., None, None].expand(-1, -1, *pixels.shape[-2:])
        seen = torch.cat([pixels, band_energies(images), lens], 1)
        # Channels last is the faster order of memory on CPUs.
        x = self.encode[0](self.enter(seen.contiguous(memory_format=torch.channels_last)))
        skips = []
        for down, encode in zip(self.down, list(self.encode)[1:], strict=True):
            skips.append(x)
            x = encode(silu(down(x)))
        for up, decode in zip(list(self.up)[::-1], list(self.decode)[::-1], strict=True):
            x = interpolate(up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = decode(x + skips.pop())
        result: Tensor = x
        return result


class Residual(nn.Module):
    """Two convolutions, added to what they saw; an identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Add the convolutions' answer."""
        y: Tensor = x + self.second(silu(self.first(silu(x))))
        return y


def told(lenses: Lenses) -> Float[Tensor, "b 3"]:
    """Return whether a lens is known, the blur of infinity and that of 1/m from the focus."""
    blurs = (lenses.strength * lenses.inverse_focus, lenses.strength)
    return torch.stack([lenses.known, *(lenses.known * (0.1 * b).clamp(-3, 3) for b in blurs)], 1)


def hints(size: Float[Tensor, "b h w"], lenses: Lenses) -> Float[Tensor, "b 4 h w"]:
    """Return |CoC|, the inverse depths before and behind the focus, and whether they are known."""
    of = lenses.inverse_focus[:, None, None]
    away = size.detach() / lenses.strength[:, None, None]
    known = lenses.known[:, None, None].expand_as(size)
    maps = [0.2 * size.detach(), known * (of + away), known * (of - away), known]
    return torch.stack([m.clamp(-3, 3) for m in maps], 1)
