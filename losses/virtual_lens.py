"""The lens that defocus supervision looks through, chosen from the depth of a photo's prior.

Circles of confusion are K |1/z - 1/s|. Where the focus lies inside the range of depths, two depths
share each of them, and near the focus they hardly change: outside of it, blur tells near from far.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from recon.optics import REFERENCE_WIDTH
from recon.types import ThinLens

NEAR, FAR = 0.98, 0.02
"""Quantiles of the prior's inverse depth that count as the range's ends."""
OUTSIDE = (1.2, 0.8)
"""Planes of focus before and behind the range, in units of its ends' inverse depth."""
QUANTILES = (0.15, 0.5, 0.85)
SAMPLED = 4096
"""Pixels that quantiles are taken from, at most."""

Focus = Literal["outside", "infinity", "median", "quantiles"]


def virtual_lens(
    inverse: Float[Tensor, " n"], span: float, focus: Focus, step: int, width: int
) -> ThinLens:
    """Return the lens for one photo at one step.

    Args:
        inverse: of the prior's depth, where it is known; at least one.
        span: px that circles of confusion span over the range, in a photo REFERENCE_WIDTH wide.
        focus: where the plane of focus lies.
        step: chooses among planes that take turns.
        width: of the photo that is blurred, in px.
    """
    # Sorting them all would take longer than the blur itself.
    inverse = inverse[:: -(-len(inverse) // SAMPLED)]
    near, far = inverse.quantile(NEAR), inverse.quantile(FAR)
    strength = span * width / REFERENCE_WIDTH / (near - far).clamp(min=1e-3 * float(near))
    match focus:
        case "infinity":
            strength = span * width / REFERENCE_WIDTH / near
            return ThinLens(strength, torch.zeros_like(near))
        case "outside":
            return ThinLens(strength, OUTSIDE[0] * near if step % 2 == 0 else OUTSIDE[1] * far)
        case "median":
            return ThinLens(strength, inverse.quantile(0.5))
        case "quantiles":
            return ThinLens(strength, inverse.quantile(QUANTILES[step % len(QUANTILES)]))
