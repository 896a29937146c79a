"""How bright and of which tint each photo came out, beside the scene's own colours."""

import abc
from collections.abc import Mapping, Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.part import Fixed, Part
from recon.types import View

SENSOR_RATE, PHOTO_RATE = 1e-3, 1e-2
"""A photo is seen once in an epoch, a camera at every other step or so."""
RELAX = 1e-4
"""Share of the correction that is taken back after each step: what all photos have in common is
the scene's own."""


class Exposure(Part):
    """What a camera does to the scene's colours."""

    @abc.abstractmethod
    def apply(self, color: Float[Tensor, "h w 3"], view: View) -> Float[Tensor, "h w 3"]:
        """Return the colours as the view's camera would have taken them.

        Nothing is ever learned from views that are held out: theirs is estimated from the
        training photos.
        """


@final
class AsTaken(Fixed, Exposure):
    """All photos share one exposure, or are taken to."""

    def apply(self, color: Float[Tensor, "h w 3"], view: View) -> Float[Tensor, "h w 3"]:
        """Return the colours."""
        return color


@final
class AffineExposure(Exposure):
    """One affine map of colour for each camera, and a correction of it for each photo.

    A photo that was held out gets its camera's map and the corrections of the camera's training
    photos just before and after it, interpolated in time.
    """

    def __init__(self, views: Sequence[View], device: torch.device) -> None:
        """Begin with identities.

        Args:
            views: of the training photos.
            device: where the rasterizer works.
        """
        names = sorted({view.sensor for view in views})
        self._sensor = {name: i for i, name in enumerate(names)}
        self._photo = {view.name: i for i, view in enumerate(views)}
        self._times = {
            name: sorted((view.time, i) for i, view in enumerate(views) if view.sensor == name)
            for name in names
        }
        # Each photo has its own leaf, so that Adam leaves those alone that a step has not seen.
        self._sensors = [torch.zeros(3, 4, device=device, requires_grad=True) for _ in names]
        self._photos = [torch.zeros(3, 4, device=device, requires_grad=True) for _ in views]

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the offsets from the identity of the cameras' and of the photos' maps."""
        sensors = {f"sensor_{i}": offset for i, offset in enumerate(self._sensors)}
        return sensors | {f"photo_{i}": offset for i, offset in enumerate(self._photos)}

    def rates(self) -> Mapping[str, float]:
        """Return one rate for the cameras and one for the photos."""
        return {
            name: SENSOR_RATE if name.startswith("sensor") else PHOTO_RATE
            for name in self.tensors()
        }

    def relax(self) -> None:
        """Draw all maps towards the identity by a little."""
        with torch.no_grad():
            for tensor in self.tensors().values():
                tensor.mul_(1 - RELAX)

    def apply(self, color: Float[Tensor, "h w 3"], view: View) -> Float[Tensor, "h w 3"]:
        """Return the colours as this photo, or one of this camera at its time, has them."""
        offset = self._correction(view)
        if view.sensor in self._sensor:
            offset = offset + self._sensors[self._sensor[view.sensor]]
        offset = offset.to(color.dtype)
        matrix = torch.eye(3, dtype=color.dtype, device=color.device) + offset[:, :3]
        return color @ matrix.T + offset[:, 3]

    def _correction(self, view: View) -> Float[Tensor, "3 4"]:
        if view.name in self._photo:
            return self._photos[self._photo[view.name]]
        known = self._times.get(view.sensor, [])
        before = [entry for entry in known if entry[0] <= view.time][-1:]
        after = [entry for entry in known if entry[0] > view.time][:1]
        if not before and not after:
            return torch.zeros_like(self._photos[0])
        (start, first), (end, last) = (before or after)[0], (after or before)[0]
        share = (view.time - start) / (end - start) if end > start else 0.0
        return (1 - share) * self._photos[first] + share * self._photos[last]
