"""Depths known at some pixels of a photo: points of a reconstruction, or LiDAR returns."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from recon.camera import inside, project
from recon.types import Camera, DepthMap


@dataclass(frozen=True, eq=False)
class SparseDepth:
    """Depths along the optical axis at points of a photo."""

    pixels: Float[Tensor, "n 2"]
    """x and y, continuous; the centre of the first pixel is (0.5, 0.5)."""
    z: Float[Tensor, " n"]
    """In the capture's unit; positive."""

    def __len__(self) -> int:
        """Count the points."""
        return len(self.z)

    @staticmethod
    def of_points(camera: Camera, points: Float[Tensor, "n 3"]) -> "SparseDepth":
        """Project points in the working frame; those beside the photo or behind it drop out.

        Nothing is known of what hides what.
        """
        pixels, z = project(camera, points.double())
        seen = inside(camera, pixels, z)
        return SparseDepth(pixels[seen].float(), z[seen].float())

    @staticmethod
    def of_map(depth: DepthMap) -> "SparseDepth":
        """Take the valid pixels of a depth map."""
        rows, columns = torch.nonzero(depth.valid, as_tuple=True)
        pixels = torch.stack([columns, rows], dim=-1).float() + 0.5
        return SparseDepth(pixels, depth.z[depth.valid])

    def cells(self, width: int, height: int) -> Int[Tensor, "n 2"]:
        """Return the row and column of the pixel that each point lies in."""
        columns = self.pixels[:, 0].floor().clamp(0, width - 1)
        rows = self.pixels[:, 1].floor().clamp(0, height - 1)
        return torch.stack([rows, columns], dim=-1).long()

    def chosen(self, which: Bool[Tensor, " n"] | Int[Tensor, " m"]) -> "SparseDepth":
        """Return some of the points, by mask or by index."""
        return SparseDepth(self.pixels[which], self.z[which])
