"""Where a photo lies on the canvas that a network looks at, and the way back.

Networks of one input size see a photo scaled onto a canvas. Coordinates are continuous: the photo
covers [0, width] x [0, height], and so does the canvas.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, UInt8
from torch import Tensor

from recon.types import Camera

Margins = tuple[int, int, int, int]
"""Pixels at the left, top, right and bottom."""


@dataclass(frozen=True)
class Window:
    """A photo of `width` x `height` pixels, resized, at an offset on a canvas, perhaps cut by it.

    The resized photo is `inner_width` x `inner_height` pixels of the canvas.
    """

    width: int
    height: int
    inner_width: int
    inner_height: int
    left: int
    """Column of the canvas at which the resized photo begins; negative where it is cut."""
    top: int
    canvas_width: int
    canvas_height: int

    @staticmethod
    def fitted(width: int, height: int, canvas_width: int, canvas_height: int) -> "Window":
        """Make the photo as large as the canvas allows, at its own aspect, in the middle."""
        scale = min(canvas_width / width, canvas_height / height)
        inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
        return Window(
            width,
            height,
            inner_width,
            inner_height,
            (canvas_width - inner_width) // 2,
            (canvas_height - inner_height) // 2,
            canvas_width,
            canvas_height,
        )

    @staticmethod
    def canonical(camera: Camera, trained: Camera) -> "Window":
        """Show the photo as the camera of the training photos would have seen it.

        The focal lengths agree to a pixel's rounding. So do the principal points, unless the photo
        fits on the canvas and would stick out: then it is moved inside.
        """
        inner_width = max(1, round(camera.width * trained.fx / camera.fx))
        inner_height = max(1, round(camera.height * trained.fy / camera.fy))
        left = trained.cx - camera.cx * inner_width / camera.width
        top = trained.cy - camera.cy * inner_height / camera.height
        return Window(
            camera.width,
            camera.height,
            inner_width,
            inner_height,
            _inside(round(left), trained.width - inner_width),
            _inside(round(top), trained.height - inner_height),
            trained.width,
            trained.height,
        )

    @property
    def scales(self) -> tuple[float, float]:
        """Pixels of the canvas for one of the photo, in x and y."""
        return self.inner_width / self.width, self.inner_height / self.height

    def resized(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "a b 3"]:
        """Return the photo at its size on the canvas, 0 to 255: by area, or bilinear if larger."""
        shrinks = self.inner_width * self.inner_height < self.width * self.height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        size = (self.inner_width, self.inner_height)
        small: np.ndarray = cv2.resize(pixels.astype(np.float32), size, interpolation=how)
        return small

    def filled(
        self, pixels: UInt8[np.ndarray, "h w 3"], color: tuple[float, float, float]
    ) -> Float32[np.ndarray, "{self.canvas_height} {self.canvas_width} 3"]:
        """Return the canvas, 0 to 255, of one colour around the photo."""
        rows, columns = self._places()
        canvas = self._taken(pixels, np.clip(rows, 0, None), np.clip(columns, 0, None))
        canvas[(rows < 0) | (rows >= self.inner_height)] = color
        canvas[:, (columns < 0) | (columns >= self.inner_width)] = color
        return canvas

    def mirrored(
        self, pixels: UInt8[np.ndarray, "h w 3"]
    ) -> Float32[np.ndarray, "{self.canvas_height} {self.canvas_width} 3"]:
        """Return the canvas, 0 to 255, with the photo mirrored at its edges, again and again."""
        rows, columns = self._places()
        rows = _reflect(rows, self.inner_height)
        return self._taken(pixels, rows, _reflect(columns, self.inner_width))

    def read(
        self, values: Float32[np.ndarray, "a b"], phase: float = 0.5
    ) -> Float32[np.ndarray, "{self.height} {self.width}"]:
        """Return what a network says of the canvas at each of the photo's pixels, bilinearly.

        Args:
            values: a grid that covers the canvas, of any resolution.
            phase: where in its cell a value belongs: 0.5 for the middle, 0 for the corner at the
                top left.
        """
        x, y = self._centres()
        rows = _lerp(values, y * values.shape[0] / self.canvas_height - phase)
        columns = _lerp(rows.T, x * values.shape[1] / self.canvas_width - phase)
        return np.ascontiguousarray(columns.T)

    def seen(
        self, margins: Margins = (0, 0, 0, 0)
    ) -> Bool[np.ndarray, "{self.height} {self.width}"]:
        """Return which of the photo's pixels have their centre on the canvas, inside margins."""
        x, y = self._centres()
        left, top, right, bottom = margins
        across = (x >= left) & (x <= self.canvas_width - right)
        down = (y >= top) & (y <= self.canvas_height - bottom)
        both: Bool[np.ndarray, "_ _"] = down[:, None] & across
        return both

    def pixels_of(
        self, rows: int, columns: int, phase: float = 0.5, margins: Margins = (0, 0, 0, 0)
    ) -> tuple[tuple[Tensor, Tensor], Bool[np.ndarray, "{rows} {columns}"]]:
        """Return the photo's pixel, as rows and columns, at each value of a grid on the canvas.

        The second result says which values lie on the photo and inside the margins; for others the
        pixel is the nearest.

        Args:
            rows: of the grid, which covers the canvas.
            columns: of the grid.
            phase: as for `read`.
            margins: of the canvas.
        """
        x = (np.arange(columns) + phase) * self.canvas_width / columns
        y = (np.arange(rows) + phase) * self.canvas_height / rows
        left, top, right, bottom = margins
        across, down = self.scales
        column, row = np.floor((x - self.left) / across), np.floor((y - self.top) / down)
        wide = (x >= left) & (x <= self.canvas_width - right)
        wide &= (column >= 0) & (column < self.width)
        tall = (y >= top) & (y <= self.canvas_height - bottom) & (row >= 0) & (row < self.height)
        places = tuple(
            torch.from_numpy(at.clip(0, size - 1).astype(np.int64))
            for at, size in ((row, self.height), (column, self.width))
        )
        both: Bool[np.ndarray, "_ _"] = tall[:, None] & wide
        return (places[0][:, None], places[1][None]), both

    def _centres(self) -> tuple[Float64[np.ndarray, " w"], Float64[np.ndarray, " h"]]:
        """Return where the centres of the photo's columns and rows lie on the canvas."""
        across, down = self.scales
        x = (np.arange(self.width) + 0.5) * across + self.left
        return x, (np.arange(self.height) + 0.5) * down + self.top

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the row and column of the resized photo for each of the canvas."""
        return np.arange(self.canvas_height) - self.top, np.arange(self.canvas_width) - self.left

    def _taken(
        self, pixels: UInt8[np.ndarray, "h w 3"], rows: np.ndarray, columns: np.ndarray
    ) -> Float32[np.ndarray, "a b 3"]:
        rows = np.minimum(rows, self.inner_height - 1)
        columns = np.minimum(columns, self.inner_width - 1)
        taken: Float32[np.ndarray, "a b 3"] = self.resized(pixels)[rows[:, None], columns]
        return taken


def inside(margins: Margins, width: int, height: int) -> Bool[np.ndarray, "{height} {width}"]:
    """Return which pixels of a picture lie inside its margins."""
    left, top, right, bottom = margins
    rows, columns = np.mgrid[:height, :width]
    across, down = (columns >= left) & (columns < width - right), (rows >= top)
    both: Bool[np.ndarray, "_ _"] = across & down & (rows < height - bottom)
    return both


def _inside(offset: int, room: int) -> int:
    """Move what has room, or what leaves a gap though it is too large."""
    return min(max(offset, min(0, room)), max(0, room))


def _reflect(places: np.ndarray, size: int) -> np.ndarray:
    places = np.mod(places, 2 * size)
    mirrored: np.ndarray = np.minimum(places, 2 * size - 1 - places)
    return mirrored


def _lerp(
    values: Float32[np.ndarray, "a b"], at: Float64[np.ndarray, " n"]
) -> Float32[np.ndarray, "n b"]:
    """Interpolate between rows; beyond the first and the last they stay as they are."""
    at = np.clip(at, 0, len(values) - 1)
    low = np.minimum(at.astype(np.int64), max(len(values) - 2, 0))
    high = np.minimum(low + 1, len(values) - 1)
    share = (at - low).astype(np.float32)[:, None]
    between: Float32[np.ndarray, "n b"] = values[low] * (1 - share) + values[high] * share
    return between
