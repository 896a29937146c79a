"""How alike photos are where planes of many depths would join them (Collins 1996; Yang 2003)."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64

from recon.camera import resized
from recon.types import Camera, View

WINDOW = 7
"""px across; what is compared around each pixel."""
FLAT = 4e-4
"""Added to products of deviations: windows whose grey hardly differs resemble nothing."""
Grey = Float32[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class GreyPhoto:
    """A photo made small and grey, with the camera that takes it so."""

    grey: Grey
    """0 to 1."""
    usable: Bool[np.ndarray, "h w"]
    camera: Camera

    @staticmethod
    def of(view: View, width: int) -> "GreyPhoto":
        """Decode a view's photo, at most so many pixels wide."""
        camera = view.camera
        share = min(1.0, width / camera.width)
        size = round(camera.width * share), max(1, round(camera.height * share))
        pixels = cv2.resize(view.photo.pixels().numpy(), size, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        valid = view.photo.valid()
        usable = np.ones(grey.shape, dtype=bool)
        if valid is not None:
            # A small pixel is used where all that it covers is.
            covered = valid.numpy().astype(np.float32)
            usable = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) > 1 - 1e-4
        return GreyPhoto(grey, usable, resized(camera, *size))


def photo_costs(
    photo: GreyPhoto, others: Sequence[GreyPhoto], inverse_depths: Float64[np.ndarray, " d"]
) -> Float32[np.ndarray, "h w d"]:
    """Return how little a photo's pixels resemble the others, by the depth they would have.

    That is 1 less the normalised cross-correlation of windows, 0 where negative, averaged over the
    two photos that fit best: what hides a pixel from the others is no fault of its depth. Depth is
    taken to be constant over a window.

    Args:
        photo: whose pixels' depth is asked for.
        others: at least one, that see much the same.
        inverse_depths: one over the depth along its optical axis.

    Returns:
        0 for the same up to brightness and contrast, to 1.
    """
    mean, deviation = _moments(photo.grey)
    alike = np.zeros((len(inverse_depths), *photo.grey.shape), dtype=np.float32)
    ways = [_Way(photo.camera, other.camera) for other in others]
    greys = [np.where(other.usable, other.grey, np.nan).astype(np.float32) for other in others]
    for plane, inverse_depth in enumerate(inverse_depths):
        best, second = np.zeros_like(mean), np.zeros_like(mean)
        for way, grey in zip(ways, greys, strict=True):
            seen = way.warped(grey, float(inverse_depth))
            unknown = np.isnan(seen)
            seen[unknown] = 0
            there, spread = _moments(seen)
            product = cv2.boxFilter(seen * photo.grey, -1, (WINDOW, WINDOW)) - there * mean
            fit = product / (spread * deviation + FLAT)
            fit[unknown] = 0
            second = np.maximum(second, np.minimum(best, fit))
            best = np.maximum(best, fit)
        alike[plane] = best if len(others) == 1 else (best + second) / 2
    return np.ascontiguousarray(1 - alike.clip(0, 1).transpose(1, 2, 0))


class _Way:
    """From the pixels of one camera to those of another, over planes that face the first."""

    def __init__(self, camera: Camera, other: Camera) -> None:
        pose, there = (c.world_to_camera.detach().double() for c in (camera, other))
        across = there @ torch.linalg.inv(pose)
        x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
        y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
        rays = np.stack([*np.meshgrid(x, y), np.ones((camera.height, camera.width))], axis=-1)
        lens = np.array([[other.fx, 0, other.cx], [0, other.fy, other.cy], [0, 0, 1]])
        turned = (rays @ (lens @ across[:3, :3].numpy()).T).astype(np.float32)
        self._turned = tuple(np.ascontiguousarray(turned[..., i]) for i in range(3))
        self._moved = (lens @ across[:3, 3].numpy()).astype(np.float32)

    def warped(self, grey: Grey, inverse_depth: float) -> Grey:
        """Return the other photo as this camera would see it on a plane; NaN where it does not."""
        x, y, z = (
            turned + np.float32(inverse_depth) * moved
            for turned, moved in zip(self._turned, self._moved, strict=True)
        )
        behind = z <= 1e-6
        z[behind] = np.inf
        x, y = x / z - np.float32(0.5), y / z - np.float32(0.5)
        x[behind] = -2
        return cv2.remap(
            grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.nan
        )


def _moments(grey: Grey) -> tuple[Grey, Grey]:
    """Return mean and standard deviation of the window around each pixel."""
    mean = cv2.boxFilter(grey, -1, (WINDOW, WINDOW))
    square = cv2.boxFilter(grey * grey, -1, (WINDOW, WINDOW))
    return mean, np.sqrt((square - mean * mean).clip(0))
