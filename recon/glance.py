"""What each view's depth was when it was last rendered, for its neighbours to agree with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.camera import resized
from recon.raster.interface import COVERED, Render
from recon.types import Camera

PIXELS = 20_000
"""About so many of a view's are remembered."""
NEIGHBOURS = 4
"""Of each view that take turns."""
WIDEST = 45.0
"""Degrees between optical axes beyond which views are no neighbours."""
ONE_PLACE = 1e-6
"""Units of length; cameras within it of one another cannot judge each other's depth."""


@dataclass(frozen=True, eq=False)
class Glance:
    """A view's inverse depth at every so many pixels, as it was rendered, without gradient."""

    camera: Camera
    """At the size and pose of that time."""
    inverse: Float[Tensor, "v u"]
    """1 / expected depth; 0 where little or nothing was drawn."""
    stride: int
    """px from one to the next, down and across; the first lies half of it from the corner."""

    @staticmethod
    def of(camera: Camera, render: Render) -> "Glance":
        """Remember a render; on its device."""
        height, width = render.alpha.shape
        stride = max(1, math.ceil(math.sqrt(height * width / PIXELS)))
        some = slice(stride // 2, None, stride)
        depth, alpha = (t.detach()[some, some] for t in (render.expected_depth, render.alpha))
        drawn = (alpha > COVERED) & (depth > 0)
        inverse = torch.where(drawn, torch.where(drawn, depth, 1.0).reciprocal(), 0.0)
        pose = camera.world_to_camera.detach().to(depth.device)
        return Glance(camera.moved(pose), inverse, stride)

    def at(self, pixels: Float[Tensor, "n 2"]) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
        """Return inverse depth at places of the photo, and whether it is known there.

        It is interpolated, which is exact on planes; it is not known where one of the four pixels
        around a place is not, or lies outside.
        """
        place = (pixels.nan_to_num(-1e9) - (self.stride // 2 + 0.5)) / self.stride
        rows, columns = self.inverse.shape
        x, y = place.clamp(-2, max(rows, columns) + 2).T
        left, top = x.floor().long(), y.floor().long()
        known = (left >= 0) & (top >= 0) & (left < columns - 1) & (top < rows - 1)
        left, top = left.clamp(0, max(columns - 2, 0)), top.clamp(0, max(rows - 2, 0))
        right, bottom = (left + 1).clamp(max=columns - 1), (top + 1).clamp(max=rows - 1)
        across, down = x - left, y - top
        corners = [self.inverse[r, c] for r in (top, bottom) for c in (left, right)]
        known = known & (torch.stack(corners) > 0).all(dim=0)
        upper = corners[0] + across * (corners[1] - corners[0])
        lower = corners[2] + across * (corners[3] - corners[2])
        return torch.where(known, upper + down * (lower - upper), 0.0), known


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A view beside the one that is rendered."""

    here: Camera
    """That with which the step's view is rendered."""
    there: Glance
    """The neighbour as it was rendered last."""


class Glances:
    """The last glance at each training view."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        """Find out who is whose neighbour; nothing is rendered yet.

        Args:
            cameras: of the training views, in order.
        """
        self._neighbours = neighbours(cameras)
        self._cameras = tuple(cameras)
        self._last: dict[int, Glance] = {}

    def beside(self, index: int, here: Camera, step: int) -> Neighbour | None:
        """Return one of a view's neighbours, by turns; None before any was rendered."""
        seen = [i for i in self._neighbours[index] if i in self._last]
        if not seen:
            return None
        device = self._last[seen[0]].inverse.device
        here = here.moved(here.world_to_camera.detach().to(device))
        # Views come once an epoch, so counting epochs keeps a view from meeting the same one again.
        turn = step // max(1, len(self._cameras))
        return Neighbour(here, self._last[seen[turn % len(seen)]])

    def put(self, index: int, camera: Camera, render: Render) -> None:
        """Remember how a view was rendered."""
        self._last[index] = Glance.of(camera, render)

    def state(self) -> dict[str, Tensor]:
        """Return all that is remembered, by name."""
        state = {}
        for index, glance in self._last.items():
            camera = glance.camera
            state[f"{index}.inverse"] = glance.inverse
            state[f"{index}.pose"] = camera.world_to_camera
            state[f"{index}.size"] = torch.tensor([camera.width, camera.height, glance.stride])
        return state

    def restore(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Go back to what `state` has returned."""
        self._last = {}
        for name, inverse in state.items():
            index, kind = name.split(".")
            if kind == "inverse":
                width, height, stride = state[f"{index}.size"].tolist()
                camera = resized(self._cameras[int(index)], width, height)
                camera = camera.moved(state[f"{index}.pose"].to(device))
                self._last[int(index)] = Glance(camera, inverse.to(device), stride)


def neighbours(cameras: Sequence[Camera]) -> tuple[tuple[int, ...], ...]:
    """Return the nearest views of each that look much the same way from another place."""
    position = torch.stack([camera.position.detach().cpu() for camera in cameras])
    axis = torch.stack([camera.world_to_camera[2, :3].detach().cpu() for camera in cameras])
    apart = torch.cdist(position[None], position[None])[0]
    usable = (axis @ axis.T > math.cos(math.radians(WIDEST))) & (apart > ONE_PLACE)
    order = torch.where(usable, apart, torch.inf).argsort(dim=1, stable=True)
    return tuple(
        tuple(i for i in row if usable[index, i])
        for index, row in enumerate(order[:, :NEIGHBOURS].tolist())
    )
