"""Photos blurred by discs of several sizes."""

from dataclasses import replace
from typing import ClassVar, final

import cv2
import torch
from jaxtyping import UInt8
from torch import Tensor

from recon.defocus.stack import BlurStack, blur_stack
from recon.evidence.interface import Evidence, Need, Provider
from recon.types import View

WIDEST = 416
"""px of a stack; photos are made smaller first, by area. More would cost time and memory, and the
blur that tells of depth is many pixels wide."""
COCS = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)
"""Diameters of the discs, in px."""


@final
class StackProvider(Provider):
    """The training photo itself, blurred."""

    gives: ClassVar[Need] = Need.STACK

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the view's photo under all blurs."""
        return replace(evidence, stack=stack_of(view.photo.pixels()))


def stack_of(photo: UInt8[Tensor, "h w 3"]) -> BlurStack:
    """Blur a photo by all of COCS, after making it at most WIDEST pixels wide."""
    pixels = photo.numpy()
    height, width = pixels.shape[:2]
    if width > WIDEST:
        size = (WIDEST, max(1, round(height * WIDEST / width)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return blur_stack(torch.from_numpy(pixels).float() / 255, COCS).in_8_bits()
