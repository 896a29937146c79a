"""A drive of the project's own laser and cameras past a few flat things, all known in closed form.

What the laser should measure is computed here ray by ray, without Mitsuba and without the readers.
"""

import numpy as np

from recon.datasets.synthetic.laser import PERIOD, PLACE
from recon.datasets.synthetic.meshes import box, rectangle
from recon.datasets.synthetic.mover import Mover
from recon.datasets.synthetic.rig import vehicle_to_world
from recon.datasets.synthetic.scene import Box, Light, Material, Part, Scene
from recon.datasets.synthetic.settings import DriveSettings, PhotoSettings

PHOTOS = PhotoSettings(width=60, height=40, steps=3, samples=1, jpeg_quality=95)
DRIVE = DriveSettings(beams=12, columns=90)
CAR = np.array([[-2.0, -0.9, 0.0], [2.0, 0.9, 1.5]])
"""Corners of the moving car in its own frame."""
PARKED = np.array([[12.0, -4.9, 0.0], [16.0, -3.1, 1.5]])
WALL_Y, GLASS_Y, WALL_X, WALL_TOP = 7.0, -7.0, (-30.0, 60.0), 9.0
BRIGHT, DARK_RED = (0.8, 0.8, 0.8), (0.6, 0.1, 0.1)


def street(seed: int = 0, detail: float = 0.0) -> Scene:
    low, length = WALL_X[0], WALL_X[1] - WALL_X[0]
    ground = rectangle((-200.0, -200.0, 0.0), (400.0, 0, 0), (0, 400.0, 0), color=BRIGHT)
    wall = rectangle((low, WALL_Y, 0.0), (length, 0, 0), (0, 0, WALL_TOP), color=(0.3, 0.5, 0.2))
    glass = rectangle((low, GLASS_Y, 0.0), (length, 0, 0), (0, 0, WALL_TOP), color=(0.1, 0.1, 0.4))
    parked = box(tuple(PARKED[0]), tuple(PARKED[1]), color=(0.1, 0.2, 0.7))
    return Scene(
        (
            Part("ground", ground, Material(), is_ground=True),
            Part("wall", wall, Material()),
            Part("glass", glass, Material(gloss=0.5, glass=True)),
            Part("parked", parked, Material()),
        ),
        Light((0.0, 0.0, 1.0), (2.0,) * 3, np.full((8, 16, 3), 0.4, dtype=np.float32)),
        (Box(PARKED.mean(axis=0), PARKED[1] - PARKED[0], 0.0),),
    )


def mover(random: np.random.Generator | None = None) -> Mover:
    body = box(tuple(CAR[0]), tuple(CAR[1]), color=DARK_RED)
    start = np.array([14.0, 2.2, 0.0])
    return Mover((Part("body", body, Material()),), start, float(np.pi), speed=7.0, gain=2.0)


def mover_place(seconds: float) -> np.ndarray:
    """Where the moving car's own origin is; its nose points towards -x."""
    return np.array([14.0 - 7.0 * seconds - seconds**2, 2.2, 0.0])


def entry(origin: np.ndarray, ray: np.ndarray, corners: np.ndarray) -> float:
    """How far a ray goes until it enters an axis-aligned box; infinity where it does not."""
    with np.errstate(divide="ignore"):
        ends = (corners - origin) / ray
    near, far = ends.min(axis=0).max(), ends.max(axis=0).min()
    return float(near) if 0 < near < far else np.inf


def crossing(origin: np.ndarray, ray: np.ndarray, y: float) -> float:
    """How far a ray goes until it meets the wall at a y; infinity where it does not."""
    distance = (y - origin[1]) / ray[1]
    x, _, z = origin + distance * ray
    meets = distance > 0 and WALL_X[0] < x < WALL_X[1] and 0 < z < WALL_TOP
    return float(distance) if meets else np.inf


def column_time(step: int, column: int) -> float:
    return PERIOD * (step + (column + 0.5) / DRIVE.columns)


def ray_of(step: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Origin and direction in the world: row 0 is the highest beam, column 0 looks back, and the
    laser turns to the left and on, against the car's axes."""
    up = np.radians(20.0 - 44.0 * row / (DRIVE.beams - 1))
    around = np.pi - 2 * np.pi * (column + 0.5) / DRIVE.columns
    vehicle = vehicle_to_world(column_time(step, column))
    local = [np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)]
    return vehicle[:3, :3] @ PLACE + vehicle[:3, 3], vehicle[:3, :3] @ local


def exact(step: int, row: int, column: int) -> tuple[float, str]:
    """What a beam of the laser meets first, and how far away."""
    origin, ray = ray_of(step, row, column)
    turned = CAR * [-1, -1, 1] + mover_place(column_time(step, column))
    found = {
        "ground": -origin[2] / ray[2] if ray[2] < 0 else np.inf,
        "wall": crossing(origin, ray, WALL_Y),
        "glass": crossing(origin, ray, GLASS_Y),
        "parked": entry(origin, ray, PARKED),
        "mover": entry(origin, ray, turned),
    }
    name = min(found, key=lambda key: found[key])
    return found[name], name if np.isfinite(found[name]) else "sky"
