"""Triangle meshes as plain arrays, and the primitives the street is built of.

World axes: x along the street, y to the left, z up; metres. Every face brings its own vertices, so
that edges stay sharp; texture coordinates are metres too, where a texture repeats.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Color = tuple[float, float, float]
"""sRGB in [0, 1]."""
Vector = tuple[float, float, float] | Float[np.ndarray, "3"]
Rectangle = tuple[float, float, float, float]
"""Left, bottom, right, top."""

UNIT_SQUARE = (0.0, 0.0, 1.0, 1.0)
WHITE: Color = (1.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with a texture coordinate and a colour at each vertex."""

    vertices: Float[np.ndarray, "v 3"]
    """Metres."""
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "v 2"]
    """(0, 0) is the lower left corner of a texture."""
    colors: Float[np.ndarray, "v 3"]
    """sRGB in [0, 1]; used by materials without a texture."""

    def placed(self, at: Vector, turn: float = 0.0, scale: float = 1.0) -> "Mesh":
        """Return this mesh scaled, turned about z by an angle in radians, then moved."""
        cos, sin = np.cos(turn), np.sin(turn)
        rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
        vertices = scale * self.vertices @ rotation.T + np.asarray(at, dtype=np.float64)
        return Mesh(vertices, self.faces, self.uv, self.colors)

    def only(self, chosen: Bool[np.ndarray, " f"]) -> "Mesh":
        """Return some of the faces."""
        used, faces = np.unique(self.faces[chosen], return_inverse=True)
        return Mesh(self.vertices[used], faces.reshape(-1, 3), self.uv[used], self.colors[used])


def merge(meshes: Iterable[Mesh]) -> Mesh:
    """Join meshes into one; at least one is needed."""
    parts = list(meshes)
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.uv for part in parts]),
        np.concatenate([part.colors for part in parts]),
    )


def quads(
    corners: Float[np.ndarray, "q 4 3"],
    uv: Float[np.ndarray, "q 4 2"] | None = None,
    color: Color | Float[np.ndarray, "q 3"] = WHITE,
) -> Mesh:
    """Make separate quadrilaterals, corners counter-clockwise as seen from outside."""
    count = len(corners)
    if uv is None:
        uv = np.broadcast_to(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), (count, 4, 2))
    colors = np.repeat(np.broadcast_to(np.asarray(color, dtype=np.float64), (count, 3)), 4, axis=0)
    first = 4 * np.arange(count)[:, None]
    faces = np.concatenate([first + np.array(corner) for corner in ([0, 1, 2], [0, 2, 3])])
    return Mesh(corners.reshape(-1, 3).astype(np.float64), faces, uv.reshape(-1, 2), colors)


def rectangle(
    origin: Vector,
    right: Vector,
    up: Vector,
    uv: Rectangle = UNIT_SQUARE,
    color: Color = WHITE,
) -> Mesh:
    """Make a parallelogram from its lower left corner and two edges; it faces right x up."""
    o, r, u = (np.asarray(v, dtype=np.float64) for v in (origin, right, up))
    u0, v0, u1, v1 = uv
    coordinates = np.array([[[u0, v0], [u1, v0], [u1, v1], [u0, v1]]], dtype=np.float64)
    return quads(np.stack([o, o + r, o + r + u, o + u])[None], coordinates, color)


def box(low: Vector, high: Vector, color: Color = WHITE) -> Mesh:
    """Make an axis-aligned box; texture coordinates are metres along each side."""
    ends = np.array([low, high], dtype=np.float64)
    corners = np.stack([ends[_BOX[..., axis], axis] for axis in range(3)], axis=-1)
    size = np.linalg.norm(corners[:, [1, 3]] - corners[:, :1], axis=-1)
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]) * size[:, None]
    return quads(corners, uv, color)


_BOX = np.array(
    [
        [[0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]],
        [[1, 1, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]],
        [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]],
        [[0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 1]],
        [[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]],
        [[0, 1, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]],
    ]
)
"""Which end of each axis the corners of the six sides are."""


def tube(
    path: Float[np.ndarray, "p 3"],
    radii: Float[np.ndarray, " p"],
    sides: int = 10,
    color: Color = WHITE,
) -> Mesh:
    """Sweep a circle along a path, open at both ends; u runs around, v along, in metres."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    helper = np.array([0.0, 1.0, 0.0]) if abs(tangents[0, 1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    across = np.cross(helper, tangents)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(tangents, across)
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    circle = np.cos(angle)[:, None, None] * across + np.sin(angle)[:, None, None] * other
    rings = path + radii[:, None] * circle
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    u = angle[:, None] * radii.mean() + 0 * along
    v = 0 * angle[:, None] + along
    return grid(rings, np.stack([u, v], axis=-1), color)


def grid(
    points: Float[np.ndarray, "m n 3"],
    uv: Float[np.ndarray, "m n 2"] | None = None,
    color: Color | Float[np.ndarray, "q 3"] = WHITE,
) -> Mesh:
    """Make the (m - 1)(n - 1) quadrilaterals of a lattice; a face looks along dm x dn."""

    def cells(values: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, "q 4 c"]:
        corners = [values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]]
        return np.stack(corners, axis=2).reshape(-1, 4, values.shape[-1])

    return quads(cells(points), None if uv is None else cells(uv), color)


def disc(
    center: Vector,
    normal: Vector,
    radius: float,
    color: Color,
    sides: int = 20,
    inner: float = 0.0,
) -> Mesh:
    """Make a disc, or a ring where the inner radius is not 0, that faces along its normal."""
    axis = np.asarray(normal, dtype=np.float64)
    axis /= np.linalg.norm(axis)
    helper = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, axis)
    right /= np.linalg.norm(right)
    up = np.cross(axis, right)
    angle = np.linspace(0, 2 * np.pi, sides + 1)[:, None]
    rim = np.cos(angle) * right + np.sin(angle) * up
    center_point = np.asarray(center, dtype=np.float64)
    rings = np.stack([center_point + inner * rim, center_point + radius * rim])
    return grid(rings, None, color)
