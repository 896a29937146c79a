"""The laser on the car's roof: a range image of each turn, every column at its own time.

While it turns, the car drives on and the moving car does too. So each ray starts from where the
laser is at its column's time, and meets the moving car where that is at the same time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32
from scipy.spatial.transform import Rotation

from recon.datasets.range_image import LaserCalibration
from recon.datasets.synthetic.mover import Mover
from recon.datasets.synthetic.rays import Hits, Rays
from recon.datasets.synthetic.rig import vehicle_to_world

PERIOD = 0.1
"""Seconds of one turn."""
FARTHEST = 75.0
"""Metres; what is farther away sends nothing back."""
NOISE = 0.015
"""Standard deviation of a range, metres."""
UNIT = 1 / 128
"""Ranges are rounded to multiples of this, in metres."""
ECHO_UNIT = 1 / 16
"""Intensities are rounded to multiples of this."""
LOWEST, HIGHEST = np.radians(-24.0), np.radians(20.0)
"""Inclination of the outermost beams."""
PLACE = (1.0, 0.0, 2.0)
"""In the car's frame; the laser looks ahead and stands level."""


@dataclass(frozen=True, eq=False)
class Turn:
    """What the laser measured in one turn."""

    ranges: Float32[np.ndarray, "h w 4"]
    """As in `recon.datasets.waymo_segment.LaserScan`."""
    pixel_poses: Float32[np.ndarray, "h w 6"]
    points: Float[np.ndarray, "n 3"]
    """In the world, in the order of the pixels that hold a range."""
    on_mover: Bool[np.ndarray, " n"]
    """Which of them the moving car sent back."""


def calibration(rows: int) -> LaserCalibration:
    """Return where the laser stands, and its beams: evenly spread."""
    pose = np.eye(4)
    pose[:3, 3] = PLACE
    beams = np.linspace(LOWEST, HIGHEST, rows)
    return LaserCalibration("TOP", pose, (float(LOWEST), float(HIGHEST)), beams)


@dataclass(frozen=True, eq=False)
class Laser:
    """A laser in a scene."""

    scene: Rays
    """All that stands."""
    mover: Mover
    mover_rays: Rays
    """Of the moving car alone, in its own frame."""
    rows: int
    columns: int

    def turn(self, began: float, random: np.random.Generator) -> Turn:
        """Measure one turn that begins after some seconds of the drive."""
        shape = (self.rows, self.columns)
        times = began + PERIOD * (np.arange(self.columns) + 0.5) / self.columns
        vehicles = np.stack([vehicle_to_world(time) for time in times])
        origins, rays = self.rays(vehicles)
        stands = self.scene.hits(origins.reshape(-1, 3), rays.reshape(-1, 3))
        moves = self.meet_mover(times, origins, rays)
        exact = np.minimum(stands.distance, moves.distance)
        on_mover = moves.distance < stands.distance
        echo = np.where(on_mover, moves.echo, stands.echo)
        lost = lost_in(stands, self.scene)
        lost[on_mover] = lost_in(moves, self.mover_rays)[on_mover]
        noisy = UNIT * np.round((exact + random.normal(0, NOISE, exact.shape)) / UNIT)
        lost |= ~(noisy <= FARTHEST)
        ranges = np.zeros((*shape, 4), np.float32)
        ranges[..., 0] = np.where(lost, -1, noisy).reshape(shape)
        ranges[..., 1] = np.where(lost, 0, ECHO_UNIT * np.round(echo / ECHO_UNIT)).reshape(shape)
        turns = Rotation.from_matrix(vehicles[:, :3, :3]).as_euler("xyz")
        poses = np.concatenate([turns, vehicles[:, :3, 3]], axis=1)
        kept = ~lost
        return Turn(
            ranges,
            np.broadcast_to(poses, (*shape, 6)).astype(np.float32),
            origins.reshape(-1, 3)[kept] + noisy[kept, None] * rays.reshape(-1, 3)[kept],
            on_mover[kept],
        )

    def rays(
        self, vehicles: Float[np.ndarray, "w 4 4"]
    ) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
        """Return where the rays begin and where they point to, given the car's pose by column."""
        laser = calibration(self.rows)
        up, around = laser.beams(self.rows)[:, None], laser.azimuths(self.columns)[None]
        local = np.stack(
            [np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up) + 0 * around],
            axis=-1,
        )
        poses = vehicles @ laser.laser_to_vehicle
        rays = np.einsum("wij,hwj->hwi", poses[:, :3, :3], local)
        return np.broadcast_to(poses[:, :3, 3], rays.shape), rays

    def meet_mover(
        self,
        times: Float[np.ndarray, " w"],
        origins: Float[np.ndarray, "h w 3"],
        rays: Float[np.ndarray, "h w 3"],
    ) -> Hits:
        """Return where rays meet the moving car, each column in the car's frame at its time."""
        poses = np.stack([self.mover.pose(time) for time in times])
        begin = np.einsum("wji,hwj->hwi", poses[:, :3, :3], origins - poses[:, :3, 3])
        ahead = np.einsum("wji,hwj->hwi", poses[:, :3, :3], rays)
        return self.mover_rays.hits(begin.reshape(-1, 3), ahead.reshape(-1, 3))


def lost_in(hits: Hits, rays: Rays) -> Bool[np.ndarray, " n"]:
    """Return which rays bring nothing back: those that meet nothing, or glass."""
    glass = np.array([*(part.material.glass for part in rays.parts), True])
    return np.asarray(glass[hits.part])
