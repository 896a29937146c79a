"""Pairs of photos with exact truth: one texture, seen through a homography."""

import cv2
import numpy as np
import torch


def texture(width: int, height: int, seed: int = 0) -> torch.Tensor:
    """A photo with structure at all scales: blobs of every size, in colours."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for octave in range(1, 7):
        size = (max(2, height >> octave), max(2, width >> octave), 3)
        layer = random.uniform(0, 1, size) > 0.5
        image += cv2.resize(layer.astype(float), (width, height), interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy((255 * np.clip(image / 6, 0, 1)).astype(np.uint8))


def mapped(homography: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Where pixels (centres at +0.5) go."""
    ones = torch.ones(len(pixels), 1, dtype=torch.float64)
    moved = torch.cat([pixels.double(), ones], dim=1) @ homography.T
    return moved[:, :2] / moved[:, 2:]


def warped(photo: torch.Tensor, homography: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """The photo that shows at `mapped(homography, p)` what the given one shows at p."""
    to_centres = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    whole = np.linalg.inv(to_centres) @ homography.numpy() @ to_centres
    size, border = (width, height), cv2.BORDER_REFLECT
    seen = cv2.warpPerspective(photo.numpy(), whole, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return torch.from_numpy(seen)
