"""Tensors as pictures: PNG files, depth in colours with a legend, and strips for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8, UInt16
from torch import Tensor

from recon.errors import DataError
from recon.evidence.coc import CocMap
from recon.files import replacing

Picture = UInt8[np.ndarray, "_ _ 3"]

DARK = (24, 24, 24)
"""sRGB of pixels without a value."""
LEGEND_WIDTH = 64
"""px; added at the right of a picture."""


@dataclass(frozen=True)
class DepthRange:
    """What the colours of a depth picture span, red at `near` and blue at `far`.

    Colours are even in 1 / depth, so that near things, where depth matters most, differ most.
    """

    near: float
    far: float
    unit: str = ""
    """Written after the numbers of the legend: "m", or nothing where the unit is not known."""

    @staticmethod
    def of(depths: Float[Tensor, " n"], unit: str = "") -> "DepthRange":
        """Span the middle 96 % of the depths; those that are not positive do not count."""
        positive = depths[(depths > 0) & depths.isfinite()].double()
        if not len(positive):
            return DepthRange(1.0, 2.0, unit)
        near, far = np.quantile(positive.cpu().numpy(), [0.02, 0.98]).tolist()
        return DepthRange(near, max(far, 1.01 * near), unit)

    def position(self, depth: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Return 1 at `near`, 0 at `far`, even in 1 / depth between them."""
        with np.errstate(divide="ignore"):
            place = (1 / depth - 1 / self.far) / (1 / self.near - 1 / self.far)
        return np.clip(place, 0, 1)

    def depth_at(self, position: float) -> float:
        """Invert `position`."""
        return 1 / (position * (1 / self.near - 1 / self.far) + 1 / self.far)


def as_8_bit(image: Float[Tensor, "*n"]) -> UInt8[np.ndarray, "*n"]:
    """Clip to [0, 1] and round to the nearest of 256 steps."""
    scaled: UInt8[np.ndarray, "*n"]
    scaled = (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return scaled


def write_png(path: Path, picture: np.ndarray) -> None:
    """Write 8 or 16 bit values, grey or RGB; the file appears whole or not at all.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(bgr))
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def read_png(path: Path, width: int, height: int) -> Picture:
    """Read an 8 bit colour picture of a known size.

    Raises:
        DataError: it is missing, cannot be decoded, or has another size.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); expected a picture of {width}x{height} "
            "pixels, render the views again"
        ) from error
    bgr = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    if bgr is None or bgr.shape != (height, width, 3):
        found = "no picture" if bgr is None else f"{bgr.shape[1]}x{bgr.shape[0]} pixels"
        raise DataError(
            f"{path}: holds {found}; expected {width}x{height} pixels, render the views again"
        )
    return np.ascontiguousarray(bgr[..., ::-1])


def depth_picture(
    depth: Float[Tensor, "h w"], valid: Bool[Tensor, "h w"], span: DepthRange
) -> Picture:
    """Colour depth with turbo (Mikhailov 2019); pixels that are not valid stay dark."""
    z, use = depth.detach().cpu().numpy(), valid.cpu().numpy()
    return np.where(use[..., None], _turbo(span.position(z)), np.array(DARK, np.uint8))


def error_picture(
    difference: Float[Tensor, "h w"], valid: Bool[Tensor, "h w"], largest: float
) -> Picture:
    """Colour an absolute difference from dark (none) to bright yellow (`largest` and more)."""
    steps = as_8_bit(difference / largest)
    rgb = cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.where(valid.cpu().numpy()[..., None], rgb, np.array(DARK, np.uint8))


def coc_picture(coc: CocMap) -> Picture:
    """Colour circles of confusion: dark is sharp, red lies behind the focus, blue before it.

    Full brightness is the 98 % quantile of the sizes; grey is blur whose side is not known.
    """
    size, behind = coc.size.numpy(), coc.behind.numpy()[..., None]
    amount = np.clip(size / max(float(np.quantile(size, 0.98)), 1.0), 0, 1)[..., None]
    red, blue = np.array([1.0, 0.35, 0.25]), np.array([0.25, 0.5, 1.0])
    shown: Picture = (255 * amount * (behind * red + (1 - behind) * blue)).round().astype(np.uint8)
    return shown


def with_legend(picture: Picture, span: DepthRange) -> Picture:
    """Add a scale of depths at the right."""
    height = picture.shape[0]
    legend = np.full((height, LEGEND_WIDTH, 3), DARK, np.uint8)
    margin = min(10, height // 4)
    rows = np.linspace(1, 0, max(height - 2 * margin, 1))
    legend[margin : margin + len(rows), 4:14] = _turbo(rows)[:, None]
    labels = max(2, min(6, len(rows) // 30))
    for position in np.linspace(1, 0, labels).tolist():
        y = round(margin + (1 - position) * (len(rows) - 1)) + 4
        _write(legend, f"{span.depth_at(position):.3g}{span.unit}", 18, y)
    return np.concatenate([picture, legend], axis=1)


def with_caption(picture: Picture, text: str) -> Picture:
    """Add a line of text above."""
    line = np.full((20, picture.shape[1], 3), DARK, np.uint8)
    _write(line, text, 4, 14)
    return np.concatenate([line, picture], axis=0)


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Join pictures of one height from left to right, with thin gaps."""
    gap = np.zeros((pictures[0].shape[0], 4, 3), np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1], axis=1)


def as_16_bit(depth: Float[Tensor, "h w"], steps_per_unit: float) -> UInt16[np.ndarray, "h w"]:
    """Round depth to steps; 0 stays 0 and what lies beyond 65535 steps is 65535."""
    steps = (depth.detach().double() * steps_per_unit).round().clamp(0, 65535)
    return steps.cpu().numpy().astype(np.uint16)


def _turbo(position: Float[np.ndarray, "*n"]) -> UInt8[np.ndarray, "*n 3"]:
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)
    colors: UInt8[np.ndarray, "*n 3"] = table[:, 0, ::-1][(position * 255).round().astype(int)]
    return colors


def _write(picture: Picture, text: str, x: int, y: int) -> None:
    ascii_text = text.encode("ascii", "replace").decode()
    white = (235, 235, 235)
    cv2.putText(picture, ascii_text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, white, 1, cv2.LINE_AA)
