"""What every maker of bokeh stacks is: from one sharp photo to the photo through wider lenses.

A lens of strength K, focused at the distance s, draws a point at depth z as a disc of the diameter
K |1/s - 1/z| px (`recon.types.ThinLens`); K is in px·m of the image that is given, so that an image
of half the width has half the K for the same lens. The plane of focus belongs to the maker, and is
at infinity unless it says otherwise: blur is K / z then, and grows with K in proportion.

BokehDepth (arXiv 2512.12425) counts radii: its K is f² s / (2 N (s - f)), in metres, times the
sensor's pixels per metre. Ours counts diameters, and is twice that: its 10 px·m are our 20.
"""

import abc
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import UsageError
from recon.types import Camera

USUAL = (10.0, 20.0, 30.0)
"""px·m of photos about 320 px wide: what they are looked at through, beside the photo itself."""


class BokehGenerator(abc.ABC):
    """A maker of bokeh stacks."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What people call it: "light"."""

    @property
    @abc.abstractmethod
    def inverse_focus(self) -> float | None:
        """1 / distance of the plane of focus, in 1/m; 0 is infinity, None where nobody can say."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Return a digest of the model, its weights and its settings.

        Two makers of one identity make the same stack of the same image, on one machine.
        """

    def stack(
        self,
        image: Float[Tensor, "3 h w"],
        strengths: Sequence[float],
        camera: Camera | None = None,
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the image through a lens of each strength, in the order in which they are given.

        Args:
            image: sharp, sRGB, 0 to 1, of any size.
            strengths: K in px·m of the image, each 0 or more; 0 gives the image itself, bit by bit.
            camera: of the image, for makers that want its focal length.

        Returns:
            sRGB, 0 to 1, without a gradient. Discs are no wider than `recon.defocus.operator`
            draws them, 64 px; what should be, is not blurred in proportion any more.

        Raises:
            UsageError: there are no strengths, one is negative or not finite, or the image is not
                what is described.
            ResourceError: an optional package or the weights are missing.
        """
        check_strengths(strengths)
        check_image(image)
        frames = image.detach().expand(len(strengths), -1, -1, -1).clone()
        if blurred := [i for i, strength in enumerate(strengths) if strength > 0]:
            made = self._blurred(image.detach(), [float(strengths[i]) for i in blurred], camera)
            frames[blurred] = made.to(frames).clamp(0, 1)
        return frames

    @abc.abstractmethod
    def _blurred(
        self, image: Float[Tensor, "3 h w"], strengths: Sequence[float], camera: Camera | None
    ) -> Float[Tensor, "n 3 h w"]:
        """Return the image through lenses of strengths that are more than 0 and finite."""


def check_strengths(strengths: Sequence[float]) -> None:
    """Refuse what are not strengths of lenses.

    Raises:
        UsageError: there are none, or one is negative or not finite.
    """
    if not strengths:
        raise UsageError("a bokeh stack of no strengths; expected one K or more, in px·m.")
    for strength in strengths:
        if not 0 <= strength < math.inf:
            raise UsageError(f"a lens of strength {strength}; expected 0 or more, in px·m.")


def check_image(image: Tensor) -> None:
    """Refuse what is not one photo in colour, as sRGB from 0 to 1.

    Raises:
        UsageError: it has other channels than three, is empty, counts in whole numbers, or has
            values that are not finite or lie outside.
    """
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise UsageError(
            f"an image of shape {tuple(image.shape)}; expected 3 x height x width. Give a grey "
            "photo three equal channels."
        )
    if not image.is_floating_point():
        raise UsageError(
            f"an image of {image.dtype}; expected sRGB as floats from 0 to 1. Divide 8 bits by "
            "255, 16 bits by 65535."
        )
    low, high = (float(bound) for bound in torch.aminmax(image.detach()))
    if not (math.isfinite(low + high) and low >= 0 and high <= 1):
        raise UsageError(f"an image with values from {low} to {high}; expected 0 to 1.")


def check_inverse_focus(inverse_focus: float) -> None:
    """Refuse what is no plane of focus.

    Raises:
        UsageError: it is negative or not finite.
    """
    if not 0 <= inverse_focus < math.inf:
        raise UsageError(
            f"an inverse focus distance of {inverse_focus}/m; expected 0, for infinity, or more."
        )
