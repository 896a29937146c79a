"""Cameras around points, with exact matches: the truth that geometry is tested against."""

import torch

from recon.camera import look_at, project
from recon.matching.matcher import Matches
from recon.matching.pair import PairMatches
from recon.types import Camera


def ring(count: int, radius: float = 4.0, arc: float = 1.0) -> list[Camera]:
    """Cameras of different focal lengths on an arc (radians), looking at the origin."""
    cameras = []
    for i in range(count):
        turn = torch.tensor(arc * (i / max(1, count - 1) - 0.5), dtype=torch.float64)
        place = radius * torch.stack([turn.sin(), torch.tensor(-0.1 * i), -turn.cos()]).double()
        down = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
        pose = look_at(place, torch.zeros(3, dtype=torch.float64), down)
        cameras.append(Camera(pose, 300.0 + 10 * i, 310.0, 161.0, 118.5, 320, 240))
    return cameras


def cloud(count: int, seed: int = 0) -> torch.Tensor:
    """Points within one unit of the origin, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 1


def seen(cameras: list[Camera], points: torch.Tensor) -> torch.Tensor:
    """Pixels, `v n 2`."""
    return torch.stack([project(camera, points)[0] for camera in cameras])


def exact_pairs(
    cameras: list[Camera], points: torch.Tensor, noise: float = 0.0
) -> list[PairMatches]:
    """Matches of all pairs of views, from the same, perhaps noisy, pixels."""
    generator = torch.Generator().manual_seed(5)
    pixels = seen(cameras, points)
    pixels = pixels + noise * torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
    pixels = pixels.float()
    sure = torch.ones(len(points))
    return [
        PairMatches(a, b, Matches(pixels[a], pixels[b], sure))
        for a in range(len(cameras))
        for b in range(a + 1, len(cameras))
    ]
