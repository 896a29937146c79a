"""The maker of bokeh stacks that is told depth: a depth map and the defocus operator."""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from recon.defocus import defocus
from recon.errors import DataError
from recon.evidence.store import digest
from recon.networks.bokeh_generator import BokehGenerator, check_inverse_focus
from recon.optics import thin_lens
from recon.types import Camera, DepthKind, DepthMap

DepthOf = Callable[[UInt8[Tensor, "h w 3"], Camera | None], DepthMap]
"""From a photo, and its camera if it is known, to its depth in metres."""


@final
class FromDepth(BokehGenerator):
    """Blurs by the depth that another model gives, wherever its depth comes from."""

    def __init__(self, depth_of: DepthOf, identity: str, inverse_focus: float = 0.0) -> None:
        """Take a source of depth.

        Args:
            depth_of: gives metres.
            identity: a digest of it.
            inverse_focus: in 1/m.

        Raises:
            UsageError: the plane of focus is none.
        """
        check_inverse_focus(inverse_focus)
        self._depth_of, self._identity, self._inverse_focus = depth_of, identity, inverse_focus

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return "depth"

    @property
    def inverse_focus(self) -> float:
        """1 / distance of the plane of focus, in 1/m."""
        return self._inverse_focus

    def identity(self) -> str:
        """Digest the source of depth and the plane of focus."""
        return digest(self.name, self._identity, repr(self._inverse_focus))

    def _blurred(
        self, image: Float[Tensor, "3 h w"], strengths: Sequence[float], camera: Camera | None
    ) -> Float[Tensor, "n 3 h w"]:
        pixels = (255 * image).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        depth = everywhere(self._depth_of(pixels, camera))
        focus = 1 / self._inverse_focus if self._inverse_focus > 0 else torch.inf
        sharp = image.permute(1, 2, 0).float().contiguous()
        made = [defocus(sharp, depth, thin_lens(strength, focus)) for strength in strengths]
        return torch.stack(made).permute(0, 3, 1, 2)


def everywhere(depth: DepthMap) -> Float[Tensor, "h w"]:
    """Return depth with the nearest known pixel's where it is not known.

    Raises:
        DataError: it is not in metres, or no pixel of it is known.
    """
    if depth.kind is not DepthKind.METRIC:
        raise DataError(
            f"blur needs depth in metres, and this is right only up to its {depth.kind.value}. "
            "Choose a prior that gives metres."
        )
    unknown = ~depth.valid.numpy()
    if unknown.all():
        raise DataError("blur needs depth, and no pixel of this photo has any.")
    if not unknown.any():
        return depth.z
    at = distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return depth.z[torch.from_numpy(at[0]).long(), torch.from_numpy(at[1]).long()]
