"""A COLMAP model as its files state it, whether they are text or binary."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8


@dataclass(frozen=True)
class ColmapCamera:
    """A line of cameras.txt."""

    number: int
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class ColmapImage:
    """A first line of an image in images.txt."""

    number: int
    quaternion: tuple[float, float, float, float]
    """World to camera, (w, x, y, z), not always of length one."""
    translation: tuple[float, float, float]
    camera: int
    name: str


@dataclass(frozen=True, eq=False)
class ColmapPoints:
    """The points3D file without its tracks."""

    positions: Float64[np.ndarray, "p 3"]
    colors: UInt8[np.ndarray, "p 3"]


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """One sub-model."""

    cameras: dict[int, ColmapCamera]
    images: list[ColmapImage]
    points: ColmapPoints
