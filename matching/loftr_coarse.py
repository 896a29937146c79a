"""A small distilled LoFTR, of which only the coarse level has weights, refined by alignment.

The network says which 16 px cells of two photos show the same thing. Within the cell, the pixel
with the most texture is followed into the other photo: first to where the neighbouring matches
put it, then by aligning the patches around it, there and back.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import cv2
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from recon.evidence.weights import Weights
from recon.files import sha256
from recon.matching.align import Image, Patches, align, halves, search
from recon.matching.local_affine import local_affine
from recon.matching.matcher import Matcher, Matches, grey, shrunk
from recon.matching.state_dict import load_state_dict

CELL = 16
"""px; the grid of coarse matches."""
NAME = "LoFTR coarse"
WEIGHTS = Weights(NAME, "LoFTR_teacher.pt", None, "`--matcher sift` needs none")


@dataclass(frozen=True)
class LoftrCoarseSettings:
    """Which matches are taken, and how they are refined."""

    longest: int = 1024
    """px; larger photos are matched at this size."""
    confidence: float = 0.05
    """Coarse matches below this are not taken."""
    alike: float = 0.7
    """Least correlation of the aligned patches; -1 takes all."""
    there_and_back: float = 1.0
    """px between a pixel and where the alignment back from its match ends; inf takes all."""


@dataclass(frozen=True, eq=False)
class Described:
    """One photo's coarse features and what alignment needs."""

    features: Float[Tensor, "1 l c"]
    columns: int
    """Cells in a row."""
    halves: list[Image]
    scale: Float[Tensor, "2"]
    """From these pixels to the photo's own."""


@final
class LoftrCoarse(Matcher[Described]):
    """Coarse matches of a distilled LoFTR (Sun et al. 2021), aligned below a pixel."""

    name: ClassVar[str] = "loftr-coarse"
    merge_distance: ClassVar[float] = 0.5

    def __init__(
        self, network: nn.Module, origin: str, settings: LoftrCoarseSettings = LoftrCoarseSettings()
    ) -> None:
        """Take a network as `build_loftr_coarse` makes it, and words that tell its weights."""
        self.network, self.origin, self.settings = network.eval(), origin, settings

    @classmethod
    def load(
        cls, path: Path, settings: LoftrCoarseSettings = LoftrCoarseSettings()
    ) -> "LoftrCoarse":
        """Read the weights.

        Raises:
            DataError: the file holds other weights, or none.
        """
        network = build_loftr_coarse()
        load_state_dict(network, path, NAME, absent=("fine_preprocess.", "loftr_fine."))
        return cls(network, sha256(path), settings)

    @property
    def identity(self) -> str:
        """Weights and settings."""
        return f"loftr-coarse {self.origin} {self.settings!r}"

    def describe(self, photo: UInt8[Tensor, "h w 3"]) -> Described:
        """Compute coarse features, one for each cell."""
        small, scale = shrunk(photo, self.settings.longest)
        values = grey(small)
        # The network halves four times, and adds what came of it to what went in.
        below, right = (-size % (2 * CELL) for size in values.shape)
        planes = functional.pad(values[None, None].float() / 255, (0, right, 0, below), "replicate")
        with torch.no_grad():
            coarse, _ = self.network.get_submodule("backbone")(planes)
            placed = self.network.get_submodule("pos_encoding")(coarse)
            features = placed.flatten(2).transpose(1, 2).contiguous()
        return Described(features, coarse.shape[-1], halves(values, 2), scale)

    def cells(self, a: Described, b: Described) -> Matches:
        """Match cells; the matches are their centres, in the pixels that the network sees."""
        with torch.no_grad():
            transformer = self.network.get_submodule("loftr_coarse")
            seen_a, seen_b = transformer(a.features, b.features)
        index_a, index_b, confidence = _mutual(seen_a[0], seen_b[0], self.settings.confidence)
        return Matches(_centres(index_a, a.columns), _centres(index_b, b.columns), confidence)

    def pair(self, a: Described, b: Described) -> Matches:
        """Match cells, and refine."""
        cells = self.cells(a, b)
        found, error = refined(a.halves, b.halves, cells.pixels_a, cells.pixels_b)
        keep = (found.alike >= self.settings.alike) & (error <= self.settings.there_and_back)
        keep &= _within(found.pixels_a, a.halves[0]) & _within(found.pixels_b, b.halves[0])
        confidence = (cells.confidence * found.alike).clamp(0, 1)
        matches = Matches(found.pixels_a * a.scale, found.pixels_b * b.scale, confidence)
        return matches.where(keep)


def refined(
    a: list[Image], b: list[Image], cells_a: Float[Tensor, "n 2"], cells_b: Float[Tensor, "n 2"]
) -> tuple[Patches, Float[Tensor, " n"]]:
    """Bring matches of cells below a pixel.

    Args:
        a: photo a and its half.
        b: photo b and its half.
        cells_a: the centres of cells in photo a.
        cells_b: the centres of those that match in photo b.

    Returns:
        The aligned patches, and by how many pixels of photo a the way back misses each.
    """
    field = local_affine(cells_a, cells_b, float(CELL))
    pixels = _most_textured(a[0], cells_a)
    start = Patches(pixels, field.at(pixels), field.linear, torch.zeros(len(pixels)))
    half = search(a[1], b[1], start.scaled(0.5), radius=7, reach=6)
    half = align(a[1], b[1], half, radius=8, steps=6)
    there = align(a[0], b[0], half.scaled(2.0), radius=10, steps=6)
    back = align(b[0], a[0], there.swapped(), radius=10, steps=3)
    return there, (back.pixels_b - there.pixels_a).norm(dim=-1)


def build_loftr_coarse() -> nn.Module:
    """Build the small network without trained weights."""
    # At use: kornia takes a second to import, and not every command matches.
    from kornia.feature.loftr.loftr import LoFTR, default_cfg

    config: dict[str, Any] = copy.deepcopy(default_cfg)
    config["resolution"] = (CELL, 4)
    config["resnetfpn"] = {"initial_dim": 8, "block_dims": [8, 16, 32, 32]}
    config["coarse"] |= {"d_model": 32, "d_ffn": 32, "nhead": 1}
    config["coarse"]["layer_names"] = ["self", "cross"] * 2
    config["fine"] |= {"d_model": 16, "d_ffn": 16, "nhead": 1}
    return LoFTR(pretrained=None, config=config)


def _centres(index: Tensor, columns: int) -> Float[Tensor, "n 2"]:
    """Return the pixel that a cell sits on."""
    return torch.stack([index % columns, index // columns], dim=1) * float(CELL) + 0.5


def _mutual(
    a: Float[Tensor, "n c"], b: Float[Tensor, "m c"], least: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the cells that are one another's most probable match (dual softmax)."""
    similarity = a @ b.T / (0.1 * a.shape[1])
    probability = similarity.softmax(dim=0) * similarity.softmax(dim=1)
    confidence, partner = probability.max(dim=1)
    mutual = (confidence == probability.amax(dim=0)[partner]) & (confidence > least)
    index = mutual.nonzero()[:, 0]
    return index, partner[index], confidence[index]


def _most_textured(image: Image, cells: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Return each cell's pixel around which the photo changes most in all directions."""
    texture = torch.from_numpy(cv2.cornerMinEigenVal(image.numpy(), 5))
    line = torch.arange(-CELL // 2, CELL // 2)
    offsets = torch.cartesian_prod(line, line).flip(-1)
    limit = torch.tensor([image.shape[1] - 1, image.shape[0] - 1])
    inside = (cells.floor().long()[:, None] + offsets).clamp(torch.zeros(2).long(), limit)
    best = texture[inside[..., 1], inside[..., 0]].argmax(dim=1)
    return inside[torch.arange(len(cells)), best].float() + 0.5


def _within(pixels: Float[Tensor, "n 2"], image: Image) -> Tensor:
    limit = torch.tensor([image.shape[1], image.shape[0]])
    return ((pixels >= 0) & (pixels <= limit)).all(dim=-1)
