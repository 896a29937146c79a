"""The light maker of bokeh stacks: our own network, which is given no depth and was taught none."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad

from recon.defocus import blur
from recon.evidence.store import digest
from recon.evidence.weights import unfilled
from recon.files import sha256
from recon.networks.bokeh_generator import BokehGenerator, check_inverse_focus
from recon.networks.bokeh_network import BokehNetwork
from recon.networks.bokeh_pairs import WIDTH
from recon.networks.stored import load_into
from recon.types import Camera

FILE = "bokeh_light.safetensors"
CARD = "bokeh_light.md"
PACKAGED = Path(__file__).with_name(FILE)
"""Made by `recon train bokeh-generator`; the card beside it says how."""
VERSION = "1"
"""Of the code around the network; results of another are not reused."""
LIKE = 0.1
"""sRGB, 0 to 1; pixels whose colours differ by more belong to one another less."""


@final
class LightBokeh(BokehGenerator):
    """The network with a set of weights, read at first use, and the defocus operator.

    The network looks once, whatever the number of strengths, and says how fast every pixel blurs;
    the operator blurs by that times K, near over far. So blur is linear in K by construction.
    """

    def __init__(self, weights: Path = PACKAGED, inverse_focus: float = 0.0) -> None:
        """Take weights and a plane of focus in 1/m.

        Raises:
            UsageError: the plane of focus is none.
        """
        check_inverse_focus(inverse_focus)
        self.weights, self._inverse_focus = weights, inverse_focus

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return "light"

    @property
    def inverse_focus(self) -> float:
        """1 / distance of the plane of focus, in 1/m."""
        return self._inverse_focus

    def identity(self) -> str:
        """Digest the weights, the plane of focus and this file's version."""
        return digest(self.name, VERSION, sha256(self.weights), repr(self._inverse_focus))

    @torch.no_grad()
    def rates(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
        """Return how fast each pixel blurs, focused at infinity: px for each px·m of K.

        Raises:
            DataError: the weights are missing or damaged.
        """
        _, height, width = image.shape
        scale = min(1.0, WIDTH / max(height, width))
        size = max(1, round(scale * height)), max(1, round(scale * width))
        seen = image.float()[None]
        small = interpolate(seen, size, mode="area") if scale < 1 else seen
        found = self._network(small)
        return found[0] if scale == 1 else guided(found, small, seen)[0]

    @torch.no_grad()
    def _blurred(
        self, image: Float[Tensor, "3 h w"], strengths: Sequence[float], camera: Camera | None
    ) -> Float[Tensor, "n 3 h w"]:
        per_strength = self._inverse_focus - self.rates(image)
        sharp = image.float().permute(1, 2, 0).contiguous()
        made = [blur(sharp, strength * per_strength) for strength in strengths]
        return torch.stack(made).permute(0, 3, 1, 2)

    @cached_property
    def _network(self) -> BokehNetwork:
        network = unfilled(BokehNetwork)
        load_into(network, self.weights, "bokeh-generator")
        return network.eval()


def guided(
    maps: Float[Tensor, "b v u"], small: Float[Tensor, "b 3 v u"], image: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, "b h w"]:
    """Enlarge a map of a small photo so that its edges are the large photo's.

    Every pixel takes the mean of the nine values around it, weighted by how near they are and how
    like it in colour (joint bilateral upsampling, Kopf et al. 2007).
    """
    b, _, height, width = image.shape
    v, u = maps.shape[1:]
    y = (torch.arange(height, dtype=maps.dtype) + 0.5) * v / height - 0.5
    x = (torch.arange(width, dtype=maps.dtype) + 0.5) * u / width - 0.5
    row, column = y.round(), x.round()
    both = pad(torch.cat([maps[:, None], small], 1), (1, 1, 1, 1), mode="replicate")
    total, weights = torch.zeros(b, height, width), torch.zeros(b, height, width)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            far = (y - row - dy)[:, None] ** 2 + (x - column - dx)[None] ** 2
            at_row, at_column = (row + 1 + dy).long(), (column + 1 + dx).long()
            other = both[:, :, at_row][..., at_column]
            unlike = (other[:, 1:] - image).square().sum(1) / (2 * LIKE**2)
            weight = torch.exp(-far - unlike) + 1e-9
            total += weight * other[:, 0]
            weights += weight
    return total / weights
