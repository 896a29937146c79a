"""What a layer of the page is: one way to picture a scene from one place."""

import abc
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.pictures import Picture
from recon.raster.interface import COVERED, Render
from recon.render import Stage, covered_depth
from recon.types import Camera, ThinLens
from recon.viewer.cameras import Frame
from recon.viewer.look import Look


@dataclass(frozen=True, eq=False)
class Vantage:
    """A scene, and the place and manner in which it is looked at; drawn when first asked for."""

    stage: Stage
    camera: Camera
    look: Look
    frame: Frame | None = None
    """Where the photo of `look.at` lies in the picture; None where the person is at none."""

    @cached_property
    def lens(self) -> ThinLens | None:
        """The lens for this picture; None where everything is sharp."""
        return self.look.lens.lens(self.camera)

    @cached_property
    def sharp(self) -> Render:
        """The scene without a lens."""
        return self.stage.draw(self.camera, taken_as=self.look.at)

    @cached_property
    def blurred(self) -> Render:
        """The scene through the lens."""
        if self.lens is None:
            return self.sharp
        return self.stage.draw(self.camera, self.lens, taken_as=self.look.at)

    @property
    def covered(self) -> Bool[Tensor, "h w"]:
        """Where the scene is opaque enough to have a depth."""
        return self.sharp.alpha >= COVERED

    @property
    def surface(self) -> Float[Tensor, "h w"]:
        """The median depth without a lens, 0 where nothing is covered: what a person points at."""
        return covered_depth(self.sharp, "median")

    def drawn_with(self, values: Float[Tensor, "n 3"]) -> Float[Tensor, "h w 3"]:
        """Draw any three numbers at least 0 of each Gaussian in the place of its colour."""
        painted = self.stage.scene.gaussians.painted(values)
        with torch.no_grad():
            return self.stage.rasterizer.render(painted, self.camera, sh_degree=0).color


class Layer(abc.ABC):
    """One way to picture a scene. A new one is a class and a line in `recon.viewer.layers`."""

    title: ClassVar[str]
    """For people."""
    about: ClassVar[str]
    """One sentence: what the colours say."""
    spans_depth: ClassVar[bool] = False
    """Whether `look.depths` matters to it."""

    @abc.abstractmethod
    def picture(self, vantage: Vantage) -> Picture:
        """Draw it."""

    def legend(self, look: Look, unit: str) -> Picture | None:
        """Return the scale of its colours, some 60 px wide; None where it needs none."""
        return None
