"""Street furniture: lamps, traffic signs, wires, bollards, bins, benches, planters."""

import numpy as np

from recon.datasets.synthetic.meshes import Color, Mesh, box, disc, merge, quads, tube
from recon.datasets.synthetic.scene import Pieces

IRON: Color = (0.13, 0.17, 0.16)
STEEL: Color = (0.55, 0.57, 0.58)


def _pole(height: float, radius: float, color: Color, sides: int = 10) -> Mesh:
    path = np.array([[0, 0, 0], [0, 0, height / 2], [0, 0, height]], dtype=np.float64)
    return tube(path, np.full(3, radius), sides, color)


def lamp(height: float = 7.5) -> Pieces:
    """Raise a street lamp whose arm reaches towards +y."""
    t = np.linspace(0, np.pi / 2, 7)
    arm = np.column_stack([0 * t, 1.6 * (1 - np.cos(t)), height - 0.9 + 0.9 * np.sin(t)])
    foot = tube(
        np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, 1.0]]), np.array([0.11, 0.1, 0.08]), 12, IRON
    )
    head = box((-0.13, 1.3, height - 0.06), (0.13, 2.05, height + 0.06), IRON)
    glass = box((-0.10, 1.4, height - 0.10), (0.10, 2.0, height - 0.06), (0.93, 0.92, 0.84))
    stem = _pole(height - 0.9, 0.06, IRON)
    return [("paint", merge([stem, foot, tube(arm, np.full(7, 0.045), 8, IRON), head, glass]))]


def no_parking() -> Pieces:
    """Put up a round blue sign with a red ring and bar that looks towards -x."""
    face = (-1.0, 0.0, 0.0)
    low, high = (-0.19, 2.55), (0.15, 2.89)
    bar = [(-0.07, y, z) for y, z in (low, (-0.15, 2.51), (0.19, 2.85), high)]
    parts = [
        _pole(3.0, 0.03, STEEL),
        disc((-0.05, 0, 2.7), face, 0.30, (0.75, 0.07, 0.08)),
        disc((-0.06, 0, 2.7), face, 0.235, (0.10, 0.25, 0.60)),
        quads(np.array([bar]), None, (0.75, 0.07, 0.08)),
    ]
    return [("paint", merge(parts))]


def crossing_sign() -> Pieces:
    """Put up a square blue sign with a white triangle that looks towards -x."""
    plate = box((-0.06, -0.32, 2.35), (-0.04, 0.32, 2.99), (0.11, 0.27, 0.62))
    white = np.array(
        [[[-0.065, 0.24, 2.42], [-0.065, -0.24, 2.42], [-0.065, -0.01, 2.90], [-0.065, 0.01, 2.90]]]
    )
    walker = np.array(
        [[[-0.07, 0.08, 2.46], [-0.07, -0.10, 2.46], [-0.07, -0.02, 2.74], [-0.07, 0.03, 2.74]]]
    )
    parts = [_pole(3.05, 0.03, STEEL), plate]
    parts += [quads(white, color=(0.93, 0.93, 0.93)), quads(walker, color=(0.06, 0.06, 0.07))]
    parts.append(disc((-0.07, 0.005, 2.78), (-1, 0, 0), 0.035, (0.06, 0.06, 0.07), 12))
    return [("paint", merge(parts))]


def wire(start: tuple[float, float, float], end: tuple[float, float, float], sag: float) -> Pieces:
    """Hang a cable of 3 cm between two points."""
    t = np.linspace(0, 1, 13)[:, None]
    path = (1 - t) * np.array(start) + t * np.array(end)
    path[:, 2] -= sag * 4 * t[:, 0] * (1 - t[:, 0])
    return [("paint", tube(path, np.full(13, 0.015), 5, (0.06, 0.06, 0.06)))]


def bollard() -> Pieces:
    """Set an iron bollard with a white band."""
    z = np.array([0, 0.72, 0.73, 0.85, 0.86, 0.95, 1.0])
    r = np.array([0.06, 0.055, 0.058, 0.058, 0.055, 0.055, 0.02])
    path = np.column_stack([0 * z, 0 * z, z])
    body = tube(path, r, 12, IRON)
    band = tube(path[2:4], np.full(2, 0.061), 12, (0.9, 0.9, 0.88))
    return [("paint", merge([body, band]))]


def bin_() -> Pieces:
    """Set a litter bin on a post."""
    path = np.array([[0, 0, 0.35], [0, 0, 0.6], [0, 0, 0.95]])
    drum = tube(path, np.array([0.19, 0.21, 0.22]), 16, (0.12, 0.30, 0.20))
    lid = disc((0, 0, 0.95), (0, 0, 1), 0.22, (0.05, 0.05, 0.05))
    return [("paint", merge([drum, lid, _pole(0.36, 0.04, IRON)]))]


def bench() -> Pieces:
    """Set a wooden bench, 1.8 m along x, that looks towards +y."""
    wood: Color = (0.48, 0.33, 0.20)
    seat = [box((-0.9, y, 0.44), (0.9, y + 0.1, 0.48), wood) for y in (0.0, 0.13, 0.26)]
    back = [box((-0.9, -0.12, z), (0.9, -0.08, z + 0.1), wood) for z in (0.6, 0.76)]
    legs = [box((x, -0.12, 0), (x + 0.06, 0.36, 0.44), IRON) for x in (-0.75, 0.69)]
    arms = [box((x, -0.12, 0.44), (x + 0.06, -0.06, 0.86), IRON) for x in (-0.75, 0.69)]
    return [("paint", merge([*seat, *back, *legs, *arms]))]


def planter(random: np.random.Generator) -> Pieces:
    """Set a stone tub with flowers."""
    tub = box((-0.7, -0.28, 0), (0.7, 0.28, 0.5), (0.66, 0.62, 0.55))
    count = 500
    low, high = np.array([-0.68, -0.27, 0.48]), np.array([0.68, 0.27, 0.85])
    position = random.uniform(low, high, (count, 3))
    a, b = random.normal(0, 0.035, (2, count, 3))
    corners = np.stack([position - a, position + b, position + a, position - b], axis=1)
    petals = np.array([(0.80, 0.16, 0.24), (0.90, 0.75, 0.20), (0.75, 0.35, 0.62)])
    colors = np.array((0.22, 0.40, 0.16)) * random.uniform(0.7, 1.3, (count, 1))
    flowers = (random.random(count) < 0.35) & (position[:, 2] > 0.62)
    colors[flowers] = petals[random.integers(0, 3, flowers.sum())]
    return [("paint", merge([tub, quads(corners, None, np.clip(colors, 0, 1))]))]
