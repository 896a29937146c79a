"""Points for a fit to begin with at every pixel where neighbouring photos agree about its depth."""

from dataclasses import replace

import torch

from recon.camera import pixel_centres, unproject
from recon.counter import Counter, silent
from recon.errors import DataError
from recon.initialise import joined
from recon.matching.dense_depth import DensePhoto, dense_depths
from recon.types import Capture, PointCloud, View
from recon.words import counted

SHARE = 0.5
"""Of the Gaussians that a fit may have; the others grow where photos ask for them."""


def with_dense_points(capture: Capture, cap: int, seed: int, counter: Counter = silent) -> Capture:
    """Return a capture with points from the depth of its training photos, beside its own.

    Where too little is known for that, the capture stays as it is, with a warning that says why.

    Args:
        capture: its own points tell between which depths to look.
        cap: how many Gaussians the fit may have.
        seed: of the choice of pixels.
        counter: shows how far it is.
    """
    if capture.points is None:
        return _without(capture, "there are no points to say how far the scene is away")
    try:
        photos = dense_depths(capture.train, capture.points.positions, counter=counter)
    except DataError as why:
        return _without(capture, str(why))
    generator = torch.Generator().manual_seed(seed)
    each = -(-int(SHARE * cap) // len(photos))
    clouds = [
        _points(view, photo, each, generator)
        for view, photo in zip(capture.train, photos, strict=True)
    ]
    found = joined(*clouds)
    note = (
        f"{counted(len(found), 'point')} more to begin with, where neighbouring ones of "
        f"{counted(len(photos), 'training photo')} agree about depth"
    )
    return replace(capture, points=joined(capture.points, found), notes=(*capture.notes, note))


def _points(view: View, photo: DensePhoto, most: int, generator: torch.Generator) -> PointCloud:
    """Return some of the confirmed pixels as points, in the colours of the whole photo."""
    valid = photo.depth.valid.flatten().nonzero()[:, 0]
    chosen = valid[torch.randperm(len(valid), generator=generator)[:most]]
    pixels = pixel_centres(photo.camera)[chosen]
    positions = unproject(photo.camera, pixels, photo.depth.z.flatten()[chosen])
    scale = view.camera.width / photo.camera.width, view.camera.height / photo.camera.height
    column, row = (pixels * torch.tensor(scale)).long().unbind(-1)
    return PointCloud(positions.float(), view.photo.pixels()[row, column])


def _without(capture: Capture, why: str) -> Capture:
    warning = f"no dense points, so the fit begins from those of the capture alone: {why}"
    return replace(capture, warnings=(*capture.warnings, warning))
