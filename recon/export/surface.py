"""Which surface a scene shows its training views: median depth, without what floats before edges.

A pixel's median depth is believed where the scene is opaque, where the expected depth agrees, which
it does not where one Gaussian lies before another, and where the inverse depth bends no more than
that of a surface: it is linear over the image of a plane, however slanted, and jumps at an edge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import pixel_centres, resized, unproject
from recon.errors import DataError, UsageError
from recon.raster.interface import COVERED, Render
from recon.render import SAMPLE_WIDTH, Stage, covered_depth
from recon.types import Camera, View

OPAQUE = 0.9
"""The alpha from which a pixel shows a surface."""
APART = 0.05
"""The largest difference of expected and median depth, as a share of the depth."""
BENT = 0.05
"""The largest second difference of inverse depth from pixel to pixel, as a share of it. On the
bundled drive these three leave a fifth of the pixels that are off by more than half a metre, and
four fifths of the others."""
SMOOTH = 5
"""px; depth is averaged over so many across and down before it is differentiated to normals."""
PIXELS_WIDE = 2.0
"""A voxel's edge, in the width of a pixel at the median depth."""
DEPTHS_FAR = 3.0
"""How far surfaces are taken, in median depths: beyond it, on the bundled drive, one depth in four
is off by more than half a metre."""


@dataclass(frozen=True)
class SurfaceSettings:
    """How fine and how far `points` and `mesh` are taken."""

    voxel: float | None = None
    """Edge of a voxel, of which each gives one point, and in which a mesh is fused; in the
    capture's unit. As wide as two pixels at the median depth where not given."""
    farthest: float | None = None
    """Depth beyond which nothing is taken; three times the median depth where not given."""

    def __post_init__(self) -> None:
        """Refuse what is no length.

        Raises:
            UsageError: a length is not more than 0, or endless.
        """
        for name, length in (("voxel", self.voxel), ("farthest", self.farthest)):
            if length is not None and not 0 < length < math.inf:
                raise UsageError(f"--{name} {length}: expected a length of more than 0.")


@dataclass(frozen=True)
class Grain:
    """How fine and how far a surface is taken; see `SurfaceSettings`."""

    voxel: float
    farthest: float


def grain_of(settings: SurfaceSettings, stage: Stage, views: Sequence[View]) -> Grain:
    """Choose what is not given, from small renders of up to eight views.

    Raises:
        DataError: the scene shows none of the views anything.
    """
    depths, widths = [], []
    for view in views[:: max(1, math.ceil(len(views) / 8))]:
        camera = view.camera
        small = min(1.0, SAMPLE_WIDTH / camera.width)
        sizes = (max(1, round(small * size)) for size in (camera.width, camera.height))
        depth = covered_depth(stage.draw(resized(camera, *sizes), sh_degree=0), "median").cpu()
        depths.append(depth[depth > 0])
        widths.append(depths[-1] / camera.fx)
    depth, width = torch.cat(depths), torch.cat(widths)
    if not len(depth):
        raise DataError(
            "the scene shows its training views nothing that is opaque, so it has no surface; fit "
            "it for longer, or export its Gaussians (--to ply)"
        )
    return Grain(
        settings.voxel or PIXELS_WIDE * float(width.median()),
        settings.farthest or DEPTHS_FAR * float(depth.median()),
    )


@dataclass(frozen=True, eq=False)
class SurfaceImage:
    """What one camera sees of the surface, on the CPU."""

    camera: Camera
    depth: Float[Tensor, "h w"]
    """The median depth where it is believed, 0 elsewhere."""
    color: Float[Tensor, "h w 3"]
    """sRGB in [0, 1]."""

    def points(self) -> Float[Tensor, "h w 3"]:
        """Return each pixel's place in the working frame; its camera's where nothing is there."""
        return _lifted(self.camera, self.depth)

    def normals(self) -> Float[Tensor, "h w 3"]:
        """Return unit vectors off the surface, towards the camera; 0 where there is none."""
        place = _lifted(self.camera, _smoothed(self.depth))
        known = self.depth > 0
        # Where a neighbour is missing, the pixel itself takes its place.
        across = _beside(place, known, 1, 1) - _beside(place, known, -1, 1)
        down = _beside(place, known, 1, 0) - _beside(place, known, -1, 0)
        normal = torch.linalg.cross(down, across)
        length = normal.norm(dim=-1, keepdim=True)
        unit = torch.where(length > 0, normal / length.clamp(min=1e-30), 0)
        return torch.where(known[..., None], unit, 0)


def surface_image(stage: Stage, camera: Camera, farthest: float) -> SurfaceImage:
    """Draw what a camera sees of the surface up to some depth."""
    render = stage.draw(camera)
    assert render.median_depth is not None
    median = render.median_depth.cpu()
    use = believed(render) & (median < farthest)
    at_hand = camera.moved(camera.world_to_camera.detach().cpu())
    return SurfaceImage(at_hand, torch.where(use, median, 0), render.color.cpu().clamp(0, 1))


def believed(render: Render) -> Bool[Tensor, "h w"]:
    """Return the pixels whose median depth is that of a surface, as the module says; on the CPU."""
    assert render.median_depth is not None
    median, expected = render.median_depth.cpu(), render.expected_depth.cpu()
    drawn = (render.alpha.cpu() >= max(OPAQUE, COVERED)) & (median > 0)
    agreed = (expected - median).abs() < APART * median
    inverse = torch.where(median > 0, 1 / median.clamp(min=1e-30), 0)
    flat = torch.zeros_like(drawn)
    down = inverse[:-2, 1:-1] - 2 * inverse[1:-1, 1:-1] + inverse[2:, 1:-1]
    across = inverse[1:-1, :-2] - 2 * inverse[1:-1, 1:-1] + inverse[1:-1, 2:]
    flat[1:-1, 1:-1] = torch.maximum(down.abs(), across.abs()) < BENT * inverse[1:-1, 1:-1]
    return drawn & agreed & flat


def _lifted(camera: Camera, depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w 3"]:
    lifted = unproject(camera, pixel_centres(camera), depth.reshape(-1))
    return lifted.reshape(*depth.shape, 3)


def _smoothed(depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Average inverse depth over neighbours that have one: of a plane's, nothing changes."""
    known = (depth > 0).numpy().astype(np.float32)
    inverse = np.where(known > 0, 1 / np.maximum(depth.numpy(), 1e-30), 0).astype(np.float32)
    total, count = (cv2.blur(image, (SMOOTH, SMOOTH)) for image in (inverse, known))
    smooth = np.where(known > 0, count / np.maximum(total, 1e-30), 0)
    return torch.from_numpy(smooth.astype(np.float32))


def _beside(
    place: Float[Tensor, "h w 3"], known: Bool[Tensor, "h w"], step: int, axis: int
) -> Float[Tensor, "h w 3"]:
    """Return the place of each pixel's neighbour, or its own where there is none."""
    moved = place.roll(-step, dims=axis)
    usable = known.roll(-step, dims=axis)
    edge = usable.narrow(axis, -1 if step > 0 else 0, 1)
    edge.fill_(False)
    return torch.where(usable[..., None], moved, place)
