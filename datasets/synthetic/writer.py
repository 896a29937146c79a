"""The files of a synthetic capture: nerfstudio's transforms.json, photos, depth, points."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from plyfile import PlyData, PlyElement  # type: ignore[import-untyped]

from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.lens import Lens
from recon.datasets.synthetic.points import Points
from recon.datasets.synthetic.rig import Pose

DEPTH_UNIT = 1 / 256
"""Metres of one step of a depth file, as in KITTI: up to 255.99 m."""

Json = dict[str, Any]


def to_photo(linear: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Encode linear light as sRGB, clipped at 1 and without any other tone curve.

    So a reader that decodes sRGB gets back linear light, in which blur is a plain mean.
    """
    light = np.clip(linear, 0, 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    photo: UInt8[np.ndarray, "h w 3"] = (255 * srgb + 0.5).astype(np.uint8)
    return photo


def write_photo(
    path: Path | BytesIO,
    photo: UInt8[np.ndarray, "h w 3"],
    quality: int,
    lens: Lens | None = None,
) -> None:
    """Write a JPEG; a photo through a lens says so in its EXIF."""
    exif = Image.Exif()
    if lens is not None:
        tags = exif.get_ifd(_EXIF_IFD)
        tags[_F_NUMBER] = lens.f_number
        tags[_FOCAL_LENGTH] = lens.focal_length_mm
        tags[_FOCAL_LENGTH_35MM] = round(lens.focal_length_mm * 36 / lens.sensor_width_mm)
        tags[_SUBJECT_DISTANCE] = lens.focus_distance
    Image.fromarray(photo).save(path, format="JPEG", quality=quality, optimize=True, exif=exif)


_EXIF_IFD, _F_NUMBER, _SUBJECT_DISTANCE = 0x8769, 0x829D, 0x9206
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405


def write_depth(path: Path, depth: Float[np.ndarray, "h w"], unit: float = DEPTH_UNIT) -> None:
    """Write depth as a 16-bit PNG in units of so many metres; 0 for sky and beyond its range."""
    steps = np.round(np.where(np.isfinite(depth), depth, 0) / unit)
    Image.fromarray(np.where(steps < 2**16, steps, 0).astype(np.uint16)).save(path, optimize=True)


def write_points(path: Path, points: Points) -> None:
    """Write a binary PLY with positions in metres and 8-bit colours."""
    names = ("x", "y", "z", "red", "green", "blue")
    kinds = ("<f4", "<f4", "<f4", "u1", "u1", "u1")
    vertices = np.empty(len(points.positions), dtype=list(zip(names, kinds, strict=True)))
    for axis in range(3):
        vertices[names[axis]] = points.positions[:, axis]
        vertices[names[axis + 3]] = points.colors[:, axis]
    PlyData([PlyElement.describe(vertices, "vertex")], byte_order="<").write(path)


def frame(pose: Pose, file_path: str, depth_file_path: str | None) -> Json:
    """Describe one photo; OpenGL's axes (x right, y up, z backward), as nerfstudio wants them."""
    matrix = pose.camera_to_world @ np.diag([1.0, -1.0, -1.0, 1.0])
    entry: Json = {"file_path": file_path, "sensor": pose.sensor, "time": round(pose.time, 6)}
    if depth_file_path is not None:
        entry["depth_file_path"] = depth_file_path
    entry["transform_matrix"] = matrix.round(9).tolist()
    return entry


def lens_tags(lens: Lens, pinhole: Pinhole) -> Json:
    """Describe the lens of one photo."""
    return {
        "f_number": lens.f_number,
        "focal_length_mm": lens.focal_length_mm,
        "focus_distance": lens.focus_distance,
        "sensor_width_mm": lens.sensor_width_mm,
        "lens_strength_px_m": lens.strength(pinhole),
    }


def write_transforms(
    path: Path, pinhole: Pinhole, frames: list[Json], about: Json, split: Json | None = None
) -> None:
    """Write transforms.json; `about` says how the capture was made, `split` what is held out."""
    head: Json = {
        "camera_model": "OPENCV",
        "fl_x": pinhole.focal_length,
        "fl_y": pinhole.focal_length,
        "cx": pinhole.width / 2,
        "cy": pinhole.height / 2,
        "w": pinhole.width,
        "h": pinhole.height,
        "metric": True,
        "depth_unit_scale_factor": DEPTH_UNIT,
        "ply_file_path": "sparse_pc.ply",
        "synthetic": about,
        **(split or {}),
    }
    # One frame a line keeps the file readable and its differences small.
    lines = ",\n  ".join(json.dumps(entry) for entry in frames)
    text = json.dumps(head, indent=1)[:-2] + f',\n "frames": [\n  {lines}\n ]\n}}\n'
    path.write_text(text, encoding="utf-8")
