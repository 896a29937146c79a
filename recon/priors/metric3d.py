"""Metric3D v2 through ONNX Runtime: metric depth for any camera whose focal length is known.

Hu et al. 2024, "Metric3D v2" (arXiv 2404.15506); the canonical camera transform is from Yin et al.
2023 (arXiv 2307.10984), in the form that scales labels: the network answers as if every photo had
a focal length of 1000 px, and its answer is scaled by the true one.
"""

import math
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float32

from recon.errors import DataError, ResourceError, first_line
from recon.evidence.store import digest
from recon.evidence.weights import Weights
from recon.files import sha256
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthMap
from recon.window import Window

Metric3dSize = Literal["s", "l"]
CANONICAL_FOCAL = 1000.0
"""px."""
HEIGHT, WIDTH = 616, 1064
"""Of the input, where the file leaves it open."""
PADDING = (123.675, 116.28, 103.53)
"""ImageNet's mean colour, which becomes 0 inside the network."""
SKY = 190.0
"""Canonical metres. The sky was taught as 200, where the range ends: what is beyond is no depth."""
DEPTH_OUTPUTS = ("predicted_depth", "pred_depth")
VERSION = "1"
WORDS: dict[Metric3dSize, str] = {"s": "small", "l": "large"}


def weights_of(size: Metric3dSize) -> Weights:
    """Return where a size's network may be, exported to ONNX with the normalisation inside."""
    return Weights(
        f"Metric3D v2 ViT-{size.upper()}",
        f"metric3d_vit_{WORDS[size]}.onnx",
        f"onnx-community/metric3d-vit-{WORDS[size]}",
        "METER, LiDAR or depth files as prior",
        hub_file="onnx/model.onnx",
    )


@final
class Metric3d(DepthPrior):
    """Metric3D v2 of one size."""

    def __init__(self, size: Metric3dSize, weights: Path) -> None:
        self.size = size
        self.weights = weights

    @property
    def name(self) -> str:
        """Say which size."""
        return f"metric3d-{self.size}"

    @property
    def uses_focal_length(self) -> bool:
        """Metres are in proportion to it."""
        return True

    def identity(self) -> str:
        """Digest the network's file and this file's version."""
        return digest(self.name, VERSION, self._checksum)

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres; the sky is not valid."""
        session = self._session
        height, width = (
            size if isinstance(size, int) else default
            for size, default in zip(
                session.get_inputs()[0].shape[2:], (HEIGHT, WIDTH), strict=True
            )
        )
        camera = frame.camera
        window = Window.fitted(camera.width, camera.height, width, height)
        canonical = window.read(self._canonical(window.filled(frame.pixels.numpy(), PADDING)))
        across, down = window.scales
        focal = math.sqrt(camera.fx * across * camera.fy * down)
        z = canonical * np.float32(focal / CANONICAL_FOCAL)
        valid = torch.from_numpy(np.isfinite(z) & (z > 0) & (canonical < SKY))
        return PriorDepth(DepthMap(torch.where(valid, torch.from_numpy(z), 0.0), valid))

    @cached_property
    def _checksum(self) -> str:
        # Networks above 2 GB keep their numbers in a second file.
        data = self.weights.with_name(f"{self.weights.name}_data")
        return "".join(sha256(path) for path in (self.weights, data) if path.is_file())

    @cached_property
    def _session(self) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise ResourceError(
                "Metric3D needs ONNX Runtime: pip install 'defocus-recon[prior]'. "
                "METER, LiDAR and depth files do without."
            ) from error
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            session = onnxruntime.InferenceSession(str(self.weights), providers=providers)
        except Exception as error:  # Its errors share no class.
            raise DataError(
                f"{self.weights}: expected {weights_of(self.size).name} as .onnx "
                f"({first_line(error)})."
            ) from error
        inputs = session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[1] != 3:
            found = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise DataError(
                f"{self.weights}: takes {found}; expected one image of shape (1, 3, height, "
                f"width), as {weights_of(self.size).name} does."
            )
        return session

    def _canonical(self, canvas: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "a b"]:
        session = self._session
        names = [output.name for output in session.get_outputs()]
        depth_name = next((name for name in DEPTH_OUTPUTS if name in names), names[0])
        image = session.get_inputs()[0]
        kind = np.float16 if image.type == "tensor(float16)" else np.float32
        given = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], kind)
        answer: Any = session.run([depth_name], {image.name: given})[0]
        depth = np.asarray(answer, np.float32)
        if depth.size != depth.shape[-2] * depth.shape[-1]:
            raise DataError(
                f"{self.weights}: answers with shape {depth.shape}; expected one depth map."
            )
        return depth.reshape(depth.shape[-2:])
