"""Depth Anything V2 through transformers: relative depth, or metres in rooms or on streets.

Yang et al. 2024, "Depth Anything V2" (arXiv 2406.09414). The metric heads were trained on one
rendered data set each, so on one focal length; as with Metric3D's canonical camera, their metres
are scaled by the photo's own. (Not measured here: the weights cannot be had where tests run.)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from recon.errors import DataError, ResourceError, first_line
from recon.evidence.store import digest
from recon.evidence.weights import Weights
from recon.files import sha256
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthKind, DepthMap
from recon.window import Window

DepthAnythingScene = Literal["any", "indoor", "outdoor"]
DepthAnythingSize = Literal["s", "b", "l"]
SHORT_SIDE = 518
"""Pixels of the network's input, at least, on both sides."""
PATCH = 14
HEAD_WIDTH = 64
"""Of DINOv2's attention, whatever its size."""
LAYERS = {24: [5, 12, 18, 24]}
"""After which the decoder takes tokens, by how many layers the encoder has; else after quarters."""
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
FARTHEST = 100.0
"""How many times as far as the nearest pixel relative depth reaches. Disparity 0, which the network
gives to the sky, would be infinitely far, and the offset is open anyway."""
VERSION = "1"
WORDS: dict[DepthAnythingSize, str] = {"s": "Small", "b": "Base", "l": "Large"}


@dataclass(frozen=True)
class Head:
    """What one of the three sets of weights answers."""

    prefix: str
    """Of its repositories' names."""
    focal: float | None
    """px at the input's resolution, of the photos it was trained on; None of the relative one."""


HEADS: dict[DepthAnythingScene, Head] = {
    "any": Head("", None),
    # Hypersim: 886.8 px at 1024x768. Virtual KITTI 2: 725.0 px at 1242x375. Both were resized to a
    # height of 518.
    "indoor": Head("Metric-Indoor-", 886.8 * SHORT_SIDE / 768),
    "outdoor": Head("Metric-Outdoor-", 725.0 * SHORT_SIDE / 375),
}


def weights_of(scene: DepthAnythingScene, size: DepthAnythingSize) -> Weights:
    """Return where a network may be: a folder with config.json and model.safetensors."""
    repository = f"Depth-Anything-V2-{HEADS[scene].prefix}{WORDS[size]}-hf"
    return Weights(
        repository,
        f"{repository}/model.safetensors",
        f"depth-anything/{repository}",
        "METER, LiDAR or depth files as prior",
        hub_file="model.safetensors",
        beside=("config.json",),
    )


@final
class DepthAnything(DepthPrior):
    """Depth Anything V2 for one kind of scene, of one size."""

    def __init__(self, scene: DepthAnythingScene, size: DepthAnythingSize, weights: Path) -> None:
        """Take a network.

        Args:
            scene: what it was trained for.
            size: of the network.
            weights: its model.safetensors, with config.json in the same folder.
        """
        self.scene = scene
        self.size = size
        self.weights = weights

    @property
    def name(self) -> str:
        """Say for which scenes, and which size."""
        return "-".join(["depth-anything", *{"any": ()}.get(self.scene, (self.scene,)), self.size])

    @property
    def uses_focal_length(self) -> bool:
        """Metres are in proportion to it."""
        return HEADS[self.scene].focal is not None

    def identity(self) -> str:
        """Digest the weights, their configuration and this file's version."""
        return digest(self.name, VERSION, *self._checksums)

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres, or depth whose inverse is right up to a factor and an offset."""
        camera, focal = frame.camera, HEADS[self.scene].focal
        window = enlarged(camera.width, camera.height)
        answer = window.read(self._answer(window.resized(frame.pixels.numpy())))
        if focal is None:
            z, kind = _from_disparity(answer), DepthKind.AFFINE_DISPARITY
        else:
            across, down = window.scales
            taken = math.sqrt(camera.fx * across * camera.fy * down)
            z, kind = answer * np.float32(taken / focal), DepthKind.METRIC
        valid = torch.from_numpy(np.isfinite(z) & (z > 0))
        return PriorDepth(DepthMap(torch.where(valid, torch.from_numpy(z), 0.0), valid, kind))

    @cached_property
    def _checksums(self) -> tuple[str, str]:
        return sha256(self.weights), sha256(self.weights.with_name("config.json"))

    @cached_property
    def _device(self) -> torch.device:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def _network(self) -> Any:
        transformers = _transformers()
        folder = self.weights.parent
        transformers.utils.logging.disable_progress_bar()
        try:
            kind = transformers.DepthAnythingForDepthEstimation
            network = kind.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # Of json, safetensors or its own; all mean one thing.
            raise DataError(
                f"{folder}: expected config.json and model.safetensors of "
                f"{weights_of(self.scene, self.size).name} ({first_line(error)})."
            ) from error
        metric = network.config.depth_estimation_type == "metric"
        if metric != (HEADS[self.scene].focal is not None):
            found, wanted = ("metric", "relative") if metric else ("relative", "metric")
            raise DataError(
                f"{folder}: a {found} network, and {self.name} is {wanted}; expected "
                f"{weights_of(self.scene, self.size).name}."
            )
        return network.eval().to(self._device)

    def _answer(self, image: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "a b"]:
        scaled = normalized(torch.from_numpy(image).permute(2, 0, 1)[None] / 255)
        with torch.no_grad():
            answer = self._network(scaled.to(self._device)).predicted_depth
        values: np.ndarray = answer[0].float().cpu().numpy()
        return values


def enlarged(width: int, height: int) -> Window:
    """Return the whole photo at whole patches, its short side as long as in training."""
    scale = SHORT_SIDE / min(width, height)
    inner = [max(SHORT_SIDE, round(side * scale / PATCH) * PATCH) for side in (width, height)]
    return Window(width, height, inner[0], inner[1], 0, 0, inner[0], inner[1])


def normalized(images: Float32[Tensor, "b 3 h w"]) -> Float32[Tensor, "b 3 h w"]:
    """Return photos, 0 to 1, as the network wants them."""
    mean, deviation = (_channels(values) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / deviation


def network_for(state: Mapping[str, Tensor], max_depth: int) -> Any:
    """Return the metric network, of random weights, that weights of these shapes fit.

    Args:
        state: weights by transformers' names.
        max_depth: metres; what the network answers is a share of it.

    Raises:
        KeyError: weights are missing that tell its shape.
        ResourceError: transformers is not installed.
    """
    transformers = _transformers()
    width = state["backbone.embeddings.cls_token"].shape[-1]
    layer = "backbone.encoder.layer."
    layers = len({name.split(".")[3] for name in state if name.startswith(layer)})
    stages = range(4)
    backbone = transformers.Dinov2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // HEAD_WIDTH),
        mlp_ratio=len(state[f"{layer}0.mlp.fc1.weight"]) // width,
        image_size=SHORT_SIDE,
        patch_size=PATCH,
        out_indices=LAYERS.get(layers, [layers * (i + 1) // 4 for i in stages]),
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    projections = (f"neck.reassemble_stage.layers.{i}.projection.weight" for i in stages)
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=width,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[len(state[name]) for name in projections],
        fusion_hidden_size=len(state["neck.convs.0.weight"]),
        head_hidden_size=len(state["head.conv2.weight"]),
        patch_size=PATCH,
        depth_estimation_type="metric",
        max_depth=max_depth,
    )
    return transformers.DepthAnythingForDepthEstimation(config)


def _transformers() -> Any:
    try:
        import transformers
        from transformers import DepthAnythingForDepthEstimation  # noqa: F401  # Lazily: now.
    except ImportError as error:
        raise ResourceError(
            "Depth Anything needs transformers: pip install 'defocus-recon[prior]'. "
            "METER, LiDAR and depth files do without."
        ) from error
    return transformers


def _from_disparity(disparity: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Return 1 for the nearest pixel and up to `FARTHEST` for disparity 0."""
    largest = np.maximum(disparity.max(), np.finfo(np.float32).tiny)
    offset = 1 / (FARTHEST - 1)
    share = np.maximum(disparity, 0) / largest
    z: Float32[np.ndarray, "h w"] = np.float32(1 + offset) / (share + np.float32(offset))
    return z


def _channels(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values)[:, None, None]
