"""Depth Anything V2 with BokehDepth's published attention over focus, for streets, in metres.

Zhang et al. 2025, arXiv 2512.12425. The file holds encoder, decoder and attention, which were
taught together. Its names and shapes are those of the published code; the file itself, its metres
and the K that it was taught with could not be tried here. The stack is blurred by the same
network's depth of the sharp photo, where the paper lets FLUX draw it.
"""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import DataError, first_line
from recon.evidence.store import digest
from recon.evidence.weights import Weights
from recon.files import sha256
from recon.networks.bokeh_from_depth import FromDepth
from recon.networks.focus_dpt import DptFocus, published
from recon.priors.bokeh_depth import agreement
from recon.priors.depth_anything import HEADS, enlarged, network_for, normalized
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthMap
from recon.window import Window

WEIGHTS = Weights(
    "BokehDepth's Depth Anything V2",
    "DAV2_dsfa_release.pth",
    "fogradio/BokehDepth",
    "the priors depth-anything-outdoor-l and meter-kitti",
)
PUBLISHED = (10.0, 20.0, 30.0)
"""K as the published code counts it: half of ours, since it counts radii."""
FARTHEST = 80
"""Metres; the published network answers with a share of it."""
VERSION = "3"
"""Of the code around the network; results of another are not reused."""


@final
class BokehDepthAnything(DepthPrior):
    """Depth Anything V2 that looks at the photo and the photo through wider lenses."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return "bokeh-depth-anything"

    @property
    def uses_focal_length(self) -> bool:
        """Metres are in proportion to it."""
        return True

    def identity(self) -> str:
        """Digest the weights, the strengths and this file's version."""
        return digest(self.name, VERSION, self._checksum, repr(PUBLISHED))

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres, and how far they agree with what the sharp photo alone says."""
        camera = frame.camera
        window = enlarged(camera.width, camera.height)
        across, down = window.scales
        focal = HEADS["outdoor"].focal
        assert focal is not None
        factor = math.sqrt(camera.fx * across * camera.fy * down) / focal
        image = torch.from_numpy(window.resized(frame.pixels.numpy())).permute(2, 0, 1) / 255
        image = image.clamp(0, 1)
        said = factor * self._answer(image[None], (0.0,))
        maker = FromDepth(lambda *_: DepthMap(said, said > 0), self.identity())
        stack = torch.cat([image[None], maker.stack(image, [2 * k for k in PUBLISHED])])
        found = _read(window, factor * self._answer(stack, (0.0, *PUBLISHED)))
        trust = torch.where(found.valid, agreement(found.z, _read(window, said).z), 0.0)
        return PriorDepth(found, trust)

    def _answer(
        self, stack: Float[Tensor, "f 3 h w"], strengths: tuple[float, ...]
    ) -> Float[Tensor, "h w"]:
        network, focus = self._networks
        with torch.no_grad():
            if len(strengths) == 1:
                answer: Tensor = network(normalized(stack)).predicted_depth[0]
                return answer.float()
            seen: Tensor = focus(network, normalized(stack)[None], torch.tensor([strengths]))
        return seen[0].float()

    @cached_property
    def _checksum(self) -> str:
        return sha256(self.weights)

    @cached_property
    def _networks(self) -> tuple[Any, DptFocus]:
        return load_published(self.weights)


def _read(window: Window, metres: Float[Tensor, "h w"]) -> DepthMap:
    """Return depth at the photo's size."""
    z = window.read(metres.numpy())
    valid = torch.from_numpy(np.isfinite(z) & (z > 0))
    return DepthMap(torch.where(valid, torch.from_numpy(z), 0.0), valid)


def load_published(path: Path) -> tuple[Any, DptFocus]:
    """Read published weights: transformers' network, and the attention.

    Raises:
        DataError: the file is damaged, or of another network; the message names what differs.
        ResourceError: transformers is not installed.
    """
    expected = f"{path}: expected {WEIGHTS.name}"
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # Torch's own advice is to trust the file; ours is another.
        raise DataError(f"{expected}, found no tensors saved by torch. Fetch it again.") from error
    state = whole.get("model", whole) if isinstance(whole, Mapping) else {}
    tensors = {name: one for name, one in state.items() if isinstance(one, Tensor)}
    known, told = published(tensors)
    attention = next((one for name, one in told.items() if name.endswith("out_proj.weight")), None)
    if attention is None:
        raise DataError(f"{expected}, found nothing called encoder_fusion.layers in it.")
    places = sorted({int(name.split(".")[1]) for name in told})
    try:
        network = network_for(known, FARTHEST)
        focus = DptFocus(len(attention), tuple(places))
        network.load_state_dict(known)
        focus.load_state_dict(told)
    except (RuntimeError, KeyError, ValueError) as error:
        raise DataError(f"{expected}, found others ({first_line(error)}).") from error
    return network.eval(), focus.eval()


def bokeh_depth_anything(given: Path | None) -> BokehDepthAnything:
    """Return the prior, its weights found.

    Raises:
        DataError: a path was given and no file is there.
        ResourceError: the weights are nowhere; the message lists the places.
    """
    return BokehDepthAnything(WEIGHTS.find(given))
