"""The definition of the blur, in plain torch: any device, any precision, autograd's gradients.

Each pixel collects the light of its neighbours in three classes, by how their circles of confusion
differ from its own: from in front of it, from its own surface, from behind it. Those in front and
on its own surface give the share of their own discs that falls on it. What lies behind is seen
through the part of the pixel's own disc that the surface leaves open: it stands in for what no
photo shows, the hidden surface behind an edge that blur makes transparent.

The shares fill the lens from front to back until it is full, and what was found is divided by what
was filled. The discs of one continuous surface add up to one everywhere, so that they do not hide
one another; a surface in focus fills the lens alone, so that nothing behind shines through.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from recon.defocus.shapes import Shape
from recon.defocus.table import table_for

SAME = 0.5
"""px; pixels whose signed circles of confusion differ by no more lie on one surface,"""
APART = 1.5
"""px; and those that differ by this do not at all."""
OUTSIDE = -1e30
"""The signed circle of confusion of pixels beyond the image."""


def blur_in_torch(
    image: Float[Tensor, "h w 3"], coc: Float[Tensor, "h w"], shape: Shape
) -> Float[Tensor, "h w 3"]:
    """Blur linear light by signed circles of confusion; see `recon.defocus.blur`."""
    largest = float(coc.detach().abs().max()) if coc.numel() else 0.0
    table = table_for(shape, largest)
    radius = table.radius(shape, largest)
    numbers = table.numbers(coc.abs())
    margin = [radius] * 4
    around = torch.nn.functional.pad
    inputs = (around(image.permute(2, 0, 1), margin), around(coc, margin, value=OUTSIDE))
    padded = around(numbers, margin)
    # One row of the kernel at a time, drawn again in the backward pass instead of kept.
    light = coc.new_zeros(3, 4, *coc.shape)
    for dy in range(-radius, radius + 1):
        part: Tensor = checkpoint(
            _collect, *inputs, padded, coc, numbers, dy, shape, use_reentrant=False
        )
        light = light + part
    return fill(light)


def _collect(
    image: Float[Tensor, "3 _ _"],
    padded_coc: Float[Tensor, "_ _"],
    padded: Float[Tensor, "3 _ _"],
    coc: Float[Tensor, "h w"],
    numbers: Float[Tensor, "3 h w"],
    dy: int,
    shape: Shape,
) -> Float[Tensor, "3 4 h w"]:
    """Collect from one row of neighbours: per class red, green, blue, and the share of the lens."""
    height = coc.shape[0]
    radius = (padded_coc.shape[0] - height) // 2

    def row(values: Tensor) -> Tensor:
        rows = values[..., radius + dy : radius + dy + height, :]
        return rows.unfold(-1, 2 * radius + 1, 1)

    dx = torch.arange(-radius, radius + 1, dtype=coc.dtype, device=coc.device)
    # From a neighbour at (dx, dy) light travels by (-dx, -dy), upright if it lies behind the focus.
    upright = shape.gauge(-dx, torch.full_like(dx, -dy))
    turned = shape.gauge(dx, torch.full_like(dx, dy))
    theirs = row(padded_coc)
    their_kernel = _weights(shape, torch.where(theirs > 0, upright, turned), row(padded))
    own_gauge = torch.where(coc[..., None] > 0, upright, turned)
    own_kernel = _weights(shape, own_gauge, numbers[..., None])
    farther = theirs - coc[..., None]
    front, behind = (((sign * farther - SAME) / (APART - SAME)).clamp(0, 1) for sign in (-1.0, 1.0))
    shares = [front * their_kernel, (1 - front - behind) * their_kernel, behind * own_kernel]
    colors = row(image)
    return torch.stack(
        [torch.cat([(share * colors).sum(-1), share.sum(-1)[None]]) for share in shares]
    )


def _weights(
    shape: Shape, gauge: Float[Tensor, "*#n"], numbers: Float[Tensor, "3 *#n"]
) -> Float[Tensor, "*_"]:
    first, second, scale = numbers
    if not shape.is_bell:
        ramp = first - second * gauge
        return torch.where(ramp < scale, ramp.clamp(min=0), scale)
    bell: Tensor = scale * (torch.exp(gauge * first.clamp(min=1e-30).log()) - second).clamp(min=0)
    return bell


def fill(light: Float[Tensor, "3 4 h w"]) -> Float[Tensor, "h w 3"]:
    """Fill the lens with the three classes from front to back, and normalise."""
    room = torch.ones_like(light[0, 3])
    total, filled = torch.zeros_like(light[0, :3]), torch.zeros_like(room)
    for colors, share in zip(light[:, :3], light[:, 3], strict=True):
        over = share > room
        taken = torch.where(over, room, share)
        total = total + colors * torch.where(over, room / torch.where(over, share, 1), 1)
        filled, room = filled + taken, room - taken
    return (total / filled).permute(1, 2, 0)
