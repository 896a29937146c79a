"""A random VGG16 trunk and images that any machine makes alike."""

import numpy as np
import torch
from torch import Tensor

LAYERS = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256),
          14: (256, 256), 17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512),
          26: (512, 512), 28: (512, 512)}  # fmt: skip


def trunk() -> dict[str, Tensor]:
    """He-scaled weights from numpy's generator, whose stream is promised to stay."""
    random = np.random.Generator(np.random.PCG64(7))
    found = {}
    for number, (out, into) in LAYERS.items():
        weight = random.standard_normal((out, into, 3, 3)) * np.sqrt(2 / (9 * into))
        found[f"features.{number}.weight"] = torch.from_numpy(weight).float()
        found[f"features.{number}.bias"] = torch.from_numpy(
            0.1 * random.standard_normal(out)
        ).float()
    return found


def images() -> tuple[Tensor, Tensor]:
    """A smooth picture, and the same with noise, 64 px high and 80 px wide."""
    y, x = np.mgrid[0:64, 0:80] / 64
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(7 * y - 2 * x), np.sin(5 * x * y)], -1)
    image = 0.5 + 0.4 * waves
    noise = np.random.Generator(np.random.PCG64(8)).standard_normal(image.shape)
    return (
        torch.from_numpy(image).float(),
        torch.from_numpy((image + 0.1 * noise).clip(0, 1)).float(),
    )
