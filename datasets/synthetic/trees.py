"""Trees: a bent trunk, limbs, and a crown of some thousand leaves gathered in clumps."""

import numpy as np

from recon.datasets.synthetic.meshes import Color, Mesh, merge, quads, tube
from recon.datasets.synthetic.scene import Pieces

GREENS: tuple[Color, ...] = ((0.24, 0.38, 0.13), (0.34, 0.45, 0.16), (0.20, 0.34, 0.16))


def build(
    random: np.random.Generator, height: float, leaves: int = 6000, leaf: float = 0.17
) -> Pieces:
    """Grow a tree of a height in metres, with leaves of a length in metres."""
    crown = np.array([0.0, 0.0, 0.66 * height])
    radii = np.array([0.27, 0.27, 0.33]) * height
    bend = random.normal(0, 0.03 * height, (4, 2))
    bend[0] = 0
    spine = np.column_stack([bend, np.array([0, 0.22, 0.42, 0.7]) * height])
    wood = [tube(spine, np.array([0.028, 0.021, 0.017, 0.006]) * height, 10)]
    clumps = []
    for _ in range(46):
        direction = random.normal(size=3)
        direction /= np.linalg.norm(direction)
        center = crown + radii * direction * random.uniform(0.45, 1.0)
        clumps.append(center)
    for center in clumps[:14]:
        start = spine[2] + (spine[3] - spine[2]) * random.uniform(0, 0.6)
        middle = 0.5 * (start + center) + [0, 0, -0.03 * height]
        wood.append(
            tube(np.stack([start, middle, center]), np.array([0.009, 0.006, 0.002]) * height, 6)
        )
    green = np.array(GREENS[random.integers(len(GREENS))])
    per_clump = leaves // len(clumps)
    foliage = [
        _clump(random, center, 0.115 * height, per_clump, leaf, green, crown, radii)
        for center in clumps
    ]
    return [("bark", merge(wood)), ("paint", merge(foliage))]


def _clump(
    random: np.random.Generator,
    center: np.ndarray,
    radius: float,
    count: int,
    leaf: float,
    green: np.ndarray,
    crown: np.ndarray,
    radii: np.ndarray,
) -> Mesh:
    """Scatter leaves, as rhombs, in a ball; lighter outside and on top, darker within."""
    offset = random.normal(size=(count, 3))
    offset *= radius * random.random((count, 1)) ** 0.4 / np.linalg.norm(offset, axis=1)[:, None]
    position = center + offset
    along = random.normal((0, 0, -0.4), 1, (count, 3))
    along /= np.linalg.norm(along, axis=1)[:, None]
    across = np.cross(along, random.normal(size=(count, 3)))
    across /= np.linalg.norm(across, axis=1)[:, None]
    length = leaf * random.uniform(0.7, 1.3, (count, 1))
    a, b = 0.5 * length * along, 0.3 * length * across
    corners = np.stack([position - a, position + b, position + a, position - b], axis=1)
    outside = np.clip(np.linalg.norm((position - crown) / radii, axis=1), 0, 1.2)[:, None]
    tone = (0.55 + 0.5 * outside) * random.uniform(0.75, 1.25, (count, 1))
    yellow = random.uniform(-0.05, 0.08, (count, 1)) * [1.0, 0.6, 0.0]
    return quads(corners, None, np.clip(green * tone + yellow, 0.02, 1))
