"""LPIPS, the learned perceptual distance (Zhang et al. 2018, CVPR), version 0.1 with VGG16.

The linear heads are those that the authors publish (BSD 2-clause, in `lpips_vgg.safetensors`). The
trunk's ImageNet weights are the user's to bring: a file with the tensors `features.N.weight` and
`features.N.bias`, as torchvision names them. Images are scaled from [0, 1] to [-1, 1] first.
"""

from importlib.resources import as_file, files
from pathlib import Path
from pickle import UnpicklingError
from typing import final

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from recon.errors import DataError
from recon.evidence.weights import Weights
from recon.files import sha256

SLICES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Numbers of the convolutions in each of the five slices, between which the image is halved."""
CHANNELS = (64, 128, 256, 512, 512)
UNREADABLE = (SafetensorError, UnpicklingError)
SMALLEST = 32
"""px; of images whose distance can be told."""
WEIGHTS = Weights(
    "LPIPS's VGG16", "vgg16-397923af.pth", None, "LPIPS is then not computed", source="torchvision"
)
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


@final
class Lpips:
    """The distance of two images, 0 for the same."""

    def __init__(self, trunk: dict[str, Tensor], name: str) -> None:
        """Take over weights.

        Args:
            trunk: VGG16's convolutions by torchvision's names; other tensors are ignored.
            name: of the weights, for reports.

        Raises:
            ValueError: a tensor is missing or has another shape.
        """
        self.name = name
        self._layers: list[list[tuple[Tensor, Tensor]]] = []
        incoming = 3
        for numbers, outgoing in zip(SLICES, CHANNELS, strict=True):
            layers = []
            for number in numbers:
                weight = _tensor(trunk, f"features.{number}.weight", (outgoing, incoming, 3, 3))
                layers.append((weight, _tensor(trunk, f"features.{number}.bias", (outgoing,))))
                incoming = outgoing
            self._layers.append(layers)
        with as_file(files("recon").joinpath("lpips_vgg.safetensors")) as path:
            heads = load_file(path)
        self._heads = [heads[f"lin{i}"] for i in range(len(SLICES))]

    @torch.no_grad()
    def __call__(self, one: Float[Tensor, "h w 3"], other: Float[Tensor, "h w 3"]) -> float:
        """Measure the distance of two images.

        Args:
            one: sRGB in [0, 1], at least `SMALLEST` on each side.
            other: of the same size.
        """
        total = 0.0
        for a, b, head in zip(self._features(one), self._features(other), self._heads, strict=True):
            difference = (_unit(a) - _unit(b)).square()
            total += float((difference * head[:, None, None]).sum(0).mean())
        return total

    def _features(self, image: Float[Tensor, "h w 3"]) -> list[Float[Tensor, "c v u"]]:
        x = 2 * image.permute(2, 0, 1)[None] - 1
        x = (x - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        found = []
        for i, layers in enumerate(self._layers):
            if i > 0:
                x = max_pool2d(x, 2)
            for weight, bias in layers:
                x = relu(conv2d(x, weight, bias, padding=1))
            found.append(x[0])
        return found


def load_lpips(path: Path) -> Lpips:
    """Read the trunk's weights from a file of torch or safetensors.

    Raises:
        DataError: the file cannot be read, or is not VGG16's.
    """
    expected = (
        "expected the ImageNet weights of VGG16 by torchvision's names (vgg16-397923af.pth), as "
        ".pth or .safetensors"
    )
    try:
        if path.suffix == ".safetensors":
            trunk = load_file(path)
        else:
            trunk = torch.load(path, map_location="cpu", weights_only=True)
        return Lpips(trunk, f"lpips[vgg16 {sha256(path)[:8]}, v0.1, inputs -1 to 1]")
    except (OSError, EOFError, ValueError, RuntimeError, TypeError, *UNREADABLE) as why:
        raise DataError(f"{path}: cannot be used for LPIPS ({why}); {expected}.") from why


def _tensor(trunk: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    if name not in trunk:
        raise ValueError(f"no {name}")
    if trunk[name].shape != shape:
        raise ValueError(f"{name} is {tuple(trunk[name].shape)}, not {shape}")
    return trunk[name].float()


def _unit(features: Float[Tensor, "c v u"]) -> Float[Tensor, "c v u"]:
    """Scale each pixel's features to unit length; the small number is the authors' own."""
    return features / (features.square().sum(0, keepdim=True).sqrt() + 1e-10)
