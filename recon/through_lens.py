"""What Gaussians show, as the lens of a photograph saw it."""

from dataclasses import replace

from recon.defocus import defocus
from recon.raster.interface import Render
from recon.types import ThinLens


def through_lens(render: Render, lens: ThinLens) -> Render:
    """Return a sharp render as a thin lens shows it, by the depth that was drawn with it.

    Blurring the picture keeps the disc's shape and what covers what. Widening each Gaussian
    instead, as `Rasterizer.render` does for looking around, blurs as Gaussians do and lets hidden
    ones shine through edges; fits through that end 0.5 dB lower. Gradients flow to colours, to
    depth, and to the lens.

    Args:
        render: drawn without a lens.
        lens: in px of the render.
    """
    return replace(render, color=defocus(render.color, render.expected_depth, lens))
