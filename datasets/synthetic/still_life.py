"""Things of no particular meaning before a wall, of wide variety, for a camera on one spot.

The camera stands at the origin, at the height of the eye, and looks along x.
"""

from dataclasses import dataclass

import numpy as np

from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.meshes import Mesh, box, rectangle, tube
from recon.datasets.synthetic.patterns import pattern
from recon.datasets.synthetic.scene import Light, Material, Part, Scene
from recon.datasets.synthetic.textures import to_bytes

NEAREST, FARTHEST = 0.5, 10.0
"""Metres."""
TEXELS = 512
"""Of a texture along each side."""


@dataclass(frozen=True, eq=False)
class StillLife:
    """A scene and the range of depth that its things were put in."""

    scene: Scene
    near: float
    far: float


def still_life(seed: int, pinhole: Pinhole) -> StillLife:
    """Arrange a wall, perhaps a floor, and some boxes, boards and rods, by a seed."""
    random = np.random.default_rng([seed, 2])
    far = float(np.exp(random.uniform(np.log(2 * NEAREST), np.log(0.9 * FARTHEST))))
    near = float(np.exp(random.uniform(np.log(NEAREST), np.log(0.6 * far))))
    parts = [_wall(random, pinhole, far, near)]
    if random.random() < 0.6:
        parts.append(_floor(random, pinhole, near, far))
    for index in range(int(random.integers(2, 9))):
        # Evenly in inverse depth, which is what blur is even in.
        depth = 1 / random.uniform(1 / far, 1 / near)
        parts.append(_thing(random, pinhole, depth, index))
    sun = random.uniform(1.0, 2.6)
    sky = np.full((8, 16, 3), random.uniform(0.15, 0.4), np.float32)
    toward = np.array([-1.0, random.uniform(-0.8, 0.8), random.uniform(0.3, 1.2)])
    to_sun = toward / np.linalg.norm(toward)
    light = Light((float(to_sun[0]), float(to_sun[1]), float(to_sun[2])), (sun,) * 3, sky)
    return StillLife(Scene(tuple(parts), light), near, far)


def _surface(random: np.random.Generator, pinhole: Pinhole, depth: float) -> Material:
    """Cover with a pattern whose texels are about as large as pixels at a depth."""
    size = TEXELS * depth / pinhole.focal_length * random.uniform(0.35, 1.2)
    paint = pattern(random, TEXELS, TEXELS)
    # Mirrored in both directions, so that it repeats without a seam.
    whole = np.concatenate([paint, paint[:, ::-1]], 1)
    return Material(to_bytes(np.concatenate([whole, whole[::-1]])), (2 * size, 2 * size))


def _wall(random: np.random.Generator, pinhole: Pinhole, far: float, near: float) -> Part:
    """Put up a wall behind all, slanted if there is room, wider than the picture."""
    wide = 3.0 * far * pinhole.width / pinhole.focal_length
    slant = random.uniform(-0.5, 0.5) * (1 - near / far)
    origin = (far * (1 - slant), wide / 2, -wide / 2)
    mesh = rectangle(origin, (2 * far * slant, -wide, 0.0), (0, 0, wide), (0, 0, wide, wide))
    return Part("wall", mesh, _surface(random, pinhole, far))


def _floor(random: np.random.Generator, pinhole: Pinhole, near: float, far: float) -> Part:
    """Lay a floor, or a table, that comes into the picture at about the nearest depth."""
    below = near * random.uniform(0.7, 1.0) * pinhole.height / (2 * pinhole.focal_length)
    wide = 4.0 * far * pinhole.width / pinhole.focal_length
    mesh = rectangle((0.0, wide / 2, -below), (0, -wide, 0), (2 * far, 0, 0), (0, 0, wide, 2 * far))
    return Part("floor", mesh, _surface(random, pinhole, 0.5 * (near + far)), is_ground=True)


def _thing(random: np.random.Generator, pinhole: Pinhole, depth: float, index: int) -> Part:
    """Put a box, a board or a rod somewhere in the picture at a depth."""
    unit = depth / pinhole.focal_length
    half = np.array([pinhole.width, pinhole.height]) / 2 * unit
    y, z = random.uniform(-0.9, 0.9, 2) * half
    size = random.uniform(0.12, 0.5) * 2 * half[1]
    kind = random.random()
    mesh: Mesh
    if kind < 0.4:
        mesh = box((-size / 2,) * 3, (size / 2,) * 3)
        mesh = mesh.placed((depth + 0.7 * size, y, z), random.uniform(0, np.pi))
    elif kind < 0.75:
        lean = random.uniform(-0.6, 0.6, 2) * size
        wide, tall = size * random.uniform(0.6, 1.8, 2)
        origin = (depth - lean.sum() / 2, y + wide / 2, z - tall / 2)
        edges = (float(lean[0]), -wide, 0.0), (float(lean[1]), 0.0, tall)
        mesh = rectangle(origin, *edges, (0, 0, wide, tall))
    else:
        ends = random.uniform(-1.2, 1.2, (2, 2)) * half
        away = random.uniform(-0.2, 0.2, 2) * depth
        corners = np.stack([depth + away, ends[:, 0], ends[:, 1]], 1)
        path = corners[0] + np.linspace(0, 1, 12)[:, None] * (corners[1] - corners[0])
        mesh = tube(path, np.full(12, random.uniform(0.02, 0.1) * size + 2 * unit))
    return Part(f"thing {index}", mesh, _surface(random, pinhole, depth))
