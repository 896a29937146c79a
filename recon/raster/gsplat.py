"""NVIDIA GPUs: gsplat's CUDA kernels behind our interface (Ye et al. 2024, arXiv 2409.06765).

gsplat is imported at the first use only. Its kernels add gradients up atomically, so that two runs
differ in the last bits, and are built with fast arithmetic.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recon.errors import ResourceError
from recon.gaussians import Gaussians
from recon.raster.interface import (
    ALPHA_MAX,
    DILATION,
    NEAR,
    Rasterizer,
    Render,
    ScreenFootprint,
)
from recon.raster.projection import Splats, project
from recon.raster.reference import composite, expected_depth, footprint_radii
from recon.types import Camera, ThinLens

TILE = 16
"""px; the only size gsplat tests."""
EVERY_BATCH = 2**31 - 1
"""The end of the range of batches, for `rasterize_to_indices_in_range`."""


@final
class GsplatRasterizer(Rasterizer):
    """Draws float32 Gaussians on the current CUDA device.

    A lens changes the projection: gsplat's own culls by the sharp footprint, so with a lens the
    reference's projection runs on the device instead. Compositing is gsplat's in either case.

    Raises:
        ResourceError: torch sees no CUDA device.
    """

    name: ClassVar[str] = "gsplat"

    def __init__(self) -> None:
        if not torch.cuda.is_available():
            raise ResourceError(
                "gsplat needs an NVIDIA GPU, and torch sees none: install torch's CUDA build and "
                "the GPU's driver, or use the native rasterizer"
            )

    @property
    def device(self) -> torch.device:
        """The current CUDA device."""
        return torch.device("cuda")

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
        if lens is None:
            splats = _project_sharp(gaussians, camera, offsets, sh_degree)
        else:
            splats = project(gaussians, camera, offsets=offsets, sh_degree=sh_degree, lens=lens)
        image = _composite(splats, camera, median=median)
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


def _project_sharp(
    gaussians: Gaussians, camera: Camera, offsets: Float[Tensor, "n 2"], sh_degree: int
) -> Splats:
    import gsplat

    if len(gaussians) == 0:
        return project(gaussians, camera, offsets=offsets, sh_degree=sh_degree)
    pose = camera.world_to_camera.to(gaussians.means)
    position = camera.position.to(gaussians.means)
    # A Gaussian that is not finite is put where it is culled, so that no gradient passes it.
    finite = _finite(gaussians, sh_degree)[:, None]
    means = torch.where(finite, gaussians.means, position.detach())
    K = means.new_tensor(
        [[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]],
    )
    radii, centers, depths, conics, _ = gsplat.fully_fused_projection(
        means,
        None,
        gaussians.quaternions,
        gaussians.scales,
        pose[None],
        K[None],
        camera.width,
        camera.height,
        eps2d=DILATION,
        near_plane=NEAR,
        opacities=gaussians.opacities,
    )
    # What was culled holds no numbers, and has to go before anything is computed from it.
    drawn = (radii[0] > 0).all(-1).nonzero()[:, 0]
    coefficients = torch.cat([gaussians.sh_base, gaussians.sh_rest], 1)[drawn]
    directions = means[drawn] - position
    harmonics = gsplat.spherical_harmonics(sh_degree, directions, coefficients)
    return Splats(
        source=drawn,
        centers=centers[0, drawn] + offsets[drawn],
        conics=conics[0, drawn],
        opacities=gaussians.opacities[drawn],
        colors=(harmonics + 0.5).clamp(min=0),
        depths=depths[0, drawn],
        extents=radii[0, drawn].to(means),
    )


def _finite(gaussians: Gaussians, sh_degree: int) -> Bool[Tensor, " n"]:
    # Scales enter squared; finite logarithms may overflow.
    used = (
        gaussians.means,
        gaussians.quaternions / gaussians.quaternions.norm(dim=-1, keepdim=True),
        gaussians.scales.square(),
        gaussians.opacity_logits[:, None],
        gaussians.sh_base.flatten(1),
        gaussians.sh_rest[:, : (sh_degree + 1) ** 2 - 1].flatten(1),
    )
    return torch.stack([values.isfinite().all(-1) for values in used]).all(0)


@dataclass(frozen=True, eq=False)
class _Tiles:
    """Which splats each tile of the image holds, front to back."""

    starts: Int[Tensor, "1 rows columns"]
    splats: Int[Tensor, " entries"]


def _bin(splats: Splats, camera: Camera) -> _Tiles:
    import gsplat

    columns, rows = -(-camera.width // TILE), -(-camera.height // TILE)
    radii = splats.extents.ceil().int()
    _, keys, entries = gsplat.isect_tiles(
        splats.centers.detach()[None],
        radii[None],
        splats.depths.detach()[None],
        TILE,
        columns,
        rows,
    )
    starts = gsplat.isect_offset_encode(keys, 1, columns, rows)
    return _Tiles(starts.reshape(1, rows, columns), entries)


def _composite(splats: Splats, camera: Camera, *, median: bool) -> Float[Tensor, "h w 6"]:
    """Draw splats as `reference.composite` does; the median is 0 where it is not asked for."""
    import gsplat

    if len(splats.depths) == 0:  # The kernels divide by the number of splats.
        return composite(splats, camera.width, camera.height)
    tiles = _bin(splats, camera)
    image, alpha = gsplat.rasterize_to_pixels(
        splats.centers[None],
        splats.conics[None],
        torch.cat([splats.colors, splats.depths[:, None]], -1)[None],
        splats.opacities[None],
        camera.width,
        camera.height,
        TILE,
        tiles.starts,
        tiles.splats,
    )
    color, weighted_depth = image[0].tensor_split([3], -1)
    middle = _median(splats, camera, tiles) if median else torch.zeros_like(weighted_depth)
    return torch.cat([color, alpha[0], weighted_depth, middle], -1)


def _median(splats: Splats, camera: Camera, tiles: _Tiles) -> Float[Tensor, "h w 1"]:
    """Find the median depth, for which gsplat has no kernel.

    gsplat lists the splats that each pixel draws, front to back; the transmittance behind each is
    computed again from that list. It takes some 60 bytes for every splat of every pixel.
    """
    first = _first_half(splats, camera, tiles)
    depths = torch.cat([splats.depths, splats.depths.new_zeros(1)])
    return depths[first].reshape(camera.height, camera.width, 1)


@torch.no_grad()
def _first_half(splats: Splats, camera: Camera, tiles: _Tiles) -> Int[Tensor, " pixels"]:
    """Return per pixel the splat behind which at most half the light is left, else their count."""
    import gsplat

    size = (camera.height, camera.width)
    ids, pixels, _ = gsplat.rasterize_to_indices_in_range(
        0,
        EVERY_BATCH,
        splats.depths.new_ones(1, *size),
        splats.centers[None],
        splats.conics[None],
        splats.opacities[None],
        camera.width,
        camera.height,
        TILE,
        tiles.starts,
        tiles.splats,
    )
    corners = torch.stack([pixels % camera.width, pixels // camera.width], -1)
    dx, dy = (corners + 0.5 - splats.centers[ids]).unbind(-1)
    xx, xy, yy = splats.conics[ids].unbind(-1)
    power = -0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy
    alphas = (splats.opacities[ids] * power.exp()).clamp(max=ALPHA_MAX)
    # One sum over all pixels, less its value at each pixel's start; in float64 nothing is lost.
    passed = torch.log1p(-alphas.double())
    total = passed.cumsum(0)
    counts = torch.bincount(pixels, minlength=size[0] * size[1])
    ends = counts.cumsum(0)
    before = torch.cat([total.new_zeros(1), total])[ends - counts]
    half = (total - before[pixels]).exp() <= 0.5
    entry = torch.arange(len(ids), device=ids.device)
    first = torch.full_like(ends, len(ids)).scatter_reduce(0, pixels[half], entry[half], "amin")
    return torch.cat([ids, ids.new_full((1,), len(splats.depths))])[first]
