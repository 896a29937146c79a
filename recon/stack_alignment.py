"""Brings the slices of a focal stack into one frame: lenses breathe when they focus, hands shake.

Slices are first blurred so much that their own blur hardly shows, then registered by the enhanced
correlation coefficient (Evangelidis and Psarakis 2008), which brightness does not change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float64, UInt8

from recon.errors import DataError, first_line

LARGEST = 480
"""px; the longer side at which slices are compared."""
BLURS = (8.0, 4.0, 2.0)
"""px there; sigmas of the blurs that slices are given, one after the other."""
GAIN = 1.2
"""How much less unlike a slice must become to be moved at all. Blur alone, which differs on the two
sides of an edge, moves what stands still for up to 1.05 on eight of nine exact stacks that were
tried; on the ninth for 3.3, by 1.2 px in a corner."""
FINE = 2.0
"""px there; sigma of the blur at which it is asked whether slices must be moved."""
LEAST = 0.75
"""Correlation after alignment; slices that are less alike do not show one scene."""
FARTHEST = 0.2
"""Of the longer side; how far corners may move."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """How the slices of a stack lie over one another."""

    homographies: Float64[np.ndarray, "n 3 3"]
    """From pixels of the reference to those of each slice; the first pixel's centre is at 0.5."""
    reference: int
    """The slice that stays as it is."""
    moved: tuple[float, ...]
    """px; how far the corner that moves most does, of each slice."""
    height: int
    width: int

    def warped(self, index: int, pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """Return a slice as the reference's camera saw it; what it did not see is mirrored."""
        if self.moved[index] == 0:
            return pixels
        height, width = pixels.shape[:2]
        matrix = _shifted(self.homographies[index], -0.5)
        how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        seen: np.ndarray = cv2.warpPerspective(
            pixels, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101
        )
        return seen

    def seen(self, index: int) -> Bool[np.ndarray, "h w"]:
        """Return which pixels of the reference a slice saw."""
        height, width = self.height, self.width
        rows, columns = np.mgrid[0:height, 0:width] + 0.5
        at = self.homographies[index] @ np.stack([columns, rows, np.ones_like(rows)]).reshape(3, -1)
        x, y = at[:2] / at[2]
        inside: np.ndarray = (x > 0.5) & (x < width - 0.5) & (y > 0.5) & (y < height - 0.5)
        return inside.reshape(height, width) if self.moved[index] else np.ones_like(rows, bool)


def align(slices: Sequence[UInt8[np.ndarray, "h w 3"]], names: Sequence[str]) -> Alignment:
    """Find the homographies between slices; the middle one is the reference.

    Args:
        slices: sRGB, in the order of their focus, so that neighbours look alike.
        names: of their files, for messages.

    Raises:
        DataError: slices differ in size, or one does not show what the others do.
    """
    for pixels, name in zip(slices, names, strict=True):
        if pixels.shape != slices[0].shape:
            (h, w), (rows, columns) = pixels.shape[:2], slices[0].shape[:2]
            raise DataError(
                f"{name}: {w}x{h} pixels; expected {columns}x{rows} as in {names[0]}: the slices "
                "of a focal stack are of one size. Resize it, or leave it out."
            )
    reference = len(slices) // 2
    height, width = slices[0].shape[:2]
    scale = min(1.0, LARGEST / max(height, width))
    grey = [_small(pixels, scale) for pixels in slices]
    found = {reference: np.eye(3)}
    # From the reference outwards, each beginning where its neighbour ended.
    for order in (range(reference - 1, -1, -1), range(reference + 1, len(slices))):
        matrix = np.eye(3)
        for index in order:
            matrix = _registered(grey[reference], grey[index], matrix, names[index])
            gains = _gain(grey[reference], grey[index], matrix) > GAIN
            found[index] = matrix if gains else np.eye(3)
    grow = np.diag([scale, scale, 1.0])
    whole = np.stack(
        [np.linalg.inv(grow) @ _shifted(found[i], 0.5) @ grow for i in range(len(slices))]
    )
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1.0]]).T
    at = whole @ corners
    moved = np.linalg.norm(at[:, :2] / at[:, 2:] - corners[:2], axis=1).max(-1)
    for name, far in zip(names, moved, strict=True):
        if far > FARTHEST * max(height, width):
            raise _unlike(name, f"its corners would have to move by {far:.0f} px")
    return Alignment(whole, reference, tuple(moved.tolist()), height, width)


def _registered(
    one: np.ndarray, other: np.ndarray, begin: np.ndarray, name: str
) -> Float64[np.ndarray, "3 3"]:
    """Return the homography from a picture's pixels to another's, first pixels' centres at 0."""
    matrix, alike = begin.astype(np.float32), 0.0
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-5)
    try:
        for sigma in BLURS:
            first, second = (cv2.GaussianBlur(image, (0, 0), sigma) for image in (one, other))
            # Affine: breathing grows a picture, hands turn it; more freedom fits blur's own edges.
            alike, rows = cv2.findTransformECC(
                first, second, matrix[:2].copy(), cv2.MOTION_AFFINE, stop
            )
            matrix[:2] = np.asarray(rows)
    except cv2.error as error:
        raise _unlike(name, first_line(error)) from error
    if alike < LEAST:
        raise _unlike(name, f"its likeness to the middle slice is {alike:.2f}")
    return matrix.astype(np.float64)


def _gain(one: np.ndarray, other: np.ndarray, matrix: np.ndarray) -> float:
    """Return by how much a homography makes two pictures less unlike, where both are seen."""
    height, width = one.shape
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    first, second = (cv2.GaussianBlur(image, (0, 0), FINE) for image in (one, other))
    moved = cv2.warpPerspective(second, matrix, (width, height), flags=how)
    seen = cv2.warpPerspective(np.ones_like(one), matrix, (width, height), flags=how) > 0.999

    def unlike(image: np.ndarray) -> float:
        return 1 - float(np.corrcoef(first[seen], image[seen])[0, 1])

    return unlike(second) / max(unlike(moved), 1e-9)


def _unlike(name: str, why: str) -> DataError:
    return DataError(
        f"{name}: cannot be aligned with the other slices ({why}); expected photos from one place, "
        "in the order of their focus. Leave it out, or mend the order."
    )


def _small(pixels: np.ndarray, scale: float) -> np.ndarray:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = round(scale * grey.shape[1]), round(scale * grey.shape[0])
    small: np.ndarray = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small


def _shifted(matrix: np.ndarray, offset: float) -> np.ndarray:
    """Return the same homography where the first pixel's centre lies farther by an offset."""
    forth, back = np.eye(3), np.eye(3)
    forth[:2, 2], back[:2, 2] = offset, -offset
    found: np.ndarray = forth @ matrix @ back
    return found
