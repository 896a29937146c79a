"""Small corrections of the poses that a capture states, learned with the scene."""

import abc
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.part import Fixed, Part
from recon.types import Camera, View

RATE = 2e-4
"""Radians, and units of the scene's scale, for each time a photo is seen."""
RELAX = 1e-4


class Poses(Part):
    """Where the training photos were taken from."""

    @abc.abstractmethod
    def camera(self, view: View) -> Camera:
        """Return a training view's camera at the pose believed now."""


@final
class GivenPoses(Fixed, Poses):
    """The poses that the capture states."""

    def camera(self, view: View) -> Camera:
        """Return the view's own camera."""
        return view.camera


@final
class RefinedPoses(Poses):
    """Every training view's pose, times a small rigid motion of its own.

    Held-out views keep the poses that the capture states, since nothing may be learned from them.
    """

    def __init__(self, views: Sequence[View], scale: float, device: torch.device) -> None:
        """Begin with no motion.

        Args:
            views: of the training photos.
            scale: of the scene, the unit of translations.
            device: where the rasterizer works.
        """
        self._row = {view.name: i for i, view in enumerate(views)}
        self._scale = scale
        # Each photo has its own leaf, so that Adam leaves those alone that a step has not seen.
        self._twists = [torch.zeros(6, device=device, requires_grad=True) for _ in views]

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the rotation vectors and translations, in the cameras' axes."""
        return {f"twist_{i}": twist for i, twist in enumerate(self._twists)}

    def rates(self) -> Mapping[str, float]:
        """Return the same rate for all."""
        return dict.fromkeys(self.tensors(), RATE)

    def relax(self) -> None:
        """Draw the poses towards those stated, so that the scene cannot drift as a whole."""
        with torch.no_grad():
            for twist in self._twists:
                twist.mul_(1 - RELAX)

    def camera(self, view: View) -> Camera:
        """Return the view's camera, moved, with gradients to its motion."""
        twist = self._twists[self._row[view.name]]
        pose = view.camera.world_to_camera
        motion = rigid_motion(twist[:3], self._scale * twist[3:])
        return view.camera.moved((motion.to(pose.dtype).cpu() @ pose.cpu()).to(pose.device))


def rigid_motion(
    rotation: Float[Tensor, "3"], translation: Float[Tensor, "3"]
) -> Float[Tensor, "4 4"]:
    """Return the matrix that turns by a rotation vector, in radians, and then moves."""
    x, y, z = rotation.unbind()
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)
    top = torch.cat([torch.linalg.matrix_exp(skew), translation[:, None]], 1)
    return torch.cat([top, torch.tensor([[0.0, 0, 0, 1]]).to(top)])
