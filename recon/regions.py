"""The parts of a photo that are scored apart: without sky, by distance, and what moves."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from recon.drive_types import Boxes
from recon.moving import covered, outlines
from recon.truth import Truth
from recon.types import DepthMap, View

NON_SKY, MOVING = "non_sky", "moving"
DISTANCES = {"near": (0.0, 20.0), "mid": (20.0, 40.0), "far": (40.0, 80.0)}
"""Metres of true depth: from the first, up to but without the second."""
REGIONS = (NON_SKY, *DISTANCES, MOVING)
FILLED = 80
"""Sparse truth tells the distance of pixels so many times less than the photo's width away."""


def regions_of(
    view: View, truth: Truth | None, boxes: Boxes | None
) -> dict[str, Bool[Tensor, "h w"]]:
    """Return the parts of a view that can be told, by name.

    Args:
        view: with the photo, whose sky mask may say where sky is.
        truth: of its depth in metres, where there is one.
        boxes: of the objects that move at its time step, where they are not left out.
    """
    found: dict[str, Bool[Tensor, "h w"]] = {}
    sky = view.photo.sky()
    if sky is not None:
        found[NON_SKY] = ~sky
    if truth is not None:
        dense = completed(truth.depth, view.camera.width / FILLED) if truth.sparse else truth.depth
        for name, (near, far) in DISTANCES.items():
            found[name] = dense.valid & (near <= dense.z) & (dense.z < far)
    if boxes is not None:
        camera = view.camera
        shown = covered(outlines(camera, boxes), camera.width, camera.height)
        found[MOVING] = torch.from_numpy(shown)
    return found


def completed(depth: DepthMap, reach: float) -> DepthMap:
    """Give each pixel the nearest depth in the image, from at most `reach` pixels away."""
    z, valid = depth.z.numpy(), depth.valid.numpy()
    if not valid.any():
        return depth
    away, label = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_label = np.zeros(int(label.max()) + 1, z.dtype)
    by_label[label[valid]] = z[valid]
    near = away <= reach
    spread = torch.from_numpy(np.where(near, by_label[label], 0))
    return DepthMap(spread, torch.from_numpy(near))
