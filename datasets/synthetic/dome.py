"""The sky as a dome of distant lights."""

import cv2
import numpy as np
from jaxtyping import Float


def dome(count: int) -> Float[np.ndarray, "n 3"]:
    """Spread directions evenly over the upper half of the sphere, on a Fibonacci spiral."""
    index = np.arange(count) + 0.5
    z = index / count
    azimuth = index * np.pi * (3 - np.sqrt(5))
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(azimuth), r * np.sin(azimuth), z], axis=1)


def look_up(
    sky: Float[np.ndarray, "h w 3"], toward: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """Read a sky in some directions, smoothed over some 15 degrees."""
    rows, columns = 12, 24
    coarse = cv2.resize(sky.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    row = (np.arccos(np.clip(toward[:, 2], -1, 1)) / np.pi * rows).astype(int)
    azimuth = np.arctan2(toward[:, 1], toward[:, 0])
    column = ((0.5 - azimuth / (2 * np.pi)) * columns).astype(int)
    radiance: np.ndarray = coarse[np.minimum(row, rows - 1), np.minimum(column, columns - 1)]
    return radiance
