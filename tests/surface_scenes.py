"""A ball before a wall, covered with flat Gaussians, seen from several places: exact to measure."""

from dataclasses import dataclass

import numpy as np
import plyfile
import torch
from photos import MemoryPhoto
from torch import Tensor

from recon.backdrop import Plain
from recon.camera import look_at
from recon.export.interface import Subject
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.raster.choose import choose_rasterizer
from recon.render import Stage
from recon.scene import Scene
from recon.types import Camera, Similarity, View

WALL = 6.0
"""The wall is the plane z = 6, white, 10 wide and high."""
CENTER, RADIUS = (0.0, 0.0, 3.5), 1.0
"""Of the ball, which is red."""
SPACING, WIDTH = 0.1, 0.06
"""Between the wall's Gaussians, and their standard deviation; the ball's are half of it."""


def wall_and_ball() -> Gaussians:
    steps = torch.arange(-5, 5.01, SPACING)
    x, y = (t.flatten() for t in torch.meshgrid(steps, steps, indexing="ij"))
    wall = torch.stack([x, y, torch.full_like(x, WALL)], dim=1)
    count = round(4 * torch.pi * RADIUS**2 / (SPACING / 2) ** 2)
    i = torch.arange(count) + 0.5
    polar, azimuth = torch.arccos(1 - 2 * i / count), torch.pi * (1 + 5**0.5) * i
    out = torch.stack(
        [azimuth.cos() * polar.sin(), azimuth.sin() * polar.sin(), polar.cos()], dim=1
    )
    ball = torch.tensor(CENTER) + RADIUS * out
    facing = torch.tensor([[0.0, 0.0, 1.0]]).expand(len(wall), 3)
    normals = torch.cat([facing, out])
    means = torch.cat([wall, ball])
    widths = torch.cat([torch.full((len(wall),), WIDTH), torch.full((count,), WIDTH / 2)])
    scales = torch.stack([widths, widths, torch.full_like(widths, 1e-3)], dim=1)
    red = torch.tensor([1.0, 0.0, 0.0])
    colors = torch.where(torch.arange(len(means))[:, None] < len(wall), torch.ones(3), red)
    return Gaussians(
        means=means,
        quaternions=_turned_to(normals),
        log_scales=scales.log(),
        opacity_logits=torch.full((len(means),), 3.0),
        sh_base=((colors - 0.5) / HARMONIC_BAND_0)[:, None],
        sh_rest=torch.zeros(len(means), 15, 3),
    )


def _turned_to(normals: Tensor) -> Tensor:
    """Quaternions that turn the z axis to unit vectors."""
    across = torch.linalg.cross(torch.tensor([[0.0, 0.0, 1.0]]).expand_as(normals), normals)
    quaternions = torch.cat([1 + normals[:, 2:], across], dim=1)
    opposite = normals[:, 2] < -0.9999
    quaternions[opposite] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    return quaternions


def joined(*parts: Gaussians) -> Gaussians:
    names = parts[0].named()
    return Gaussians(**{name: torch.cat([p.named()[name] for p in parts]) for name in names})


def haze(camera: Camera) -> Gaussians:
    """Black veils one behind the other, which hide the ball from one camera."""
    depths = torch.linspace(0.8, 2.2, 12)
    axis = camera.world_to_camera[2, :3]
    n = len(depths)
    return Gaussians(
        means=camera.position + depths[:, None] * axis,
        quaternions=_turned_to(axis.expand(n, 3)),
        log_scales=torch.tensor([[0.08, 0.08, 1e-3]]).log().repeat(n, 1),
        opacity_logits=torch.full((n,), 0.28).logit(),
        sh_base=torch.full((n, 1, 3), -0.5 / HARMONIC_BAND_0),
        sh_rest=torch.zeros(n, 15, 3),
    )


def views(count: int = 7, width: int = 96, height: int = 72) -> tuple[View, ...]:
    """Cameras on an arc that look at the ball."""
    found = []
    for i, angle in enumerate(np.linspace(-0.5, 0.5, count)):
        place = torch.tensor([3.5 * np.sin(angle), 0.3 * (-1) ** i, 3.5 - 3.5 * np.cos(angle)])
        pose = look_at(place, torch.tensor(CENTER).double(), torch.tensor([0.0, -1, 0]).double())
        camera = Camera(pose.float(), 70.0, 70.0, width / 2, height / 2, width, height)
        photo = MemoryPhoto(torch.zeros(height, width, 3, dtype=torch.uint8))
        found.append(View(f"{i}", camera, photo))
    return tuple(found)


def subject(
    gaussians: Gaussians,
    to_source: Similarity | None = None,
    seen_from: tuple[View, ...] | None = None,
) -> Subject:
    rasterizer = choose_rasterizer()
    device = rasterizer.device
    scene = Scene(gaussians.to(device), Plain((0.0, 0.0, 1.0), device))
    return Subject(
        gaussians,
        to_source or Similarity.shift(torch.zeros(3)),
        True,
        views() if seen_from is None else seen_from,
        lambda: Stage(scene, rasterizer, metric=True),
    )


@dataclass(frozen=True)
class Found:
    """What stands in an exported file, in the working frame."""

    positions: np.ndarray
    normals: np.ndarray
    colors: np.ndarray
    faces: np.ndarray | None

    @staticmethod
    def read(path, to_source: Similarity | None = None) -> "Found":
        data = plyfile.PlyData.read(path)
        vertex = data["vertex"]
        columns = (("x", "y", "z"), ("nx", "ny", "nz"), ("red", "green", "blue"))
        positions, normals, colors = (np.stack([vertex[c] for c in n], axis=1) for n in columns)
        if to_source is not None:
            positions = to_source.inverse().apply(torch.from_numpy(positions)).numpy()
            normals = normals @ to_source.rotation.numpy()
        faces = np.stack(data["face"]["vertex_indices"]) if "face" in data else None
        return Found(positions, normals, colors, faces)

    @property
    def on_ball(self) -> np.ndarray:
        return np.linalg.norm(self.positions - CENTER, axis=1) < RADIUS + 0.5

    def off(self) -> np.ndarray:
        """Distances to wall or ball, whichever is nearer."""
        ball = np.abs(np.linalg.norm(self.positions - CENTER, axis=1) - RADIUS)
        return np.minimum(ball, np.abs(self.positions[:, 2] - WALL))

    def true_normals(self) -> np.ndarray:
        out = self.positions - CENTER
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        return np.where(self.on_ball[:, None], out, [0.0, 0.0, -1.0])
