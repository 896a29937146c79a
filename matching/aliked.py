"""ALIKED key points (Zhao et al. 2023, arXiv 2304.03608), by kornia's network."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, final

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from recon.evidence.weights import Weights
from recon.files import sha256
from recon.matching.keypoints import KeyPoints, mutual_nearest
from recon.matching.matcher import CPU, Matcher, Matches, shrunk
from recon.matching.state_dict import load_state_dict

Model = Literal["n16", "t16"]


@dataclass(frozen=True)
class AlikedSettings:
    """What is looked for."""

    longest: int = 1024
    """px; larger photos are matched at this size."""
    most: int = 5000
    """At most so many key points of a photo, those with the highest scores."""
    score: float = 0.2
    """Below this a pixel is no key point."""
    ratio: float = 0.95
    """How much closer than the second nearest a match has to be; 1 for any."""


def aliked_weights(model: Model) -> Weights:
    """Say where the weights of a model may be."""
    return Weights(
        f"ALIKED {model}", f"aliked-{model}.pth", "kornia/aliked", "`--matcher sift` needs none"
    )


@final
class Aliked(Matcher[KeyPoints]):
    """Learned key points and mutual nearest neighbours."""

    name: ClassVar[str] = "aliked"
    merge_distance: ClassVar[float] = 0.01

    def __init__(self, network: nn.Module, origin: str, settings: AlikedSettings) -> None:
        """Take a network as kornia builds it, and words that tell its weights from others'."""
        self.network, self.origin, self.settings = network.eval(), origin, settings
        self.device = next(network.parameters()).device

    @classmethod
    def load(
        cls,
        path: Path,
        model: Model = "n16",
        settings: AlikedSettings = AlikedSettings(),
        device: torch.device = CPU,
    ) -> "Aliked":
        """Read weights as the authors publish them.

        Raises:
            DataError: the file holds no weights of this model.
        """
        network = build_aliked(model, settings)
        # Weights bring no grid of offsets; the network has made it.
        load_state_dict(network, path, f"ALIKED {model}", absent=("dkd.hw_grid",))
        return cls(network.to(device), f"{model} {sha256(path)}", settings)

    @property
    def identity(self) -> str:
        """Weights and settings."""
        return f"aliked {self.origin} {self.settings!r}"

    def describe(self, photo: UInt8[Tensor, "h w 3"]) -> KeyPoints:
        """Find and describe key points."""
        small, scale = shrunk(photo, self.settings.longest)
        with torch.no_grad():
            planes = small.permute(2, 0, 1)[None].to(self.device).float() / 255
            (found,) = self.network(planes)
        # Its pixels have whole numbers in their centres.
        pixels = (found.keypoints + 0.5) * scale.to(self.device)
        return KeyPoints(pixels, found.descriptors)

    def pair(self, a: KeyPoints, b: KeyPoints) -> Matches:
        """Match by mutual nearest neighbours."""
        return mutual_nearest(a, b, self.settings.ratio)


def build_aliked(model: Model, settings: AlikedSettings) -> nn.Module:
    """Build the network without trained weights."""
    # At use: kornia takes a second to import, and not every command matches.
    from kornia.feature import ALIKED

    return ALIKED(f"aliked-{model}", settings.most, settings.score)
