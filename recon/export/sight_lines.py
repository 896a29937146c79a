"""Which points stand where light passes: other views see through them to what is behind.

Gaussians that float before a camera look right from there only. A point stays where at least two
views see a surface there, and at most half as many see past it.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recon.camera import inside, project
from recon.render import Stage, covered_depth
from recon.types import Camera, View

AGREES, PASSES = 0.05, 0.1
"""Relative differences of depth: below the one a view sees the point, above the other what is
behind it."""
WITNESSES = 2
"""Views that have to see a point, where so many have it in their image."""


def standing(
    points: Float[Tensor, "n 3"],
    stage: Stage,
    views: Sequence[View],
    on_view: Callable[[object], None],
) -> Bool[Tensor, " n"]:
    """Return which points, in the working frame, the views agree upon."""
    seen, passed, framed = (torch.zeros(len(points), dtype=torch.int32) for _ in range(3))
    for view in views:
        camera = view.camera.moved(view.camera.world_to_camera.detach().cpu())
        index, ratio = _looked(points, camera, _depth(stage, view.camera))
        framed[index] += 1
        seen[index] += ((ratio - 1).abs() < AGREES).int()
        passed[index] += (ratio > 1 + PASSES).int()
        on_view(view)
    return (seen >= 2 * passed) & (seen >= framed.clamp(max=WITNESSES)) & (seen > 0)


def _depth(stage: Stage, camera: Camera) -> Float[Tensor, "h w"]:
    """Draw no more than the depth: infinity where the Gaussians cover nothing."""
    with torch.no_grad():
        render = stage.rasterizer.render(stage.scene.gaussians, camera, sh_degree=0, median=True)
    depth = covered_depth(render, "median")
    return torch.where(depth > 0, depth, torch.inf).cpu()


def _looked(
    points: Float[Tensor, "n 3"], camera: Camera, depth: Float[Tensor, "h w"]
) -> tuple[Int[Tensor, " m"], Float[Tensor, " m"]]:
    """Return the points in a camera's image, and the depth it sees there over theirs."""
    pixels, z = project(camera, points)
    index = inside(camera, pixels, z).nonzero()[:, 0]
    column, row = pixels[index].long().unbind(dim=-1)
    column, row = column.clamp(max=camera.width - 1), row.clamp(max=camera.height - 1)
    return index, depth[row, column] / z[index]
