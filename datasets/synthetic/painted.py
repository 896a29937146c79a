"""Scenes painted layer by layer in the image: sharp, in linear light, with exact depth.

They cost milliseconds where a ray tracer needs seconds. The inverse depth of a plane is linear in
the image, so that slanted planes are exact; what is missing are shades and shadows.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from recon.datasets.synthetic.patterns import pattern

FINER = 2
"""Layers have so many pixels for one along each side: borders are smooth, not blurred."""
NEAREST, FARTHEST = 0.5, 10.0
"""Metres."""


@dataclass(frozen=True, eq=False)
class Painted:
    """A sharp picture and how near everything in it is."""

    light: Float[np.ndarray, "h w 3"]
    """Linear light; highlights exceed 1."""
    nearness: Float[np.ndarray, "h w"]
    """1 / depth, in 1/m."""


def paint(random: np.random.Generator, height: int, width: int) -> Painted:
    """Paint a background, perhaps a floor, and some things before it, from far to near."""
    h, w = FINER * height, FINER * width
    far = 1 / np.exp(random.uniform(np.log(1.2 * NEAREST), np.log(FARTHEST)))
    near = random.uniform(far, 1 / NEAREST)
    count = int(random.integers(0, 8))
    levels = np.sort(random.uniform(far, near, count)) if count else np.zeros(0)
    srgb = _surface(random, h, w)
    nearness = _plane(random, h, w, far, 0.5 * (near - far))
    if random.random() < 0.4:
        floor = np.mgrid[0:h, 0:w][0] > random.uniform(0.3, 0.8) * h
        rise = np.linspace(far, near, h, dtype=np.float32)[:, None]
        srgb[floor] = _surface(random, h, w)[floor]
        nearness = np.where(floor, np.maximum(rise, nearness), nearness)
    for level in levels:
        inside = _silhouette(random, h, w)
        srgb[inside] = _surface(random, h, w)[inside]
        nearness[inside] = _plane(random, h, w, level, 0.15 * (near - far))[inside]
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    if random.random() < 0.3:
        light = light * np.where(light.max(-1, keepdims=True) > 0.6, random.uniform(1, 4), 1)
    small = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    # Of the pixels painted for one, the first: a mean across a border is the depth of nothing.
    return Painted(small, np.clip(nearness[::FINER, ::FINER], 1 / FARTHEST, 1 / NEAREST))


def _surface(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Paint a pattern, seen straight on or at a slant."""
    paint = pattern(random, height, width)
    if random.random() < 0.5:
        return paint
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + random.uniform(-0.3, 0.3, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(paint, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _plane(
    random: np.random.Generator, height: int, width: int, level: float, slope: float
) -> Float[np.ndarray, "h w"]:
    """Return the inverse depth of a plane, which is linear in the image; positive everywhere."""
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    gx, gy = random.uniform(-slope, slope, 2) * (random.random() < 0.7)
    plane: np.ndarray = np.clip(level + gx * x + gy * y, 1 / FARTHEST, 1 / NEAREST)
    return plane.astype(np.float32)


def _silhouette(random: np.random.Generator, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Return the pixels of a thing: a polygon, an ellipse, a bar."""
    mask = np.zeros((height, width), np.uint8)
    centre = random.uniform(0, 1, 2) * [width, height]
    size = random.uniform(0.06, 0.4) * max(height, width)
    kind = random.random()
    if kind < 0.35:
        angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(3, 8))))
        rays = np.stack([np.cos(angles), np.sin(angles)], -1)
        corners = centre + size * random.uniform(0.5, 1.2, (len(angles), 1)) * rays
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
    elif kind < 0.65:
        axes = (size * random.uniform(0.4, 1.0, 2)).astype(int).tolist()
        place = centre.astype(int).tolist()
        cv2.ellipse(mask, place, axes, float(random.uniform(0, 180)), 0, 360, 1, -1)
    elif kind < 0.85:
        end = centre + random.uniform(-1, 1, 2) * max(height, width)
        thickness = int(random.uniform(0.02, 0.12) * width)
        cv2.line(mask, centre.astype(int).tolist(), end.astype(int).tolist(), 1, thickness)
    else:
        turn = (tuple(centre.tolist()), (float(size), float(1.6 * size)), random.uniform(0, 180))
        cv2.fillPoly(mask, [cv2.boxPoints(turn).astype(np.int32)], 1)
    return mask.astype(bool)
