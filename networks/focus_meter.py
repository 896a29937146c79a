"""METER with attention over focus: its encoder looks at a bokeh stack, its decoder stays."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from recon.networks.focus_attention import FocusBlock, FocusSettings
from recon.networks.meter_canvas import MeterVariant
from recon.networks.meter_network import MeterXxs


@dataclass(frozen=True, eq=False)
class Features:
    """What METER's encoder says of some photos."""

    deepest: Float[Tensor, "*b 160 _ _"]
    """At 1/32 of their size."""
    sixteenth: Float[Tensor, "*b 64 _ _"]
    eighth: Float[Tensor, "*b 48 _ _"]
    quarter: Float[Tensor, "*b 24 _ _"]

    @staticmethod
    def of(base: MeterXxs, images: Float[Tensor, "*b 3 h w"]) -> "Features":
        """Look at photos, prepared as the base wants them."""
        deepest, skips = base.encoder(images.flatten(0, -4))
        maps = (deepest, *skips)
        return Features(*(one.unflatten(0, images.shape[:-3]) for one in maps))

    def depth(self, base: MeterXxs) -> Float[Tensor, "b 1 h w"]:
        """Return the base's depth, in its own unit, at a quarter of the photos' size."""
        skips = [self.sixteenth, self.eighth, self.quarter]
        answer: Tensor = base.decoder(self.deepest, skips)
        return answer

    def first(self) -> "Features":
        """Return those of the first photo of each stack."""
        return Features(*(one[:, 0].contiguous() for one in self.maps))

    @property
    def maps(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four, from the smallest."""
        return self.deepest, self.sixteenth, self.eighth, self.quarter


StackName = Literal["own", "light", "exact", "sharp"]
"""Who makes stacks: own blurs by METER's own depth, light is the generator without depth, exact
blurs by the true depth, and sharp not at all."""
SWEEP: dict[MeterVariant, tuple[float, ...]] = {
    "kitti": (20.0, 40.0, 60.0),
    "nyu": (4.0, 8.0, 12.0),
}
"""K in px·m of the network's input, focused at infinity: discs of 4, 8 and 12 px at 5 m on streets
and at 1 m in rooms, and of about 1 px where they end. The largest is the blocks' unit."""
WIDTHS = (160, 64, 48)
"""Channels of the maps that attend over focus: at 1/32, 1/16 and 1/8 of the photo's size."""
STEPS = (1, 2, 4)
"""Places of a map attend to those so far apart, so that each sees as many: the whole at 1/32."""


class MeterFocus(nn.Module):
    """The blocks that METER gets: one for each of three sizes of its features. Trained alone."""

    def __init__(self, variant: MeterVariant, stack: StackName = "own") -> None:
        """Make untrained blocks.

        Args:
            variant: METER's weights that they are for.
            stack: who makes the stacks that they are taught with, and so want to see.
        """
        super().__init__()
        self.variant, self.stack = variant, stack
        unit = SWEEP[variant][-1]
        self.blocks = nn.ModuleList(
            FocusBlock(FocusSettings(width, heads=4, expansion=2, unit=unit)) for width in WIDTHS
        )

    def forward(self, frames: Features, strengths: Float[Tensor, "b f"]) -> Features:
        """Return the first frame's features, having seen the others.

        Args:
            frames: of stacks, whose first photo is the sharp one; of the quarter only it is used.
            strengths: K of each frame, in px·m of the network's input; the first is 0.
        """
        maps = []
        for block, step, one in zip(self.blocks, STEPS, frames.maps[:3], strict=True):
            assert isinstance(block, FocusBlock)
            maps.append(block.maps(one, strengths, step))
        deepest, sixteenth, eighth = maps
        return Features(deepest, sixteenth, eighth, frames.quarter[:, 0].contiguous())
