"""What every depth prior is: from a frame to its depth, before anything is fitted."""

import abc
from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from recon.evidence.coc import CocMap
from recon.evidence.interface import SparseDepth
from recon.evidence.store import digest
from recon.types import Camera, DepthMap, ThinLens


@dataclass(frozen=True, eq=False)
class Frame:
    """What a prior may look at: one photo, its camera, and what is known of its depth."""

    name: str
    """The view's name; files beside the photos are found by it."""
    pixels: UInt8[Tensor, "h w 3"]
    camera: Camera
    """Of the photo's size. Its pose is of no interest here."""
    sparse: SparseDepth | None = None
    """LiDAR returns, for the prior that completes them."""
    lens: ThinLens | None = None
    """What the photo was taken through, in px of it, if it is known; for the prior that tells depth
    by blur."""

    def key(self) -> str:
        """Digest everything that a prior may look at."""
        camera = self.camera
        intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        tensors = [self.pixels]
        if self.sparse is not None:
            tensors += [self.sparse.pixels, self.sparse.depth, self.sparse.weight]
        if self.lens is not None:
            tensors += [self.lens.strength.detach(), self.lens.inverse_focus.detach()]
        contents = (tensor.contiguous().numpy().tobytes() for tensor in tensors)
        return digest(self.name, repr(intrinsics), *contents)


@dataclass(frozen=True, eq=False)
class PriorDepth:
    """Depth at the photo's own size, and how far each pixel of it may be trusted."""

    depth: DepthMap
    confidence: Float[Tensor, "h w"] | None = None
    """In [0, 1], 0 where the depth is not valid; None where the prior does not say."""
    coc: CocMap | None = None
    """Circles of confusion, from the prior that tells depth by them."""
    note: str = ""
    """What a person should know of this photo; empty where there is nothing."""


class DepthPrior(abc.ABC):
    """A source of depth for single photos. Sizes and focal lengths are its own business."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What people call it: "meter-kitti"."""

    @property
    @abc.abstractmethod
    def uses_focal_length(self) -> bool:
        """Whether the camera's focal length changes the answer; where not, any will do."""

    @abc.abstractmethod
    def identity(self) -> str:
        """Return a digest of the model, its weights and its settings.

        Two priors of one identity give the same depth for the same frame, on one machine.
        """

    @abc.abstractmethod
    def predict(self, frame: Frame) -> PriorDepth:
        """Return depth at the frame's size; the same frame gives the same depth.

        Raises:
            DataError: this frame lacks what the prior needs; the message names the frame.
            ResourceError: an optional package or the weights are missing.
        """
