"""Which depth a photograph is focused on: where known points look sharpest."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from recon.camera import inside, project
from recon.types import PointCloud, View

WIDTH = 640
"""px; wider photos are made smaller, so that noise and demosaicing count for less."""
FINE, COARSE = 1.0, 4.0
"""px; what a Gaussian of the first removes is detail, what one of the second does is texture."""
WINDOW = 15
"""px; sharpness is that of a square around each point."""
TEXTURED = 0.5
"""Points whose surroundings have less texture than this share of all tell nothing."""
BINS = 8
FEWEST = 40
"""Points; fewer cannot tell."""
ENDS = (0.05, 0.95)
"""Quantiles of inverse depth that count as the ends of the range."""


@dataclass(frozen=True)
class Focus:
    """What the points in a photograph tell of its focus, as inverse depths."""

    in_focus: float
    nearest: float
    farthest: float


def depth_in_focus(view: View, points: PointCloud | None) -> Focus | None:
    """Return the inverse depth at which a photo's points look sharpest.

    Sharpness is the share of fine detail in the texture around a point, so that it does not depend
    on how much texture there is. It is averaged over bins of inverse depth with equally many
    points, and the best bin and its neighbours vote.

    Args:
        view: whose photo is looked at.
        points: in the frame of the cameras.

    Returns:
        None where fewer than FEWEST points on texture are in the photo.
    """
    if points is None:
        return None
    pixels, depth = project(view.camera, points.positions.float())
    seen = inside(view.camera, pixels, depth)
    sharpness, texture = sharpness_of(view.photo.pixels().numpy())
    scale = sharpness.shape[1] / view.camera.width
    place = (pixels[seen] * scale).long().numpy()
    row = place[:, 1].clip(0, sharpness.shape[0] - 1)
    column = place[:, 0].clip(0, sharpness.shape[1] - 1)
    energy, inverse = texture[row, column], 1 / depth[seen].numpy()
    if len(energy) < FEWEST:
        return None
    farthest, nearest = np.quantile(inverse, ENDS)
    told = energy >= np.quantile(energy, TEXTURED)
    order = np.argsort(inverse[told], kind="stable")
    inverse, sharp = inverse[told][order], sharpness[row, column][told][order]
    bins = np.array_split(np.arange(len(inverse)), min(BINS, len(inverse) // 5))
    level = np.array([np.median(sharp[b]) for b in bins])
    middle = np.array([np.median(inverse[b]) for b in bins])
    best = int(level.argmax())
    voters = slice(max(0, best - 1), best + 2)
    # What stands out above the rest of the photo.
    weight = np.maximum(level[voters] - np.median(level), 1e-6 * level[best] + 1e-12)
    found = float((weight * middle[voters]).sum() / weight.sum())
    return Focus(found, float(nearest), float(farthest))


def sharpness_of(
    photo: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float32[np.ndarray, "v u"], Float32[np.ndarray, "v u"]]:
    """Return at each pixel the share of fine detail in the texture around it, and the texture.

    Args:
        photo: sRGB; made smaller first if it is wider than WIDTH.
    """
    if photo.shape[1] > WIDTH:
        size = (WIDTH, max(1, round(photo.shape[0] * WIDTH / photo.shape[1])))
        photo = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine, coarse = (
        cv2.boxFilter((grey - cv2.GaussianBlur(grey, (0, 0), sigma)) ** 2, -1, (WINDOW, WINDOW))
        for sigma in (FINE, COARSE)
    )
    return fine / (coarse + 1.0), coarse
