"""What a rasterizer takes and gives. Constants here hold for all of them."""

import abc
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.gaussians import Gaussians
from recon.types import Camera, ThinLens

NEAR = 0.01
"""Gaussians whose centre is nearer than this, along z, are not drawn."""
DILATION = 0.3
"""px²; added to the diagonal of every projected covariance, as in 3DGS and gsplat."""
ALPHA_MIN = 1 / 255
"""Contributions below this are dropped."""
ALPHA_MAX = 0.999
"""No Gaussian is more opaque than this; above it no gradient flows to its opacity or shape."""
TRANSMITTANCE_MIN = 1e-4
"""A Gaussian that would leave no more than this is not drawn, and ends the pixel."""

COVERED = 0.5
"""The alpha from which a pixel counts as showing something, just where the median depth exists;
the expected depth of fainter pixels is that of stray Gaussians."""


@dataclass(frozen=True, eq=False)
class ScreenFootprint:
    """Where the Gaussians fell on the image; what densification looks at."""

    offsets: Float[Tensor, "n 2"]
    """Zeros added to the projected centres, in px: their gradient is that of the 2D means."""
    radii: Int[Tensor, " n"]
    """Largest half-extent in px, rounded up; 0 where a Gaussian was not drawn."""


@dataclass(frozen=True, eq=False)
class Render:
    """An image of the Gaussians."""

    color: Float[Tensor, "h w 3"]
    """sRGB over the background; may exceed 1."""
    alpha: Float[Tensor, "h w"]
    """1 - transmittance behind the last Gaussian, in [0, 1)."""
    expected_depth: Float[Tensor, "h w"]
    """sum(w z) / sum(w) over the Gaussians of a pixel; 0 where none was drawn."""
    median_depth: Float[Tensor, "h w"] | None
    """z of the Gaussian at which transmittance falls to 0.5 or below; 0 where it never does. Only
    on request."""
    footprint: ScreenFootprint


class Rasterizer(abc.ABC):
    """Draws Gaussians with a pinhole camera, and an optional thin lens, differentiably.

    Gradients flow from color, alpha, expected and median depth to every tensor of the Gaussians,
    to `camera.world_to_camera`, to the lens and to the footprint's offsets. A Gaussian whose
    projected centre, covariance, opacity or colour is not finite is not drawn, and gets none.
    """

    name: ClassVar[str]

    @property
    @abc.abstractmethod
    def device(self) -> torch.device:
        """Where it wants the Gaussians."""

    @abc.abstractmethod
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
        """Draw one view.

        Args:
            gaussians: float32 on the rasterizer's device (the reference takes float64).
            camera: at the resolution to draw.
            sh_degree: harmonics above this degree are ignored, 0 to 3.
            background: sRGB behind the Gaussians; black where None.
            lens: widens each projected covariance by (c/4)² with c the Gaussian's own circle of
                confusion, and scales its opacity by sqrt(det before / det after).
            median: whether to compute `median_depth`.
        """
