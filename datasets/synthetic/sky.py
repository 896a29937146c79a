"""The sky: a gradient, soft clouds, haze at the horizon; and the sun."""

import cv2
import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.noise import fractal_noise
from recon.datasets.synthetic.scene import Light

SUN_AZIMUTH = np.radians(148.0)
"""From +x towards +y: behind the drive and to its left."""
SUN_ELEVATION = np.radians(56.0)


def daylight(random: np.random.Generator, width: int = 2048) -> Light:
    """Make a fine day with some clouds, exposed so that sunny white walls stay just below 1."""
    cos = np.cos(SUN_ELEVATION)
    to_sun = (
        float(cos * np.cos(SUN_AZIMUTH)),
        float(cos * np.sin(SUN_AZIMUTH)),
        float(np.sin(SUN_ELEVATION)),
    )
    return Light(
        to_sun=to_sun, sun=(5.2, 4.75, 4.1), sky=_sky(random, width), bounce=(0.46, 0.43, 0.38)
    )


def _sky(random: np.random.Generator, width: int) -> Float[np.ndarray, "h w 3"]:
    """Paint radiance over the whole sphere; below the horizon lies a dull ground."""
    height = width // 2
    elevation = np.pi / 2 - (np.arange(height) + 0.5) / height * np.pi
    azimuth = np.pi - (np.arange(width) + 0.5) / width * 2 * np.pi
    up = np.sin(elevation)[:, None]
    t = np.clip(up, 0, 1)[..., None] ** 0.45
    horizon, zenith = np.array([0.56, 0.66, 0.74]), np.array([0.36, 0.55, 0.88])
    sky = (1 - t) * horizon + t * zenith
    # Clouds lie on a plane above the street, so they grow smaller towards the horizon.
    ray = 1 / (np.clip(up, 0, 1) + 0.12)
    u = ray * np.cos(elevation)[:, None] * np.cos(azimuth)
    v = ray * np.cos(elevation)[:, None] * np.sin(azimuth)
    side = 2048
    field = fractal_noise(random, (side, side), (10, 10), 7, 0.55).astype(np.float32)
    x = ((u * 210 + side / 2) % side).astype(np.float32)
    y = ((v * 210 + side / 2) % side).astype(np.float32)
    cloud = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    cover = np.clip((cloud - 0.47) / 0.14, 0, 1)
    cover = (cover * cover * (3 - 2 * cover) * np.clip(up * 14, 0, 1))[..., None]
    bright = 0.66 + 0.16 * np.clip((0.66 - cloud) / 0.2, 0, 1)[..., None]
    sky = (1 - 0.85 * cover) * sky + 0.85 * cover * bright * np.array([1.0, 0.99, 0.97])
    ground = np.array([0.22, 0.21, 0.19])
    return np.where((up < 0)[..., None], ground, 1.4 * sky).astype(np.float32)
