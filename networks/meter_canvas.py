"""What METER's weights expect: photos as the camera of their training photos would have seen them.

Its two published sets of weights know one camera each: photos are first shown as that camera would
have seen them (the canonical camera transform of Metric3D, Yin et al. 2023, arXiv 2307.10984), and
what lies outside of its view gets no depth.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor

from recon.errors import DataError, first_line
from recon.evidence.weights import Weights, unfilled
from recon.networks.meter_network import MeterXxs
from recon.types import Camera, DepthMap
from recon.window import Margins, Window, inside

MeterVariant = Literal["kitti", "nyu"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CELL = 4
"""Pixels of the network's input to a side of one of its answers."""


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

    @property
    def shrink(self) -> float:
        """Pixels of the network's input to one of the prepared photo, across."""
        return self.width / self.camera.width

    @property
    def input_camera(self) -> Camera:
        """The training camera in pixels of the network's input."""
        own, across, down = self.camera, self.shrink, self.height / self.camera.height
        focal, centre = (own.fx * across, own.fy * down), (own.cx * across, own.cy * down)
        return Camera(own.world_to_camera, *focal, *centre, self.width, self.height)


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


class Canvas:
    """Where the photos of one camera lie before the network, and the way there and back."""

    def __init__(self, variant: MeterVariant, camera: Camera) -> None:
        self.trained = TRAINING[variant]
        self.window = Window.canonical(camera, self.trained.camera)

    @property
    def inside(self) -> Bool[Tensor, "v u"]:
        """Which pixels of the network's input lie inside the white frame, all of each."""
        own = self.trained
        whole = inside(own.frame, own.camera.width, own.camera.height).astype(np.float32)
        small = cv2.resize(whole, (own.width, own.height), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small > 0.999)

    def image(self, pixels: UInt8[Tensor, "h w 3"]) -> Float[Tensor, "3 v u"]:
        """Return the photo at the size of the network's input, sRGB, 0 to 1."""
        canvas = self.window.mirrored(pixels.numpy())
        own = self.trained
        canvas[~inside(own.frame, own.camera.width, own.camera.height)] = 255.0
        small = cv2.resize(canvas, (own.width, own.height), interpolation=cv2.INTER_AREA)
        return torch.from_numpy(small).permute(2, 0, 1) / 255

    def normalized(self, images: Float[Tensor, "*b 3 v u"]) -> Float[Tensor, "*b 3 v u"]:
        """Return images as the network wants them."""
        if not self.trained.normalized:
            return images
        return (images - _channels(IMAGENET_MEAN)) / _channels(IMAGENET_STD)

    def depth(self, answer: Float32[Tensor, "a b"]) -> DepthMap:
        """Return metres at the photo's pixels; not valid where the camera would not have looked.

        Args:
            answer: the network's, in its own unit.
        """
        metres: np.ndarray = answer.numpy() * self.trained.unit
        z = self.window.read(metres.astype(np.float32), self.trained.phase)
        valid = torch.from_numpy(self.window.seen(self.trained.frame) & np.isfinite(z) & (z > 0))
        return DepthMap(torch.where(valid, torch.from_numpy(z), 0.0), valid)

    def answers(self, depth: DepthMap) -> DepthMap:
        """Return the photo's depth where the network's answers belong: the nearest pixel's."""
        own = self.trained
        return self._sampled(depth, own.height // CELL, own.width // CELL, own.phase)

    def inputs(self, depth: DepthMap) -> DepthMap:
        """Return the photo's depth at the pixels of the network's input: the nearest pixel's."""
        return self._sampled(depth, self.trained.height, self.trained.width, 0.5)

    def _sampled(self, depth: DepthMap, rows: int, columns: int, phase: float) -> DepthMap:
        places, on_photo = self.window.pixels_of(rows, columns, phase, self.trained.frame)
        valid = torch.from_numpy(on_photo) & depth.valid[places]
        return DepthMap(torch.where(valid, depth.z[places], 0.0), valid, depth.kind)


def weights_of(variant: MeterVariant) -> Weights:
    """Return where a variant's weights may be."""
    return Weights(
        f"METER for {variant.upper()}",
        f"build_model_best_{variant}_xxs",
        None,
        "LiDAR or depth files as prior",
        source="its authors on GitHub, lorenzopapa5/METER, models/",
    )


def load_meter(variant: MeterVariant, path: Path) -> MeterXxs:
    """Read a set of weights.

    Raises:
        DataError: the file holds something else; the message names it.
    """
    network = unfilled(MeterXxs)
    expected = f"{path}: expected the weights of {weights_of(variant).name}"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # Torch's own advice is to trust the file; ours is another.
        raise DataError(
            f"{expected}, found no tensors saved by torch. Fetch the file again, or give another "
            "with --weights."
        ) from error
    try:
        network.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError) as error:
        raise DataError(f"{expected}, found others ({first_line(error)}).") from error
    return network.eval()


def _channels(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values)[:, None, None]
