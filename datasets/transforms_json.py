"""The JSON that nerfstudio, instant-ngp and Blender scripts share: looking things up in it."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from recon.camera import Intrinsics
from recon.datasets.photo_header import read_header
from recon.distortion import Brown, Distortion, Fisheye
from recon.errors import DataError

Json = dict[str, Any]

FISHEYE_MODELS = {"OPENCV_FISHEYE", "FISHEYE"}
PINHOLE_MODELS = {
    "", "OPENCV", "PERSPECTIVE", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL",
}  # fmt: skip
NO_PINHOLE = (
    "only perspective and fisheye photos can become pinhole photos; "
    "cut panoramas into perspective views and export the others as OPENCV or OPENCV_FISHEYE"
)


def load_json(path: Path) -> Json:
    """Read a description with a list of frames.

    Raises:
        DataError: the file is no JSON object with a list called frames.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); write it again.") from error
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise DataError(f"{path}: expected an object whose key `frames` is a list of objects.")
    return dict(content)


class Entry:
    """A frame together with what the whole file says; the frame goes first."""

    def __init__(self, content: Json, index: int) -> None:
        self.content = content
        self.frame: Json = content["frames"][index]
        self.label = f"frame {index} ({self.frame.get('file_path', 'no file_path')})"

    def get(self, key: str) -> Any:
        """Look a key up; None where neither has it."""
        value = self.frame.get(key)
        return self.content.get(key) if value is None else value

    def text(self, key: str) -> str:
        """Return a text that must be in the frame.

        Raises:
            DataError: it is missing or no text.
        """
        value = self.frame.get(key)
        if not isinstance(value, str) or not value:
            raise DataError(f"{self.label}: the key `{key}` is missing, or is no text")
        return value

    def number(self, key: str) -> float | None:
        """Return a number, or None where it is missing.

        Raises:
            DataError: it is there and no finite number.
        """
        value = self.get(key)
        if value is None:
            return None
        return self.checked(key, value)

    def checked(self, key: str, value: object) -> float:
        """Return a value as a finite number."""
        if not isinstance(value, bool) and isinstance(value, int | float):
            with contextlib.suppress(OverflowError):
                if math.isfinite(number := float(value)):
                    return number
        raise DataError(f"{self.label}: `{key}` is {str(value)[:40]}; expected a finite number")

    def pose(self) -> Float64[np.ndarray, "4 4"]:
        """Return `transform_matrix`: camera to world, OpenGL axes.

        Raises:
            DataError: it is missing or no 3x4 or 4x4 matrix of numbers.
        """
        if "transform_matrix" not in self.frame:
            raise DataError(f"{self.label}: the key `transform_matrix` is missing")
        try:
            matrix = np.array(self.frame["transform_matrix"], dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            matrix = np.zeros(0)
        if matrix.shape not in {(3, 4), (4, 4)}:
            raise DataError(f"{self.label}: `transform_matrix` is no 4x4 matrix of numbers")
        return np.vstack([matrix[:3], [0.0, 0.0, 0.0, 1.0]])


def intrinsics(entry: Entry, image: Path) -> Intrinsics:
    """Return a frame's camera; the photo is opened for its size where the file gives none.

    Raises:
        DataError: there is no focal length, or the camera model is no perspective or fisheye one.
    """
    width, height = entry.number("w"), entry.number("h")
    if width is None or height is None:
        header = read_header(image)
        width, height = float(header.width), float(header.height)
    fx = focal_length(entry, "fl_x", "camera_angle_x", width)
    fy = focal_length(entry, "fl_y", "camera_angle_y", height)
    fx, fy = fx or fy, fy or fx
    if fx is None or fy is None:
        raise DataError(f"{entry.label}: neither `fl_x` nor `camera_angle_x` is given")
    cx, cy = entry.number("cx"), entry.number("cy")
    return Intrinsics(
        int(width),
        int(height),
        fx,
        fy,
        width / 2 if cx is None else cx,
        height / 2 if cy is None else cy,
        distortion(entry),
    )


def focal_length(entry: Entry, key: str, angle_key: str, size: float) -> float | None:
    """Return a focal length in pixels, from itself or from the angle of view in radians."""
    focal, angle = entry.number(key), entry.number(angle_key)
    if focal is not None:
        return focal
    if angle is None:
        return None
    if not 0 < angle < math.pi:
        raise DataError(f"{entry.label}: `{angle_key}` is {angle}; expected 0 to pi, in radians")
    return 0.5 * size / math.tan(0.5 * angle)


def distortion(entry: Entry) -> Distortion | None:
    """Return a frame's lens.

    Raises:
        DataError: the model is unknown, or has a coefficient that its users define differently.
    """
    model = str(entry.get("camera_model") or "").upper()
    fisheye = model in FISHEYE_MODELS or (model == "" and entry.get("is_fisheye") is True)
    if not fisheye and model not in PINHOLE_MODELS:
        raise DataError(f"{entry.label}: `camera_model` is {model}; {NO_PINHOLE}")
    k1, k2, k3, k4, p1, p2 = coefficients(entry)
    if fisheye:
        return Fisheye(k1, k2, k3, k4)
    if k4:
        raise DataError(
            f"{entry.label}: `k4` is {k4} in a perspective camera, where programs disagree on its "
            "meaning; calibrate with k1, k2, k3, p1, p2"
        )
    return Brown(k1, k2, p1, p2, k3) if any((k1, k2, k3, p1, p2)) else None


def coefficients(entry: Entry) -> list[float]:
    """Return k1, k2, k3, k4, p1, p2: from `distortion_params` in that order, or from their keys."""
    listed = entry.get("distortion_params")
    if listed is None:
        return [entry.number(key) or 0.0 for key in ("k1", "k2", "k3", "k4", "p1", "p2")]
    if not isinstance(listed, list) or len(listed) != 6:
        raise DataError(f"{entry.label}: `distortion_params` is not [k1, k2, k3, k4, p1, p2]")
    return [entry.checked("distortion_params", value) for value in listed]
