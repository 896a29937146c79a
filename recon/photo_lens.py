"""The lens that the photographs were taken with, where they are not sharp everywhere.

The scene stays sharp; each training photo is compared with it as seen through the photo's own lens.
So what one photo blurs and another shows sharp is one surface, at the depth that the blur tells.
"""

import abc
import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from recon.part import Fixed, Part
from recon.sharpness import depth_in_focus
from recon.types import Capture, ThinLens, View

APERTURE_RATE, FOCUS_RATE = 1e-2, 2e-2
"""The aperture is shared and moves with every photo; a photo's own focus when it is seen."""
SPAN = 4.0
"""px that the first guess of the aperture blurs over the points' depths, in a photo 360 px wide."""


class PhotoLens(Part):
    """What each training photo was taken through."""

    @abc.abstractmethod
    def of(self, view: View) -> ThinLens | None:
        """Return the lens for a training view's camera at any size; None where all is sharp."""

    @abc.abstractmethod
    def found(self) -> str:
        """Describe the lens for a person; empty where nothing was learned."""


@final
class Pinhole(Fixed, PhotoLens):
    """Photographs that are sharp everywhere, or are taken to be."""

    def of(self, view: View) -> None:
        """Return no lens."""
        return

    def found(self) -> str:
        """Return nothing."""
        return ""


@final
class LearnedLens(PhotoLens):
    """One aperture for all photos, and a distance of focus for each.

    With K = A f_px the aperture's diameter A is a length of the scene, whatever a photo's size.
    Held-out photos have no focus, since nothing may be learned from them: they are drawn sharp.
    """

    def __init__(self, capture: Capture, scale: float, device: torch.device) -> None:
        """Guess the focus from where points look sharpest, and the aperture from their depths.

        Args:
            capture: the training photos, and points to look at; without points all begin focused
                at the scene's scale.
            scale: of the scene, in the capture's unit: inverse distances are learned in its own.
            device: where the rasterizer works.
        """
        self._scale = scale
        self._row = {view.name: i for i, view in enumerate(capture.train)}
        looks = [depth_in_focus(view, capture.points) for view in capture.train]
        spans = [look.nearest - look.farthest for look in looks if look is not None]
        span = sum(spans) / len(spans) if spans else 1 / scale
        width = sum(view.camera.width / view.camera.fx for view in capture.train) / len(looks)
        aperture = SPAN / 360 * width / span
        self._log_aperture = torch.tensor(
            math.log(aperture / scale), device=device, requires_grad=True
        )
        self._focus = [
            torch.tensor(
                1.0 if look is None else look.in_focus * scale, device=device, requires_grad=True
            )
            for look in looks
        ]

    def tensors(self) -> Mapping[str, Tensor]:
        """Return ln A and the inverse distances of focus, in units of the scene's scale."""
        focus = {f"focus_{i}": plane for i, plane in enumerate(self._focus)}
        return {"log_aperture": self._log_aperture, **focus}

    def rates(self) -> Mapping[str, float]:
        """Return one rate for the aperture and one for the planes of focus."""
        planes = dict.fromkeys((f"focus_{i}" for i in range(len(self._focus))), FOCUS_RATE)
        return {"log_aperture": APERTURE_RATE, **planes}

    def relax(self) -> None:
        """Keep the planes of focus before the camera, at most infinitely far."""
        with torch.no_grad():
            for plane in self._focus:
                plane.clamp_(min=0)

    def of(self, view: View) -> ThinLens:
        """Return the photo's lens, with gradients to aperture and focus."""
        strength = self._scale * self._log_aperture.exp() * view.camera.fx
        return ThinLens(strength, self._focus[self._row[view.name]] / self._scale)

    def found(self) -> str:
        """Say the aperture's diameter and the range of focus."""
        aperture = self._scale * float(self._log_aperture.detach().exp())
        planes = sorted(float(plane.detach()) / self._scale for plane in self._focus)
        near, far = (math.inf if p == 0 else 1 / p for p in (planes[-1], planes[0]))
        return f"aperture {aperture:.3g} across, focused from {near:.3g} to {far:.3g}"
