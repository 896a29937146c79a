"""The one car that moves: it comes towards the cameras on the other lane, gathering speed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic import cars
from recon.datasets.synthetic.layout import gathered
from recon.datasets.synthetic.rig import turn
from recon.datasets.synthetic.scene import Box, Material, Part

RED = cars.PAINTS[0]


@dataclass(frozen=True, eq=False)
class Mover:
    """A car on a straight line, with constant acceleration."""

    parts: tuple[Part, ...]
    """In its own frame: its nose towards +x, its wheels on z = 0."""
    start: Float[np.ndarray, "3"]
    """Where it is in the world when the drive begins, metres."""
    heading: float
    """Radians from the world's x axis towards y."""
    speed: float
    """At the beginning, m/s."""
    gain: float
    """Of the speed, m/s²."""

    def pose(self, time: float) -> Float[np.ndarray, "4 4"]:
        """Return the way from its frame to the world after some seconds."""
        pose = np.eye(4)
        pose[:3, :3] = turn(self.heading)
        pose[:3, 3] = self.start
        pose[:3, 3] += (time * self.speed + time**2 / 2 * self.gain) * pose[:3, 0]
        return pose

    def velocity(self, time: float) -> Float[np.ndarray, "3"]:
        """Return its velocity in the world, m/s."""
        return np.asarray((self.speed + time * self.gain) * turn(self.heading)[:, 0])

    def box(self, time: float) -> Box:
        """Return the box around it."""
        pieces = [(part.name, part.mesh) for part in self.parts]
        return Box.around(pieces, self.pose(time)[:3, 3], self.heading)

    def placed(self, time: float) -> tuple[Part, ...]:
        """Return its parts in the world."""
        at = self.pose(time)[:3, 3]
        return tuple(
            Part(part.name, part.mesh.placed(at, self.heading), part.material)
            for part in self.parts
        )


def oncoming(random: np.random.Generator) -> Mover:
    """Make a red saloon that passes the cameras after some 2.4 seconds."""
    pieces = [(f"moving {name}", m) for name, m in cars.build(random, cars.SALOON, RED)]
    materials = {"coat": cars.COAT, "glass": cars.PANE, "paint": Material()}
    named = {f"moving {name}": material for name, material in materials.items()}
    return Mover(
        gathered(pieces, named), np.array([42.0, 1.75, 0.0]), float(np.pi), speed=7.0, gain=0.5
    )
