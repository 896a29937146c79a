"""How far a rendered image is from its photo."""

import torch
from jaxtyping import Float
from torch import Tensor

WINDOW_REACH = 5
"""SSIM's window reaches this many pixels to each side."""
WINDOW_SIGMA = 1.5


def ssim_map(
    x: Float[Tensor, "h w 3"], y: Float[Tensor, "h w 3"], *, padding: int
) -> Float[Tensor, "h_out w_out 3"]:
    """Return the structural similarity of two images at every pixel, for each channel.

    Wang et al. 2004 (IEEE TIP 13(4)), equation 13, with a Gaussian window of 11 pixels and sigma
    1.5, C1 = 0.01², C2 = 0.03² and population variances.

    Args:
        x: in [0, 1], of any floating precision.
        y: like x.
        padding: pixels of zeros around the images; 5 keeps their size, 0 drops a border of 5.
    """
    offsets = torch.arange(-WINDOW_REACH, WINDOW_REACH + 1, dtype=x.dtype, device=x.device)
    window = torch.exp(-(offsets**2) / (2 * WINDOW_SIGMA**2))
    window = window / window.sum()
    planes = torch.stack([x, y, x * x, y * y, x * y]).permute(0, 3, 1, 2).flatten(0, 1)[:, None]
    planes = torch.nn.functional.conv2d(planes, window.view(1, 1, -1, 1), padding=(padding, 0))
    planes = torch.nn.functional.conv2d(planes, window.view(1, 1, 1, -1), padding=(0, padding))
    mean_x, mean_y, xx, yy, xy = planes.view(5, 3, *planes.shape[-2:]).permute(0, 2, 3, 1)
    c1, c2 = 0.01**2, 0.03**2
    means = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    covariance, variances = xy - mean_x * mean_y, xx + yy - mean_x**2 - mean_y**2
    similarity: Tensor = means * (2 * covariance + c2) / (variances + c2)
    return similarity
