"""The boxes that come with each turn of the laser: around the parked cars and the moving one."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.laser import Turn
from recon.datasets.synthetic.mover import Mover
from recon.datasets.synthetic.scene import Box
from recon.datasets.waymo_segment import Objects

LEAST = 5
"""A car has a box when the laser measured at least so many points on it."""
MARGIN = 0.05
"""Metres by which points may be off a box for the laser's noise."""
VEHICLE = 1


def objects(
    parked: Sequence[Box],
    mover: Mover,
    time: float,
    vehicle_to_world: Float[np.ndarray, "4 4"],
    turn: Turn,
) -> Objects:
    """Label what the laser saw.

    Args:
        parked: around each parked car.
        mover: the moving car.
        time: at which its box is right: that of the car's pose.
        vehicle_to_world: the car's pose; it is level.
        turn: what the laser measured.
    """
    standing = turn.points[~turn.on_mover]
    seen = [
        (f"parked_{number:02d}", box, np.zeros(3))
        for number, box in enumerate(parked)
        if box.holds(standing, MARGIN).sum() >= LEAST
    ]
    if turn.on_mover.sum() >= LEAST:
        seen.append(("moving", mover.box(time), mover.velocity(time)))
    world_to_vehicle = np.linalg.inv(vehicle_to_world)
    heading = np.arctan2(vehicle_to_world[1, 0], vehicle_to_world[0, 0])
    centers = np.array([box.center for _, box, _ in seen]).reshape(-1, 3)
    headings = np.array([box.heading for _, box, _ in seen]) - heading
    return Objects(
        tuple(track for track, _, _ in seen),
        (VEHICLE,) * len(seen),
        centers @ world_to_vehicle[:3, :3].T + world_to_vehicle[:3, 3],
        np.array([box.size for _, box, _ in seen]).reshape(-1, 3),
        np.remainder(headings + np.pi, 2 * np.pi) - np.pi,
        np.array([speed for _, _, speed in seen]).reshape(-1, 3),
    )
