"""Single places to stand at in the scenes of the other captures, to be seen sharp or by a lens.

A still life has one, with a camera of its own focal length; a street has as many as one likes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import CAMERA_AXES, Pose, drive, focal_length, near_detail
from recon.datasets.synthetic.still_life import still_life

INFINITY = 1e5
"""Metres; of a plane of focus beyond everything."""
STEPS = 48
"""Metres of a street along which one stands."""


@dataclass(frozen=True, eq=False)
class Place:
    """A scene, and a camera in it."""

    renderer: Renderer
    camera_to_world: Float[np.ndarray, "4 4"]
    pinhole: Pinhole
    seed: int
    """Of the noise of what is seen."""

    def sharp(self) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"]]:
        """Return linear light and exact inverse depth in 1/m, 0 for the sky."""
        light = self.renderer.color(self.camera_to_world, self.pinhole, self.seed)
        depth = self.renderer.depth(self.camera_to_world, self.pinhole)
        return light, (1 / depth).astype(np.float32)

    def through(self, strength: float, finer: int) -> Float[np.ndarray, "h w 3"]:
        """Return linear light through a thin lens focused at infinity.

        Args:
            strength: K in px·m.
            finer: squared, times the samples of what is sharp.
        """
        aperture = Aperture(INFINITY, strength / self.pinhole.focal_length)
        return self.renderer.color(
            self.camera_to_world, self.pinhole, self.seed + 1, aperture, finer=finer
        )


def still_life_place(seed: int, width: int, height: int, samples: int) -> Place:
    """Stand before the still life of a seed, which needs Mitsuba."""
    random = np.random.default_rng([seed, 3])
    pinhole = Pinhole(width * random.uniform(1.0, 1.6), width, height)
    at = np.eye(4)
    at[:3, :3] = CAMERA_AXES
    renderer = Renderer(still_life(seed, pinhole).scene, samples)
    return Place(renderer, at, pinhole, seed * 100_003 % 2**31)


def street_places(seed: int, count: int, width: int, height: int, samples: int) -> Iterator[Place]:
    """Stand at some places of the street of a seed, which needs Mitsuba.

    Places are chosen at random along `STEPS` metres, each camera of the car in turn.
    """
    random = np.random.default_rng([seed, 4])
    renderer = Renderer(street(seed, near_detail(width)), samples)
    pinhole = Pinhole(focal_length(width), width, height)
    poses = drive(STEPS)
    for index in range(count):
        pose: Pose = poses[3 * int(random.integers(STEPS)) + index % 3]
        yield Place(renderer, pose.camera_to_world, pinhole, (seed * 100_003 + 2 * index) % 2**31)
