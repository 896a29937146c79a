"""A person's own photos with depth, as scenes that the light generator may be taught with too."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from recon.datasets.synthetic.painted import Painted
from recon.networks.bokeh_from_depth import everywhere
from recon.networks.focus_examples import Photograph, photographs
from recon.srgb import to_linear


def own_scenes(folders: Sequence[str], width: int, height: int) -> Iterator[Painted]:
    """Read captures' sharp photos that have depth in metres.

    Args:
        folders: of any format that recon reads.
        width: of the scenes, in px.
        height: of the scenes, in px.

    Raises:
        DataError: a folder is no capture, or no photo of it can be used, or its depth is not in
            metres.
    """
    for one in photographs(folders):
        yield as_scene(one, width, height)


def as_scene(one: Photograph, width: int, height: int) -> Painted:
    """Shrink the middle of a photo; where depth is unknown, that of the nearest known pixel counts.

    Raises:
        DataError: no pixel has depth, or it is not in metres.
    """
    v, u = one.depth.z.shape
    inner_u, inner_v = min(u, round(v * width / height)), min(v, round(u * height / width))
    left, top = (u - inner_u) // 2, (v - inner_v) // 2
    window = slice(top, top + inner_v), slice(left, left + inner_u)
    light = to_linear(one.pixels[window].float() / 255).numpy()
    nearness = (1 / everywhere(one.depth))[window].contiguous().numpy()
    return Painted(
        cv2.resize(light, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32),
        # Not a mean: between two surfaces there is nothing.
        cv2.resize(nearness, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.float32),
    )
