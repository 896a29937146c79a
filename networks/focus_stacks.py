"""The bokeh stacks that METER's encoder looks at: through which lenses, and who makes them."""

import abc
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from recon.errors import DataError
from recon.evidence.store import digest
from recon.files import sha256
from recon.networks.bokeh_from_depth import FromDepth
from recon.networks.bokeh_generator import BokehGenerator
from recon.networks.bokeh_light import LightBokeh
from recon.networks.focus_meter import SWEEP, StackName
from recon.networks.meter_canvas import TRAINING, Canvas, MeterVariant
from recon.networks.meter_network import MeterXxs
from recon.types import Camera, DepthMap
from recon.window import Window

Stack = tuple[Float[Tensor, "f 3 v u"], tuple[float, ...]]
"""A photo and its blurred frames, sRGB, 0 to 1; and K of each, the first of which is 0."""


class StackMaker(abc.ABC):
    """From a photo, and its depth if that is known, to a stack at the size of METER's input."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Return a digest of all that its stacks depend on, but for the photo."""

    @abc.abstractmethod
    def frames(
        self, canvas: Canvas, pixels: UInt8[Tensor, "h w 3"], depth: DepthMap | None
    ) -> Stack:
        """Return the photo as it lies on the canvas, and through each lens.

        Raises:
            DataError: it needs the true depth, and there is none.
        """


@final
class Generated(StackMaker):
    """Stacks by a maker of bokeh, which does not know the true depth."""

    def __init__(self, generator: BokehGenerator, strengths: tuple[float, ...]) -> None:
        self.generator, self.strengths = generator, strengths

    def identity(self) -> str:
        """Digest the generator and the strengths."""
        return digest(self.generator.identity(), repr(self.strengths))

    def frames(
        self, canvas: Canvas, pixels: UInt8[Tensor, "h w 3"], depth: DepthMap | None
    ) -> Stack:
        """Blur what lies on the canvas; the white frame that it may have stays as it is."""
        return _stacked(canvas, pixels, self.generator, self.strengths)


@final
class Exact(StackMaker):
    """Stacks by the true depth: what blur could tell if the maker knew all."""

    def __init__(self, strengths: tuple[float, ...]) -> None:
        self.strengths = strengths

    def identity(self) -> str:
        """Digest the strengths."""
        return digest("exact", repr(self.strengths))

    def frames(
        self, canvas: Canvas, pixels: UInt8[Tensor, "h w 3"], depth: DepthMap | None
    ) -> Stack:
        """Blur by the true depth."""
        if depth is None:
            raise DataError(
                "attention that was taught with stacks by exact depth wants to see such stacks, "
                "which nobody has of a photo. Train with --stack own."
            )
        known = canvas.inputs(depth)
        return _stacked(canvas, pixels, FromDepth(lambda *_: known, "truth"), self.strengths)


@final
class Sharp(StackMaker):
    """The photo itself again and again, without blur: what the same training brings without it."""

    def __init__(self, count: int) -> None:
        self.count = count

    def identity(self) -> str:
        """Digest the number of frames."""
        return digest("sharp", repr(self.count))

    def frames(
        self, canvas: Canvas, pixels: UInt8[Tensor, "h w 3"], depth: DepthMap | None
    ) -> Stack:
        """Repeat the photo."""
        image = canvas.image(pixels)
        return image.expand(1 + self.count, -1, -1, -1), (0.0,) * (1 + self.count)


@final
class OwnDepth:
    """METER's depth of what lies on its canvas, for the maker of bokeh that is told depth."""

    def __init__(self, variant: MeterVariant, base: MeterXxs) -> None:
        self._base, self._trained = base, TRAINING[variant]
        self._canvas = Canvas(variant, self._trained.camera)
        own = self._trained
        self._whole = Window(
            own.width, own.height, own.width, own.height, 0, 0, own.width, own.height
        )

    def __call__(self, pixels: UInt8[Tensor, "h w 3"], camera: Camera | None) -> DepthMap:
        """Return metres at each pixel; the camera is METER's in any case."""
        image = self._canvas.normalized(pixels.permute(2, 0, 1) / 255)
        with torch.no_grad():
            answer = self._trained.unit * self._base(image[None])[0, 0]
        z = torch.from_numpy(self._whole.read(answer.numpy(), self._trained.phase))
        valid = z.isfinite() & (z > 0)
        return DepthMap(torch.where(valid, z, 0.0), valid)


def stack_maker(
    name: StackName,
    variant: MeterVariant,
    base: MeterXxs,
    weights: Path,
    strengths: tuple[float, ...] | None = None,
) -> StackMaker:
    """Return the maker of stacks of a name.

    Args:
        name: of the maker.
        variant: of METER.
        base: with its weights.
        weights: their file, which identifies them.
        strengths: K of the lenses in px·m of METER's input; the variant's sweep where None.
    """
    k = SWEEP[variant] if strengths is None else strengths
    match name:
        case "own":
            own = FromDepth(OwnDepth(variant, base), digest(variant, sha256(weights)))
            return Generated(own, k)
        case "light":
            return Generated(LightBokeh(), k)
        case "exact":
            return Exact(k)
        case "sharp":
            return Sharp(len(k))


def _stacked(
    canvas: Canvas,
    pixels: UInt8[Tensor, "h w 3"],
    generator: BokehGenerator,
    strengths: tuple[float, ...],
) -> Stack:
    image = canvas.image(pixels)
    # Resizing may leave 0 to 1 by a rounding.
    blurred = generator.stack(image.clamp(0, 1), strengths, canvas.trained.input_camera)
    blurred = torch.where(canvas.inside, blurred, image)
    return torch.cat([image[None], blurred]), (0.0, *strengths)
