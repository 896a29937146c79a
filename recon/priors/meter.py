"""METER: a metric depth network small enough for any CPU, in its smallest form.

Its two published sets of weights know one camera each: photos are first shown as that camera would
have seen them (the canonical camera transform of Metric3D, Yin et al. 2023, arXiv 2307.10984), and
what lies outside of its view gets no depth.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, final

import cv2
import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from recon.errors import DataError, first_line
from recon.evidence.store import digest
from recon.evidence.weights import Weights
from recon.files import sha256
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.priors.meter_network import MeterXxs
from recon.priors.window import Margins, Window, inside
from recon.types import Camera, DepthMap

MeterVariant = Literal["kitti", "nyu"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VERSION = "1"
"""Of the code around the network; results of another are not reused."""


@dataclass(frozen=True)
class Training:
    """What a set of weights was trained on, and so expects."""

    camera: Camera
    """Of the training photos, at the size at which ours are prepared."""
    width: int
    """Of the network's input, to which that size is shrunk."""
    height: int
    frame: Margins
    """White pixels at the left, top, right and bottom of each photo. NYU's have them, and without
    them the network's scale is off by a half: AbsRel .59 against .24 on 7-Scenes."""
    normalized: bool
    """By ImageNet's mean and deviation."""
    unit: float
    """Metres for one step of the output."""
    phase: float
    """Where in its cell an output belongs. KITTI's were taught the depth at the cell's corner:
    with 0 the median depth is right to 2 %, with 0.5 it is 4 % too large (its ground shifted)."""


def _camera(focal: float, cx: float, cy: float, width: int, height: int) -> Camera:
    return Camera(torch.eye(4), focal, focal, cx, cy, width, height)


TRAINING: dict[MeterVariant, Training] = {
    "kitti": Training(
        camera=_camera(370.7, 314.0, 91.0, 640, 192),
        width=640,
        height=192,
        frame=(0, 0, 0, 0),
        normalized=False,
        unit=0.1,
        phase=0.0,
    ),
    "nyu": Training(
        camera=_camera(519.0, 325.6, 253.7, 640, 480),
        width=256,
        height=192,
        frame=(7, 6, 8, 5),
        normalized=True,
        unit=0.01,
        phase=0.5,
    ),
}


def weights_of(variant: MeterVariant) -> Weights:
    """Return where a variant's weights may be."""
    return Weights(
        f"METER for {variant.upper()}",
        f"build_model_best_{variant}_xxs",
        None,
        "LiDAR or depth files as prior",
        source="its authors on GitHub, lorenzopapa5/METER, models/",
    )


@final
class Meter(DepthPrior):
    """METER xxs with a set of weights."""

    def __init__(self, variant: MeterVariant, weights: Path) -> None:
        self.variant = variant
        self.weights = weights
        self.training = TRAINING[variant]

    @property
    def name(self) -> str:
        """Say which set of weights."""
        return f"meter-{self.variant}"

    @property
    def uses_focal_length(self) -> bool:
        """Photos are shown as the training camera would have seen them."""
        return True

    def identity(self) -> str:
        """Digest the weights and this file's version."""
        return digest(self.name, VERSION, self._checksum)

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres; not valid where the training camera would not have looked."""
        trained = self.training
        window = Window.canonical(frame.camera, trained.camera)
        canvas = window.mirrored(frame.pixels.numpy())
        canvas[~inside(trained.frame, trained.camera.width, trained.camera.height)] = 255.0
        z = window.read(self._depth_of(canvas), trained.phase)
        valid = torch.from_numpy(window.seen(trained.frame) & np.isfinite(z) & (z > 0))
        return PriorDepth(DepthMap(torch.where(valid, torch.from_numpy(z), 0.0), valid))

    @cached_property
    def _checksum(self) -> str:
        return sha256(self.weights)

    @cached_property
    def _network(self) -> MeterXxs:
        network = MeterXxs()
        expected = f"{self.weights}: expected the weights of {weights_of(self.variant).name}"
        try:
            state = torch.load(self.weights, map_location="cpu", weights_only=True)
        except Exception as error:  # Torch's own advice is to trust the file; ours is another.
            raise DataError(
                f"{expected}, found no tensors saved by torch. Fetch the file again, or give "
                "another with --weights."
            ) from error
        try:
            network.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise DataError(f"{expected}, found others ({first_line(error)}).") from error
        return network.eval()

    def _depth_of(self, canvas: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "a b"]:
        size = (self.training.width, self.training.height)
        small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
        image = torch.from_numpy(small).permute(2, 0, 1)[None] / 255
        if self.training.normalized:
            image = (image - _channels(IMAGENET_MEAN)) / _channels(IMAGENET_STD)
        with torch.no_grad():
            depth: np.ndarray = self._network(image)[0, 0].numpy() * self.training.unit
        return depth.astype(np.float32)


def _channels(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values)[:, None, None]
