"""What stands behind the Gaussians."""

import abc
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.part import Fixed, Part
from recon.raster.interface import Render
from recon.types import Camera


class Backdrop(Part):
    """What a ray sees that passes all Gaussians."""

    @property
    @abc.abstractmethod
    def flat(self) -> Float[Tensor, "3"]:
        """The sRGB colour that the rasterizer lays behind the Gaussians."""

    @abc.abstractmethod
    def complete(self, render: Render, camera: Camera) -> Render:
        """Return a render over `flat` with all of the backdrop behind it."""


@final
class Plain(Fixed, Backdrop):
    """One colour, such as the white that photos with transparency are laid on."""

    def __init__(self, color: tuple[float, float, float], device: torch.device) -> None:
        self._color = torch.tensor(color, device=device)

    @property
    def flat(self) -> Float[Tensor, "3"]:
        """The colour."""
        return self._color

    def complete(self, render: Render, camera: Camera) -> Render:
        """Return the render: the rasterizer has done it all."""
        return render
