"""METER: a metric depth network small enough for any CPU, in its smallest form."""

from functools import cached_property
from pathlib import Path
from typing import final

import torch

from recon.evidence.store import digest
from recon.files import sha256
from recon.networks.meter_canvas import Canvas, MeterVariant, load_meter
from recon.networks.meter_network import MeterXxs
from recon.priors.interface import DepthPrior, Frame, PriorDepth

VERSION = "1"
"""Of the code around the network; results of another are not reused."""


@final
class Meter(DepthPrior):
    """METER xxs with a set of weights."""

    def __init__(self, variant: MeterVariant, weights: Path) -> None:
        self.variant = variant
        self.weights = weights

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
        canvas = Canvas(self.variant, frame.camera)
        image = canvas.normalized(canvas.image(frame.pixels))
        with torch.no_grad():
            answer = self._network(image[None])[0, 0]
        return PriorDepth(canvas.depth(answer))

    @cached_property
    def _checksum(self) -> str:
        return sha256(self.weights)

    @cached_property
    def _network(self) -> MeterXxs:
        return load_meter(self.variant, self.weights)
