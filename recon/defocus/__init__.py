"""Photographs as a thin lens would have taken them, differentiable in image, depth and lens."""

from recon.defocus.operator import blur, defocus
from recon.defocus.shapes import Disc, Gaussian, Polygon, Shape
from recon.defocus.stack import BlurStack, blur_stack, from_stack

__all__ = [
    "BlurStack",
    "Disc",
    "Gaussian",
    "Polygon",
    "Shape",
    "blur",
    "blur_stack",
    "defocus",
    "from_stack",
]
