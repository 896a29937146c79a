"""The oracle: Gaussians to pixels in plain torch, in the precision of the Gaussians it is given.

The native core and gsplat are tested against this in float64. Where no compiler was found it also
fits small scenes in float32, slowly. Gradients are autograd's.
"""

from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recon.gaussians import Gaussians
from recon.raster.interface import (
    ALPHA_MAX,
    ALPHA_MIN,
    TRANSMITTANCE_MIN,
    Rasterizer,
    Render,
    ScreenFootprint,
)
from recon.raster.projection import Splats, project
from recon.types import Camera, ThinLens

TILE = 32
"""px; the image is drawn in squares of this side, so that memory holds one square at a time."""
FEW = 1 << 16
"""Pixels times Gaussians; a picture with no more is kept whole for its backward pass."""


@final
class ReferenceRasterizer(Rasterizer):
    """Dense compositing on CPU, in float32 or float64 (Kerbl et al. 2023, eqs. 2 and 3)."""

    name: ClassVar[str] = "reference"

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        sh_degree: int = 3,
        background: Float[Tensor, "3"] | None = None,
        lens: ThinLens | None = None,
        median: bool = False,
    ) -> Render:
        """Draw one view; see `Rasterizer.render`."""
        offsets = torch.zeros_like(gaussians.means[:, :2], requires_grad=True)
        splats = project(gaussians, camera, offsets=offsets, sh_degree=sh_degree, lens=lens)
        image = composite(splats, camera.width, camera.height)
        color, alpha, weighted_depth, median_depth = image.tensor_split([3, 4, 5], -1)
        if background is not None:
            color = color + (1 - alpha) * background.to(color)
        return Render(
            color=color,
            alpha=alpha[..., 0],
            expected_depth=expected_depth(weighted_depth, alpha)[..., 0],
            median_depth=median_depth[..., 0] if median else None,
            footprint=ScreenFootprint(offsets, footprint_radii(splats, len(gaussians))),
        )


def footprint_radii(splats: Splats, count: int) -> Int[Tensor, " n"]:
    """Return every Gaussian's larger half-extent, rounded up; 0 where it was not drawn."""
    radii = torch.zeros(count, dtype=torch.int32, device=splats.source.device)
    return radii.index_copy(0, splats.source, splats.extents.amax(-1).ceil().int())


def expected_depth(
    weighted_depth: Float[Tensor, "h w 1"], alpha: Float[Tensor, "h w 1"]
) -> Float[Tensor, "h w 1"]:
    """Divide the sum of weight times z by the sum of weights; 0 where nothing was drawn."""
    # Dividing only where something was drawn keeps 0 / 0 out of the backward pass.
    drawn = alpha > 0
    return torch.where(drawn, weighted_depth / torch.where(drawn, alpha, 1), 0)


def composite(splats: Splats, width: int, height: int) -> Float[Tensor, "h w 6"]:
    """Draw splats front to back on nothing: colour, alpha, sum of weight times z, median z.

    The image is cut into tiles; the backward pass draws each tile again instead of keeping it,
    where there is much to keep.
    """
    # What keeps little is not drawn again; torch takes seconds to load what checkpoints need.
    few = width * height * len(splats.depths) <= FEW
    draw = _draw_tile if few else _draw_tile_twice
    rows = []
    for top in range(0, height, TILE):
        row = []
        for left in range(0, width, TILE):
            size = (min(TILE, width - left), min(TILE, height - top))
            near = _touching(splats, left, top, *size)
            row.append(draw(splats.select(near), left, top, *size))
        rows.append(torch.cat(row, 1))
    return torch.cat(rows, 0)


def _touching(splats: Splats, left: int, top: int, width: int, height: int) -> Int[Tensor, " k"]:
    corner, size = splats.centers.new_tensor([[left, top], [width, height]])
    centers = splats.centers.detach()
    reach = splats.extents + 0.1  # Rounding may not decide what a tile sees; alpha does.
    touches: Tensor = (centers + reach > corner) & (centers - reach < corner + size)
    return touches.all(-1).nonzero()[:, 0]


def _draw_tile_twice(
    splats: Splats, left: int, top: int, width: int, height: int
) -> Float[Tensor, "h w 6"]:
    tile: Tensor = checkpoint(_draw_tile, splats, left, top, width, height, use_reentrant=False)
    return tile


def _draw_tile(
    splats: Splats, left: int, top: int, width: int, height: int
) -> Float[Tensor, "h w 6"]:
    alphas = _pixel_alphas(splats, left, top, width, height)
    # Transmittance only falls: once a Gaussian would leave too little, so would all behind it.
    kept = (1 - alphas.detach()).cumprod(-1) > TRANSMITTANCE_MIN
    alphas = torch.where(kept, alphas, 0)
    behind = (1 - alphas).cumprod(-1)
    before = torch.cat([torch.ones_like(alphas[..., :1]), behind], -1)[..., :-1]
    weights = alphas * before
    depths = splats.depths[:, None]
    features = torch.cat([splats.colors, torch.ones_like(depths), depths], -1)
    return torch.cat([weights @ features, _median(behind, splats.depths)], -1)


def _pixel_alphas(
    splats: Splats, left: int, top: int, width: int, height: int
) -> Float[Tensor, "h w k"]:
    x = torch.arange(left, left + width).to(splats.centers) + 0.5
    y = torch.arange(top, top + height).to(splats.centers) + 0.5
    dx = x[None, :, None] - splats.centers[:, 0]
    dy = y[:, None, None] - splats.centers[:, 1]
    xx, xy, yy = splats.conics.unbind(-1)
    power = -0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy
    alphas = splats.opacities * torch.exp(power)
    return torch.where(alphas >= ALPHA_MIN, alphas.clamp(max=ALPHA_MAX), 0)


def _median(behind: Float[Tensor, "h w k"], depths: Float[Tensor, " k"]) -> Float[Tensor, "h w 1"]:
    if len(depths) == 0:
        return behind.new_zeros(*behind.shape[:-1], 1)
    half = behind <= 0.5
    first = half.int().argmax(-1, keepdim=True)
    return torch.where(half.any(-1, keepdim=True), depths[first], 0)
