"""Which cameras see a laser's points, and at which pixel."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from recon.datasets.synthetic.camera import Pinhole

NEAREST = 0.1
"""Metres before a camera; what is nearer has no place in its photo."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo's camera."""

    number: int
    """Waymo's number of the camera."""
    camera_to_world: Float[np.ndarray, "4 4"]
    """OpenCV's axes, when the photo was taken."""
    pinhole: Pinhole

    def pixels(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Return where the photo shows points of the world; NaN where it does not."""
        local = (points - self.camera_to_world[:3, 3]) @ self.camera_to_world[:3, :3]
        size = np.array([self.pinhole.width, self.pinhole.height])
        z = np.where(local[:, 2:] > NEAREST, local[:, 2:], np.nan)
        pixels = self.pinhole.focal_length * local[:, :2] / z + size / 2
        inside = ((pixels >= 0) & (pixels < size)).all(axis=1)
        return np.where(inside[:, None], pixels, np.nan)


def projections(
    points: Float[np.ndarray, "n 3"],
    places: tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]],
    shape: tuple[int, int],
    shots: Iterable[Shot],
) -> Float32[np.ndarray, "h w 6"]:
    """Note for each point the first two cameras whose photo it falls into, in whole pixels.

    What stands before it is not asked for: a laser on the roof sees over things that hide what is
    behind them from the cameras.

    Args:
        points: in the world.
        places: their rows and columns in the range image.
        shape: of the range image.
        shots: in the order in which they are noted.
    """
    noted = np.zeros((len(points), 2, 3), np.float32)
    for shot in shots:
        pixels = shot.pixels(points)
        seen = np.isfinite(pixels[:, 0])
        for slot in (0, 1):
            here = seen & (noted[:, slot, 0] == 0)
            noted[here, slot, 0] = shot.number
            noted[here, slot, 1:] = np.floor(pixels[here])
            seen &= ~here
    image = np.zeros((*shape, 6), np.float32)
    image[places] = noted.reshape(-1, 6)
    return image
