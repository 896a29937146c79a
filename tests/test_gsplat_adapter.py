"""The gsplat adapter on CPU: gsplat's own torch twins stand in for its CUDA kernels.

Its compositing kernels have no twin that runs without CUDA; loops over tiles stand in for them.
They read the tiles that the adapter made, so that binning and order are under test. The kernels
themselves are held to the reference by the contract tests, which need a GPU.
"""

from dataclasses import replace

import gsplat
import pytest
import torch
from gsplat.cuda import _torch_impl as twins
from splat_scenes import Case, cloud, draw, grey, jumps, oblique, thin_lens
from torch import Tensor

from recon.errors import ResourceError
from recon.raster.gsplat import GsplatRasterizer
from recon.raster.reference import ReferenceRasterizer

pytestmark = pytest.mark.usefixtures("one_thread")


def projection(
    means: Tensor,
    covars: None,
    quats: Tensor,
    scales: Tensor,
    viewmats: Tensor,
    Ks: Tensor,
    width: int,
    height: int,
    *,
    eps2d: float,
    near_plane: float,
    opacities: Tensor,
) -> tuple[Tensor, ...]:
    def project(kept: Tensor) -> list[Tensor]:
        covariances, _ = twins._quat_scale_to_covar_preci(quats[kept], scales[kept], True, False)
        view = (viewmats, Ks, width, height, eps2d, near_plane)
        return list(twins._fully_fused_projection(means[kept], covariances, *view)[:-1])

    with torch.no_grad():
        radii = project(torch.arange(len(means)))[0]
        radii[0, opacities < 1 / 255] = 0
    # The kernel leaves what it culls unwritten, and passes no gradient there.
    kept = (radii[0] > 0).all(-1).nonzero()[:, 0]
    unwritten = [torch.full((len(means), *shape), torch.nan).double() for shape in ((2,), (), (3,))]
    numbers = [
        empty.index_copy(0, kept, values[0])[None]
        for empty, values in zip(unwritten, project(kept)[1:], strict=True)
    ]
    return radii, *numbers, None


def tiles(
    starts: Tensor, entries: Tensor, size: int, width: int, height: int
) -> list[tuple[int, int, Tensor]]:
    """Every tile's left and top in px, and its splats."""
    _, rows, columns = starts.shape
    ends = [*starts.flatten().tolist()[1:], len(entries)]
    found = []
    for index, (start, end) in enumerate(zip(starts.flatten().tolist(), ends, strict=True)):
        top, left = index // columns * size, index % columns * size
        assert top < height
        assert left < width
        found.append((left, top, entries[start:end].long()))
    assert len(found) == rows * columns
    return found


def alphas(
    means: Tensor, conics: Tensor, opacities: Tensor, left: int, top: int, across: int, down: int
) -> Tensor:
    """Alpha of every splat in every pixel of a tile, 0 where it is not drawn."""
    x = torch.arange(left, left + across)[None, :, None] + 0.5
    y = torch.arange(top, top + down)[:, None, None] + 0.5
    dx, dy = x - means[:, 0], y - means[:, 1]
    inverse = torch.stack([conics[:, :2], conics[:, 1:]], -2)
    offsets = torch.stack(torch.broadcast_tensors(dx, dy), -1)
    power = -0.5 * torch.einsum("hwki,kij,hwkj->hwk", offsets, inverse, offsets)
    values = (opacities * power.exp()).clamp(max=0.999)
    values = torch.where(values < 1 / 255, 0, values)
    return torch.where((1 - values.detach()).cumprod(-1) > 1e-4, values, 0)


def rasterize(
    means2d: Tensor,
    conics: Tensor,
    colors: Tensor,
    opacities: Tensor,
    width: int,
    height: int,
    tile_size: int,
    starts: Tensor,
    entries: Tensor,
) -> tuple[Tensor, Tensor]:
    image = torch.zeros(height, width, colors.shape[-1] + 1, dtype=means2d.dtype)
    for left, top, ids in tiles(starts, entries, tile_size, width, height):
        across, down = min(tile_size, width - left), min(tile_size, height - top)
        splats = (means2d[0, ids], conics[0, ids], opacities[0, ids])
        alpha = alphas(*splats, left, top, across, down)
        light = torch.cat([torch.ones_like(alpha[..., :1]), (1 - alpha).cumprod(-1)], -1)
        features = torch.cat([colors[0, ids], torch.ones(len(ids), 1)], -1)
        image[top : top + down, left : left + across] = (alpha * light[..., :-1]) @ features
    return image[None, ..., :-1], image[None, ..., -1:]


def list_drawn(
    range_start: int,
    range_end: int,
    light: Tensor,
    means2d: Tensor,
    conics: Tensor,
    opacities: Tensor,
    width: int,
    height: int,
    tile_size: int,
    starts: Tensor,
    entries: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    assert range_start == 0
    assert (light == 1).all()
    per_pixel: list[list[int]] = [[] for _ in range(width * height)]
    for left, top, ids in tiles(starts, entries, tile_size, width, height):
        across, down = min(tile_size, width - left), min(tile_size, height - top)
        drawn = alphas(means2d[0, ids], conics[0, ids], opacities[0, ids], left, top, across, down)
        for y, x, k in (drawn > 0).nonzero().tolist():
            per_pixel[(top + y) * width + left + x].append(int(ids[k]))
    pixels = [pixel for pixel, ids in enumerate(per_pixel) for _ in ids]
    flat = [index for ids in per_pixel for index in ids]
    return torch.tensor(flat), torch.tensor(pixels), torch.zeros(len(flat))


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> GsplatRasterizer:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(GsplatRasterizer, "device", torch.device("cpu"))
    monkeypatch.setattr(gsplat, "fully_fused_projection", projection)
    monkeypatch.setattr(gsplat, "spherical_harmonics", twins._spherical_harmonics)
    monkeypatch.setattr(gsplat, "isect_tiles", twins._isect_tiles)
    monkeypatch.setattr(gsplat, "isect_offset_encode", twins._isect_offset_encode)
    monkeypatch.setattr(gsplat, "rasterize_to_pixels", rasterize)
    monkeypatch.setattr(gsplat, "rasterize_to_indices_in_range", list_drawn)
    return GsplatRasterizer()


CASES = {
    "sharp": Case(cloud(80), oblique()),
    "lens": Case(cloud(80, seed=1), oblique(), lens=thin_lens()),
    "degree 1": Case(cloud(40, seed=2), oblique(17, 33), sh_degree=1),
    "opaque": Case(cloud(80, sigma=0.15, opacity_logit=5.0, seed=3), oblique()),
    "none": Case(grey([]), oblique(20, 20)),
    "all behind": Case(grey([(0, 0, -2), (0, 0, -3)]), oblique(20, 20)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_adapter_draws_what_the_reference_draws(adapter: GsplatRasterizer, name: str) -> None:
    case = CASES[name]
    smooth = jumps(case).smooth
    truth = draw(ReferenceRasterizer(), case, torch.float64, smooth)
    drawn = draw(adapter, case, torch.float64, smooth)
    for key, image in truth.images.items():
        torch.testing.assert_close(drawn.images[key], image, rtol=1e-9, atol=1e-9, msg=key)
    for key, gradient in truth.gradients.items():
        scale = float(gradient.norm())
        torch.testing.assert_close(
            drawn.gradients[key], gradient, rtol=1e-7, atol=1e-9 * scale, msg=key
        )
    assert ((drawn.radii > 0) >= (truth.radii > 0)).all()


@pytest.mark.parametrize(
    "field", ["means", "quaternions", "log_scales", "opacity_logits", "sh_base", "sh_rest"]
)
def test_a_gaussian_that_is_not_finite_spoils_no_gradient(
    adapter: GsplatRasterizer, field: str
) -> None:
    case = CASES["sharp"]
    scene = case.gaussians.to(torch.float64)
    getattr(scene, field)[7] = torch.nan
    broken = replace(case, gaussians=scene)
    smooth = jumps(broken).smooth
    drawn = draw(adapter, broken, torch.float64, smooth)
    truth = draw(ReferenceRasterizer(), broken, torch.float64, smooth)
    assert drawn.radii[7] == truth.radii[7] == 0
    torch.testing.assert_close(drawn.images["color"], truth.images["color"])
    torch.testing.assert_close(drawn.gradients["pose"], truth.gradients["pose"])


def test_without_a_gpu_the_adapter_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ResourceError, match="torch sees none"):
        GsplatRasterizer()
