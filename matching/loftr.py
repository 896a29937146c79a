"""LoFTR, matches without key points (Sun et al. 2021, arXiv 2104.00680), by kornia's network."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from recon.evidence.weights import Weights
from recon.files import sha256
from recon.matching.matcher import CPU, Matcher, Matches, grey, shrunk
from recon.matching.state_dict import load_state_dict

Model = Literal["outdoor", "indoor"]
FILES: dict[Model, str] = {"outdoor": "loftr_outdoor.ckpt", "indoor": "loftr_indoor_ds_new.ckpt"}
MULTIPLE = 32
"""px; photos are padded to multiples of this."""


@dataclass(frozen=True)
class LoftrSettings:
    """At which size photos are matched, and which matches are taken."""

    longest: int = 840
    """px; larger photos are matched at this size."""
    confidence: float = 0.2
    """Matches below this are not taken."""


@dataclass(frozen=True, eq=False)
class Described:
    """One photo's features at both levels."""

    coarse: Float[Tensor, "1 c hc wc"]
    fine: Float[Tensor, "1 f hf wf"]
    size: tuple[int, int]
    """Width and height before padding."""
    scale: Float[Tensor, "2"]
    """From these pixels to the photo's own."""


def loftr_weights(model: Model) -> Weights:
    """Say where the weights of a model may be."""
    instead = "`--matcher sift` needs none"
    return Weights(f"LoFTR {model}", FILES[model], "kornia/loftr", instead)


@final
class Loftr(Matcher[Described]):
    """Dense coarse matches, refined by the network's own fine level."""

    name: ClassVar[str] = "loftr"
    merge_distance: ClassVar[float] = 0.5

    def __init__(self, network: nn.Module, origin: str, settings: LoftrSettings) -> None:
        """Take a network as kornia builds it, and words that tell its weights from others'."""
        self.network, self.origin, self.settings = network.eval(), origin, settings
        self.device = next(network.parameters()).device

    @classmethod
    def load(
        cls,
        path: Path,
        model: Model = "outdoor",
        settings: LoftrSettings = LoftrSettings(),
        device: torch.device = CPU,
    ) -> "Loftr":
        """Read weights as kornia publishes them.

        Raises:
            DataError: the file holds other weights, or none.
        """
        network = build_loftr(model, settings)
        load_state_dict(network, path, f"LoFTR {model}", prefix="matcher.")
        return cls(network.to(device), f"{model} {sha256(path)}", settings)

    @property
    def identity(self) -> str:
        """Weights and settings."""
        return f"loftr {self.origin} {self.settings!r}"

    def describe(self, photo: UInt8[Tensor, "h w 3"]) -> Described:
        """Compute features at an eighth and at half of the size."""
        small, scale = shrunk(photo, self.settings.longest)
        height, width = small.shape[:2]
        planes = grey(small)[None, None].to(self.device).float() / 255
        padding = (0, -width % MULTIPLE, 0, -height % MULTIPLE)
        with torch.no_grad():
            padded = functional.pad(planes, padding, "replicate")
            coarse, fine = self.network.get_submodule("backbone")(padded)
            placed = self.network.get_submodule("pos_encoding")(coarse)
        return Described(placed, fine, (width, height), scale)

    def pair(self, a: Described, b: Described) -> Matches:
        """Match; both photos may have any size."""
        given = {
            f"features{side}": {"coarse": x.coarse, "fine": x.fine} for side, x in enumerate((a, b))
        }
        with torch.no_grad():
            found = self.network(given)
        # Its pixels are ours: the weights were trained with centres at +0.5.
        pixels_a, pixels_b = found["keypoints0"].cpu(), found["keypoints1"].cpu()
        confidence = found["confidence"].cpu().clamp(0, 1)
        matches = Matches(pixels_a * a.scale, pixels_b * b.scale, confidence)
        return matches.where(_within(pixels_a, a.size) & _within(pixels_b, b.size))


def build_loftr(model: Model, settings: LoftrSettings) -> nn.Module:
    """Build the network without trained weights."""
    # At use: kornia takes a second to import, and not every command matches.
    from kornia.feature.loftr.loftr import LoFTR, default_cfg

    config: dict[str, Any] = copy.deepcopy(default_cfg)
    config["match_coarse"]["thr"] = settings.confidence
    # The newer indoor weights were trained with a corrected position encoding.
    config["coarse"]["temp_bug_fix"] = model == "indoor"
    return LoFTR(pretrained=None, config=config)


def _within(pixels: Float[Tensor, "n 2"], size: tuple[int, int]) -> Tensor:
    return ((pixels >= 0) & (pixels <= torch.tensor(size))).all(dim=-1)
