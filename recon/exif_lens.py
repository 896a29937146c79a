"""Lenses that the photographs themselves tell of, in their EXIF tags.

Aperture and focal length give K = f/N times the focal length in pixels, which the calibrated camera
knows: neither the sensor's width nor a 35 mm equivalent is needed. The distance of focus begins at
its tag; where there is none it is looked for in the scene, as by those that know nothing of a lens.
Tags of distance are coarse in real cameras, so all planes of focus are learned on.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import final

import torch
from torch import Tensor

from recon.errors import DataError
from recon.optics import aperture_diameter
from recon.photo_lens import (
    FOCUS_RATE,
    NEARER,
    PLANES,
    SEARCHES,
    Misfit,
    PhotoLens,
    lowest,
    range_of_inverse_depth,
)
from recon.types import Capture, ThinLens, View


@final
class ExifLens(PhotoLens):
    """Each photo's own aperture, which stays, and its distance of focus, which is learned on."""

    def __init__(self, capture: Capture, scale: float, device: torch.device) -> None:
        """Read what the training photos say.

        Args:
            capture: the training views, in metres, and points that tell how near and far it is.
            scale: of the scene, in metres, where there are no points.
            device: where the rasterizer works.

        Raises:
            DataError: the capture is not known to be in metres, or a photo lacks a tag.
        """
        if not capture.metric:
            raise DataError(
                f"{capture.path}: --parts.lens exif needs the capture in metres, as an aperture is "
                "a length. Give --metric if it is, or learn the lens (--parts.lens learned)."
            )
        self._views = capture.train
        ends = range_of_inverse_depth(self._views, capture.points) or (0.5 / scale, 2 / scale)
        self._near, self._unit = ends[1], ends[1] - ends[0]
        self._row = {view.name: i for i, view in enumerate(self._views)}
        self._apertures = [_aperture(view) for view in self._views]
        tags = [view.exif.focus_distance for view in self._views]
        self._told = [tag is not None for tag in tags]
        self._searches = torch.zeros(())
        starts = [0.0 if tag is None else 1 / (tag * self._unit) for tag in tags]
        self._focus = [torch.tensor(x, device=device, requires_grad=True) for x in starts]

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the searches done, and the inverse distances of focus in units of their range."""
        return {"searches": self._searches} | {
            f"focus_{i}": plane for i, plane in enumerate(self._focus)
        }

    def rates(self) -> Mapping[str, float]:
        """Return one rate for the planes of focus."""
        return {"searches": 0.0} | {f"focus_{i}": FOCUS_RATE for i in range(len(self._focus))}

    def relax(self) -> None:
        """Keep the planes of focus before the camera, at most infinitely far."""
        with torch.no_grad():
            for plane in self._focus:
                plane.clamp_(min=0)

    def of(self, view: View) -> ThinLens | None:
        """Return the photo's lens; None before the search where no tag tells its focus."""
        row = self._row[view.name]
        if not (self._told[row] or self._searches):
            return None
        return self._lens(view, row, self._focus[row])

    def settle(self, share: float, misfit: Misfit) -> None:
        """Try every plane of focus on the photos that do not tell theirs, and take the best."""
        done = int(self._searches)
        if all(self._told) or done == len(SEARCHES) or share < SEARCHES[done]:
            return
        planes = torch.linspace(0, NEARER * self._near / self._unit, PLANES)
        with torch.no_grad():
            for row, focus in enumerate(self._focus):
                if not self._told[row]:
                    tried = [misfit(row, partial(self._lens, row=row, plane=p)) for p in planes]
                    focus.copy_(lowest(planes, torch.tensor(tried)))
            self._searches += 1

    def found(self) -> str:
        """Say the apertures' diameters and the range of focus."""
        wide = sorted(1000 * aperture for aperture in self._apertures)
        planes = sorted(self._unit * float(plane.detach()) for plane in self._focus)
        near, far = (math.inf if p == 0 else 1 / p for p in (planes[-1], planes[0]))
        return (
            f"apertures {wide[0]:.3g} to {wide[-1]:.3g} mm across, by EXIF, which tells the focus "
            f"of {sum(self._told)} of {len(self._told)} photos; focused from {near:.3g} to "
            f"{far:.3g} m"
        )

    def _lens(self, view: View, row: int, plane: Tensor) -> ThinLens:
        strength = plane.new_tensor(self._apertures[row] * view.camera.fx)
        return ThinLens(strength, self._unit * plane)


def _aperture(view: View) -> float:
    """Return a photo's aperture in metres."""
    exif = view.exif
    if exif.f_number is not None and exif.focal_length_mm is not None:
        return aperture_diameter(exif.f_number, exif.focal_length_mm)
    missing = "f-number (FNumber)" if exif.f_number is None else "focal length (FocalLength)"
    raise DataError(
        f"{view.name}: its EXIF has no {missing}, which --parts.lens exif needs of every training "
        "photo. Use photos as the camera wrote them, add the tag, or learn the lens "
        "(--parts.lens learned)."
    )
