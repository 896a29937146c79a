"""What is known of a view beside its photo, and who knows it."""

import abc
import enum
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon.counter import Counter, silent
from recon.defocus.stack import BlurStack
from recon.evidence.coc import CocMap
from recon.types import View


class Need(enum.Enum):
    """A kind of evidence that a supervision term may ask for."""

    LIDAR = "LiDAR"
    PRIOR = "a depth prior"
    STACK = "blurred photos"
    SKY = "sky masks"
    MATCHES = "matches between photos"
    COC = "circles of confusion told by the photos' blur"
    NEIGHBOUR = "the depth of neighbouring views as they were rendered last"


@dataclass(frozen=True, eq=False)
class SparseDepth:
    """Depth at some places of a photo, in the capture's unit."""

    pixels: Float[Tensor, "n 2"]
    """x and y; inside the photo."""
    depth: Float[Tensor, " n"]
    """Along the optical axis, more than 0."""
    weight: Float[Tensor, " n"]
    """How far each is to be believed, 0 to 1."""

    def scaled(self, x: float, y: float) -> "SparseDepth":
        """Return the same depths in a photo with other numbers of columns and rows."""
        return SparseDepth(self.pixels * torch.tensor([x, y]), self.depth, self.weight)

    def to(self, device: torch.device) -> "SparseDepth":
        """Return it on another device."""
        return SparseDepth(*(getattr(self, f.name).to(device) for f in fields(self)))

    def index(self, width: int, height: int) -> tuple[Tensor, Tensor]:
        """Return rows and columns of the pixels that hold the places."""
        column = self.pixels[:, 0].long().clamp(0, width - 1)
        row = self.pixels[:, 1].long().clamp(0, height - 1)
        return row, column


@dataclass(frozen=True, eq=False)
class DenseDepth:
    """Depth over a photo, in the capture's unit, and how far it is to be believed."""

    depth: Float[Tensor, "h w"]
    """Along the optical axis; 0 where nothing is known."""
    confidence: Float[Tensor, "h w"]
    """0 to 1; 0 where nothing is known."""

    def resized(self, width: int, height: int) -> "DenseDepth":
        """Return the values of the nearest pixels: means across edges would float in between."""
        both = torch.stack([self.depth, self.confidence])[None]
        if self.depth.shape != (height, width):
            both = interpolate(both, (height, width), mode="nearest-exact")
        return DenseDepth(both[0, 0], both[0, 1])

    def to(self, device: torch.device) -> "DenseDepth":
        """Return it on another device."""
        return DenseDepth(self.depth.to(device), self.confidence.to(device))


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one view at one size; None where nobody asked, or nobody knows."""

    lidar: SparseDepth | None = None
    sky: Bool[Tensor, "h w"] | None = None
    """Where the photo shows nothing but sky."""
    prior: DenseDepth | None = None
    stack: BlurStack | None = None
    """The photo, blurred; at a size of its own."""
    matches: SparseDepth | None = None
    """Depth at pixels that match in other photos."""
    coc: CocMap | None = None
    """How blurred the photo is where."""

    def resized(self, view: View, width: int, height: int) -> "Evidence":
        """Return the evidence for the view's photo at another size."""
        camera = view.camera
        scale = width / camera.width, height / camera.height
        return Evidence(
            lidar=None if self.lidar is None else self.lidar.scaled(*scale),
            sky=None if self.sky is None else _all_of(self.sky, width, height),
            prior=None if self.prior is None else self.prior.resized(width, height),
            stack=self.stack,
            matches=None if self.matches is None else self.matches.scaled(*scale),
            coc=None if self.coc is None else self.coc.resized(width, height),
        )

    def to(self, device: torch.device) -> "Evidence":
        """Return it on another device."""
        return Evidence(
            lidar=None if self.lidar is None else self.lidar.to(device),
            sky=None if self.sky is None else self.sky.to(device),
            prior=None if self.prior is None else self.prior.to(device),
            stack=None if self.stack is None else self.stack.to(device),
            matches=None if self.matches is None else self.matches.to(device),
            coc=None if self.coc is None else self.coc.to(device),
        )


class Provider(abc.ABC):
    """Knows one kind of evidence about the views of a capture."""

    gives: ClassVar[Need]

    def prepare(self, counter: Counter = silent) -> tuple[str, ...]:
        """Do what takes long before views are asked for; else the first `add` does it.

        Returns:
            What a person should know of it.
        """
        return ()

    @property
    def knows_nothing(self) -> bool:
        """Whether it has nothing to say of any view; it may take long to find out."""
        return False

    @abc.abstractmethod
    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with what is known of a training view, at the view's own size.

        Raises:
            DataError: a file cannot be read; the message names it.
        """


def gathered(view: View, providers: Iterable[Provider]) -> Evidence:
    """Return what all providers know of a training view, in their order."""
    evidence = Evidence()
    for provider in providers:
        evidence = provider.add(evidence, view)
    return evidence


def _all_of(mask: Bool[Tensor, "h w"], width: int, height: int) -> Bool[Tensor, "v u"]:
    """Resize a mask: a small pixel is set only where all that it covers is."""
    if mask.shape == (height, width):
        return mask
    share = interpolate(mask[None, None].float(), (height, width), mode="area")
    return (share > 1 - 1e-4)[0, 0]
