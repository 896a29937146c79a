"""The lens that the photographs were taken with, where they are not sharp everywhere.

The scene stays sharp; each training photo is compared with it as seen through the photo's own lens.
So what one photo blurs and another shows sharp is one surface, at the depth that the blur tells.

Gradients alone do not find a plane of focus from afar. So the scene is fitted without a lens at
first, which gives its rough shape; then lenses from a grid are tried on every photo, and the best
ones go on by gradients.
"""

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import final

import torch
from torch import Tensor

from recon.camera import inside, project
from recon.optics import REFERENCE_WIDTH
from recon.part import Fixed, Part
from recon.types import Capture, PointCloud, ThinLens, View

Misfit = Callable[[int, Callable[[View], ThinLens]], float]
"""How badly the scene matches a training photo, by its index, seen through a lens."""

SEARCHES = (0.2, 0.4)
"""Shares of the fit at which lenses are tried; the second time in a sharper scene."""
PLANES = 16
SPANS = (2.0, 3.0, 4.5, 7.0, 10.0, 15.0)
"""px over which circles of confusion spread between near and far, in a photo 360 px wide."""
ASKED = 30
"""Photos that choose the aperture; more would choose the same."""
NEARER = 1.6
"""Planes of focus are tried from infinity to this much nearer than the nearest points."""
ENDS = (0.05, 0.95)
"""Quantiles of the points' inverse depth that count as far and near."""
APERTURE_RATE, FOCUS_RATE = 5e-3, 2e-2
"""The aperture is shared and moves with every photo; a photo's own focus when it is seen."""


class PhotoLens(Part):
    """What each training photo was taken through."""

    def learned_from(self, view: View) -> View:
        """Return a training view with what may be learned from: its whole photo, as a rule."""
        return view

    @abc.abstractmethod
    def of(self, view: View) -> ThinLens | None:
        """Return the lens for a training view's camera at any size; None where all is sharp."""

    @abc.abstractmethod
    def settle(self, share: float, misfit: Misfit) -> None:
        """Look for the lenses in the scene as it is, if a share of the fit is the time for it."""

    @abc.abstractmethod
    def found(self) -> str:
        """Describe the lens for a person; empty where nothing was learned."""


@final
class Pinhole(Fixed, PhotoLens):
    """Photographs that are sharp everywhere, or are taken to be."""

    def of(self, view: View) -> None:
        """Return no lens."""
        return

    def settle(self, share: float, misfit: Misfit) -> None:
        """Look for nothing."""
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
        """Begin without a lens.

        Args:
            capture: the training views, and points that tell how near and far the scene is.
            scale: of the scene, in the capture's unit, where there are no points.
            device: where the rasterizer works.
        """
        self._views = capture.train
        far, near = range_of_inverse_depth(self._views, capture.points) or (0.5 / scale, 2 / scale)
        self._near, self._unit = near, near - far
        self._row = {view.name: i for i, view in enumerate(self._views)}
        self._searches = torch.zeros(())
        self._log_aperture = torch.zeros((), device=device, requires_grad=True)
        self._focus = [torch.zeros((), device=device, requires_grad=True) for _ in self._views]

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the searches done, ln A, and the inverse distances of focus.

        All but the first are in units of the range of inverse depths.
        """
        focus = {f"focus_{i}": plane for i, plane in enumerate(self._focus)}
        return {"searches": self._searches, "log_aperture": self._log_aperture, **focus}

    def rates(self) -> Mapping[str, float]:
        """Return one rate for the aperture and one for the planes of focus."""
        planes = dict.fromkeys((f"focus_{i}" for i in range(len(self._focus))), FOCUS_RATE)
        return {"searches": 0.0, "log_aperture": APERTURE_RATE, **planes}

    def relax(self) -> None:
        """Keep the planes of focus before the camera, at most infinitely far."""
        with torch.no_grad():
            for plane in self._focus:
                plane.clamp_(min=0)

    def of(self, view: View) -> ThinLens | None:
        """Return the photo's lens, with gradients to aperture and focus; None before the search."""
        if not self._searches:
            return None
        return self._lens(view, self._log_aperture, self._focus[self._row[view.name]])

    def settle(self, share: float, misfit: Misfit) -> None:
        """Try every plane of focus with every aperture, and take the best."""
        done = int(self._searches)
        if done == len(SEARCHES) or share < SEARCHES[done]:
            return
        planes = torch.linspace(0, NEARER * self._near / self._unit, PLANES)
        width = sum(v.camera.width / v.camera.fx for v in self._views) / len(self._views)
        apertures = torch.tensor([span * width / REFERENCE_WIDTH for span in SPANS]).log()
        asked = range(0, len(self._views), -(-len(self._views) // ASKED))
        sums = torch.tensor(
            [sum(min(self._tried(i, a, planes, misfit)) for i in asked) for a in apertures]
        )
        best = lowest(apertures, sums)
        with torch.no_grad():
            self._log_aperture.copy_(best)
            for i, focus in enumerate(self._focus):
                tried = torch.tensor(self._tried(i, best, planes, misfit))
                focus.copy_(lowest(planes, tried))
            self._searches += 1

    def found(self) -> str:
        """Say the aperture's diameter and the range of focus."""
        if not self._searches:
            return "no lens was looked for yet"
        aperture = float(self._log_aperture.detach().exp()) / self._unit
        planes = sorted(self._unit * float(plane.detach()) for plane in self._focus)
        near, far = (math.inf if p == 0 else 1 / p for p in (planes[-1], planes[0]))
        return f"aperture {aperture:.3g} across, focused from {near:.3g} to {far:.3g}"

    def _tried(
        self, index: int, log_aperture: Tensor, planes: Tensor, misfit: Misfit
    ) -> list[float]:
        with torch.no_grad():
            return [
                misfit(index, partial(self._lens, log_aperture=log_aperture, plane=plane))
                for plane in planes
            ]

    def _lens(self, view: View, log_aperture: Tensor, plane: Tensor) -> ThinLens:
        strength = log_aperture.exp() / self._unit * view.camera.fx
        return ThinLens(strength, self._unit * plane)


def lowest(places: Tensor, values: Tensor) -> Tensor:
    """Return where a parabola through the lowest of some values and its neighbours is lowest."""
    best = int(values.argmin())
    if best in (0, len(values) - 1):
        return places[best]
    a, b, c = values[best - 1 : best + 2].unbind()
    x, y, z = places[best - 1 : best + 2].unbind()
    bend = (c - b) / (z - y) - (b - a) / (y - x)
    if not bend > 0:
        return y
    slope = ((b - a) / (y - x) + (c - b) / (z - y)) / 2
    tip: Tensor = y - slope / bend * (z - x) / 2
    return tip.clamp(x, z)


def range_of_inverse_depth(
    views: Sequence[View], points: PointCloud | None
) -> tuple[float, float] | None:
    """Return how far and how near the points are that photos show, as inverse depths."""
    if points is None:
        return None
    seen = []
    for view in views:
        pixels, depth = project(view.camera, points.positions.float())
        seen.append(1 / depth[inside(view.camera, pixels, depth)])
    inverse = torch.cat(seen)
    if len(inverse) < 2:
        return None
    # Sorted here: torch.quantile refuses large inputs.
    ordered = inverse.sort().values
    far, near = (float(ordered[int(q * (len(ordered) - 1))]) for q in ENDS)
    return (far, near) if near > far else None
