"""3D Gaussians to 2D Gaussians in plain torch: EWA splatting, harmonics and the thin lens.

This is the definition that the native core and gsplat's kernels are held to. It works in the
precision of the Gaussians it is given, on any device, and autograd differentiates it.
"""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.gaussians import HARMONIC_BAND_0, Gaussians, rotations
from recon.raster.interface import ALPHA_MIN, DILATION, NEAR
from recon.types import Camera, ThinLens


@dataclass(frozen=True, eq=False)
class Splats:
    """The Gaussians that are drawn, as they lie on the image plane."""

    source: Int[Tensor, " m"]
    """Which Gaussian each one was."""
    centers: Float[Tensor, "m 2"]
    """In px."""
    conics: Float[Tensor, "m 3"]
    """The inverse covariance's xx, xy and yy, in 1/px²."""
    opacities: Float[Tensor, " m"]
    colors: Float[Tensor, "m 3"]
    depths: Float[Tensor, " m"]
    """z of the centre in camera axes."""
    extents: Float[Tensor, "m 2"]
    """Half the sides of the box outside which alpha is below ALPHA_MIN, in px; no gradient."""

    def select(self, index: Int[Tensor, " k"]) -> "Splats":
        """Return some of them, in the order of the index."""
        return Splats(*(getattr(self, field.name)[index] for field in fields(self)))


def project(
    gaussians: Gaussians,
    camera: Camera,
    *,
    offsets: Float[Tensor, "n 2"],
    sh_degree: int = 3,
    lens: ThinLens | None = None,
) -> Splats:
    """Lay the Gaussians on the image plane, keep those that are drawn, and sort them by depth.

    A Gaussian is drawn if its centre lies beyond NEAR, its opacity reaches ALPHA_MIN, its box
    touches the image, and its centre, covariance, opacity and colour are finite. The others are
    taken out before anything is differentiated, so that their gradients are exactly zero.

    Args:
        gaussians: in the precision to compute in.
        camera: at the resolution to draw.
        offsets: added to the projected centres, in px.
        sh_degree: harmonics above this degree are ignored, 0 to 3.
        lens: see `Rasterizer.render`.
    """
    with torch.no_grad():
        drawn = _drawn(_flatten(gaussians, camera, offsets, sh_degree, lens), camera)
    chosen = Gaussians(**{name: values[drawn] for name, values in gaussians.named().items()})
    splats = _flatten(chosen, camera, offsets[drawn], sh_degree, lens)
    return replace(splats, source=drawn)


def _drawn(splats: Splats, camera: Camera) -> Int[Tensor, " m"]:
    size = splats.centers.new_tensor([camera.width, camera.height])
    touches = (splats.centers + splats.extents > 0) & (splats.centers - splats.extents < size)
    numbers = [splats.centers, splats.conics, splats.opacities[:, None], splats.colors]
    finite = torch.cat(numbers, -1).isfinite().all(-1)
    visible = (splats.depths > NEAR) & (splats.opacities >= ALPHA_MIN) & touches.all(-1) & finite
    order = torch.argsort(splats.depths, stable=True)
    return order[visible[order]]


def _flatten(
    gaussians: Gaussians,
    camera: Camera,
    offsets: Float[Tensor, "n 2"],
    sh_degree: int,
    lens: ThinLens | None,
) -> Splats:
    pose = camera.world_to_camera.to(gaussians.means)
    x, y, z = (gaussians.means @ pose[:3, :3].T + pose[:3, 3]).unbind(-1)
    centers = torch.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], -1)
    xx, xy, yy = _covariances(gaussians, camera, x, y, z)
    determinants = xx * yy - xy * xy
    opacities = gaussians.opacities
    if lens is not None:
        # sigma = c / 4, and the same energy on a larger area.
        strength, inverse_focus = lens.strength.to(z), lens.inverse_focus.to(z)
        widening = (strength * (inverse_focus - 1 / z) / 4) ** 2
        sharp = determinants
        xx, yy = xx + widening, yy + widening
        determinants = xx * yy - xy * xy
        opacities = opacities * (sharp / determinants).sqrt()
    with torch.no_grad():
        reach = (2 * (opacities / ALPHA_MIN).clamp(min=1).log()).sqrt()
        extents = reach[:, None] * torch.stack([xx, yy], -1).sqrt()
    return Splats(
        source=torch.arange(len(gaussians), device=z.device),
        centers=centers + offsets,
        conics=torch.stack([yy, -xy, xx], -1) / determinants[:, None],
        opacities=opacities,
        colors=shade(gaussians, camera, sh_degree),
        depths=z,
        extents=extents,
    )


def _covariances(
    gaussians: Gaussians,
    camera: Camera,
    x: Float[Tensor, " n"],
    y: Float[Tensor, " n"],
    z: Float[Tensor, " n"],
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Project covariances by the local affine map (Zwicker et al. 2001, EWA splatting, eq. 31).

    The Jacobian is taken no further outside the image than 15 % of its size, as in gsplat 1.5.3.
    """
    margin_x, margin_y = 0.15 * camera.width, 0.15 * camera.height
    right = (camera.width - camera.cx + margin_x) / camera.fx
    below = (camera.height - camera.cy + margin_y) / camera.fy
    u = (x / z).clamp(-(camera.cx + margin_x) / camera.fx, right)
    v = (y / z).clamp(-(camera.cy + margin_y) / camera.fy, below)
    zero = torch.zeros_like(z)
    jacobian_x = torch.stack([camera.fx / z, zero, -camera.fx * u / z], -1)
    jacobian_y = torch.stack([zero, camera.fy / z, -camera.fy * v / z], -1)
    axes = rotations(gaussians.quaternions) * gaussians.scales[:, None, :]
    pose = camera.world_to_camera.to(gaussians.means)
    to_image = torch.stack([jacobian_x, jacobian_y], -2) @ pose[:3, :3] @ axes
    covariances = to_image @ to_image.mT
    xx, yy = covariances[:, 0, 0] + DILATION, covariances[:, 1, 1] + DILATION
    return xx, covariances[:, 0, 1], yy


def shade(gaussians: Gaussians, camera: Camera, sh_degree: int) -> Float[Tensor, "n 3"]:
    """Evaluate the colours seen from a camera: max(0, 0.5 + harmonics), order as in 3DGS files."""
    toward = gaussians.means - camera.position.to(gaussians.means)
    used = (sh_degree + 1) ** 2 - 1
    basis = _harmonics(toward / toward.norm(dim=-1, keepdim=True))[:, :used]
    colors = HARMONIC_BAND_0 * gaussians.sh_base[:, 0]
    colors = colors + torch.einsum("nk,nkc->nc", basis, gaussians.sh_rest[:, :used])
    return (colors + 0.5).clamp(min=0)


def _harmonics(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 15"]:
    """Evaluate the real spherical harmonics of degrees 1 to 3, with the Condon-Shortley phase."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    basis = [
        -0.48860251190291992 * y,
        0.48860251190291992 * z,
        -0.48860251190291992 * x,
        1.0925484305920790 * x * y,
        -1.0925484305920790 * y * z,
        0.31539156525252000 * (2 * zz - xx - yy),
        -1.0925484305920790 * x * z,
        0.54627421529603953 * (xx - yy),
        -0.59004358992664351 * y * (3 * xx - yy),
        2.8906114426405540 * x * y * z,
        -0.45704579946446573 * y * (4 * zz - xx - yy),
        0.37317633259011540 * z * (2 * zz - 3 * xx - 3 * yy),
        -0.45704579946446573 * x * (4 * zz - xx - yy),
        1.4453057213202770 * z * (xx - yy),
        -0.59004358992664351 * x * (xx - 3 * yy),
    ]
    return torch.stack(basis, -1)
