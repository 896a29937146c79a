"""Depth from a photo's own bokeh stack: METER, and attention over focus in its encoder.

BokehDepth (Zhang et al. 2025, arXiv 2512.12425): the photo is blurred as lenses of several
apertures would, and the encoder sees how each place changes with the aperture.
"""

from functools import cached_property
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon.evidence.store import digest
from recon.files import sha256
from recon.networks.bokeh_generator import check_strengths
from recon.networks.focus_meter import SWEEP, Features, MeterFocus
from recon.networks.focus_stacks import Sharp, StackMaker, stack_maker
from recon.networks.focus_stored import focus_weights_of, load_focus
from recon.networks.meter_canvas import Canvas, MeterVariant, load_meter, weights_of
from recon.networks.meter_network import MeterXxs
from recon.priors.interface import DepthPrior, Frame, PriorDepth

VERSION = "2"
"""Of the code around the networks; results of another are not reused."""
APART = 0.1
"""Log depth by which the base and the attention differ where confidence is 1/e."""


@final
class BokehDepth(DepthPrior):
    """METER with attention over focus, and stacks by the maker that it was taught with."""

    def __init__(
        self,
        variant: MeterVariant,
        base: Path,
        weights: Path,
        strengths: tuple[float, ...] | None = None,
    ) -> None:
        """Take weights; they are read at first use.

        Args:
            variant: of METER.
            base: METER's weights.
            weights: of the attention.
            strengths: K of the lenses in px·m of METER's input; as it was taught where None. With
                none above 0 there is no blur to see, and depth is METER's.

        Raises:
            UsageError: a strength is negative or not finite.
        """
        self.variant, self.base, self.weights = variant, base, weights
        self.strengths = SWEEP[variant] if strengths is None else strengths
        check_strengths(self.strengths)

    @property
    def name(self) -> str:
        """Say for which base."""
        return f"bokeh-depth-{self.variant}"

    @property
    def uses_focal_length(self) -> bool:
        """Photos are shown as METER's training camera would have seen them."""
        return True

    def identity(self) -> str:
        """Digest both weights, the maker of stacks, the strengths and this file's version."""
        return digest(self.name, VERSION, *self._checksums, self._maker.identity())

    def predict(self, frame: Frame) -> PriorDepth:
        """Return metres; not valid where METER's training camera would not have looked.

        Its confidence is exp(-|ln z - ln z_base - m| / 0.1), m the median of the difference: where
        blur moves depth far from what the base says of the sharp photo, one of them is wrong.
        """
        canvas = Canvas(self.variant, frame.camera)
        stack, strengths = self._maker.frames(canvas, frame.pixels, None)
        network, base = self._networks
        with torch.no_grad():
            frames = Features.of(base, canvas.normalized(stack)[None])
            alone = frames.first().depth(base)[0, 0]
            alike = len(strengths) == 1
            seen = frames.first() if alike else network(frames, torch.tensor([strengths]))
            depth = canvas.depth(seen.depth(base)[0, 0])
        trust = torch.where(depth.valid, agreement(depth.z, canvas.depth(alone).z), 0.0)
        return PriorDepth(depth, trust)

    @cached_property
    def _checksums(self) -> tuple[str, str]:
        return sha256(self.base), sha256(self.weights)

    @cached_property
    def _networks(self) -> tuple[MeterFocus, MeterXxs]:
        return load_focus(self.weights, self.variant), load_meter(self.variant, self.base)

    @cached_property
    def _maker(self) -> StackMaker:
        wide = tuple(strength for strength in self.strengths if strength > 0)
        if not wide:
            return Sharp(0)
        network, base = self._networks
        return stack_maker(network.stack, self.variant, base, self.base, wide)


def bokeh_depth(variant: MeterVariant, given: Path | None) -> BokehDepth:
    """Return the prior, its weights found: METER's beside those of the attention, or as METER's.

    Raises:
        DataError: a path was given and no file is there.
        ResourceError: weights are nowhere; the message lists the places.
    """
    weights = focus_weights_of(variant).find(given)
    beside = weights.with_name(weights_of(variant).file)
    base = beside if beside.is_file() else weights_of(variant).find()
    return BokehDepth(variant, base, weights)


def agreement(z: Float[Tensor, "h w"], other: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Return 1 where depths agree, less the more their logarithms differ, 0 where one lacks.

    They may differ by one factor for all, the median's: a fit gives a prior its points' scale.
    """
    both = (z > 0) & (other > 0)
    apart = torch.where(both, z, 1.0).log() - torch.where(both, other, 1.0).log()
    if bool(both.any()):
        apart = apart - apart[both].median()
    return torch.where(both, torch.exp(-apart.abs() / APART), 0.0)
