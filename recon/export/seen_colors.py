"""One colour for each Gaussian, for formats without harmonics: the mean of what was seen of it."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import inside, project
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.transform import harmonics
from recon.types import Camera

MOST = 32
"""Cameras that are asked, evenly chosen."""


def with_seen_colors(gaussians: Gaussians, cameras: Sequence[Camera]) -> Gaussians:
    """Return the Gaussians with harmonics of degree 0 alone.

    Each has the mean colour that the cameras see which have it in their image, hidden or not, the
    nearer the more; where none has, the colour that its harmonics of degree 0 say. On the bundled
    drive this takes back two thirds of what leaving out the others costs.

    Args:
        gaussians: on the CPU, in the frame of the cameras.
        cameras: any number.
    """
    flat = 0.5 + HARMONIC_BAND_0 * gaussians.sh_base[:, 0]
    total, weights = torch.zeros_like(flat), torch.zeros_like(flat[:, :1])
    for camera in cameras[:: max(1, math.ceil(len(cameras) / MOST))]:
        at_hand = camera.moved(camera.world_to_camera.detach().cpu())
        pixels, depth = project(at_hand, gaussians.means)
        index = inside(at_hand, pixels, depth).nonzero()[:, 0]
        weight = 1 / depth[index, None]
        seen = flat[index] + _change(gaussians, index, at_hand)
        total.index_add_(0, index, weight * seen.clamp(0, 1))
        weights.index_add_(0, index, weight)
    colors = torch.where(weights > 0, total / weights.clamp(min=1e-30), flat)
    return gaussians.painted(colors)


def _change(gaussians: Gaussians, index: Tensor, camera: Camera) -> Float[Tensor, "n 3"]:
    """Return what degrees 1 to 3 add to the colours of some Gaussians as a camera sees them."""
    ways = (gaussians.means[index] - camera.position).double().numpy()
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    values = np.concatenate([harmonics(degree, ways) for degree in (1, 2, 3)], axis=1)
    rest = gaussians.sh_rest[index]
    return torch.einsum("nk,nkc->nc", torch.from_numpy(values).to(rest), rest)
