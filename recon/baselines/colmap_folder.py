"""Photos as a fit sees them, undistorted and resized, as a folder that any trainer reads.

A COLMAP model in binary (cameras, images and points3D in `sparse/0`), each photo with a pinhole
camera of its own, and PNG files named by their number in the order of the views' names. nerfstudio
also reads the lists beside it, of training and of held-out photos.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from recon.files import replacing, write_text
from recon.pictures import write_png
from recon.types import Capture, PointCloud, View

PINHOLE = 1
"""COLMAP's number of the model with fx, fy, cx and cy."""


def write_colmap(folder: Path, capture: Capture, numbers: Sequence[int]) -> dict[str, str]:
    """Write views of a capture, in the working frame.

    Args:
        folder: created where it does not exist.
        capture: with points.
        numbers: indices of the views to write.

    Returns:
        The files' names, without suffix, by view.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    views = [capture.views[i] for i in numbers]
    names = {view.name: f"{i:06d}" for i, view in zip(numbers, views, strict=True)}
    for view in views:
        write_png(folder / "images" / f"{names[view.name]}.png", view.photo.pixels().numpy())
    model = folder / "sparse" / "0"
    assert capture.points is not None
    _write(model / "cameras.bin", _cameras(views))
    _write(model / "images.bin", _images(views, names))
    _write(model / "points3D.bin", _points(capture.points))
    for lists, chosen in (
        (("train_list.txt",), capture.train),
        (("test_list.txt", "validation_list.txt"), capture.test),
    ):
        lines = "".join(f"{names[view.name]}.png\n" for view in chosen if view.name in names)
        for name in lists:
            write_text(folder / name, lines)
    return names


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _cameras(views: Sequence[View]) -> bytes:
    rows = [struct.pack("<Q", len(views))]
    for number, view in enumerate(views, start=1):
        c = view.camera
        rows.append(struct.pack("<IiQQ", number, PINHOLE, c.width, c.height))
        rows.append(struct.pack("<4d", c.fx, c.fy, c.cx, c.cy))
    return b"".join(rows)


def _images(views: Sequence[View], names: dict[str, str]) -> bytes:
    rows = [struct.pack("<Q", len(views))]
    for number, view in enumerate(views, start=1):
        pose: Float64[np.ndarray, "4 4"] = view.camera.world_to_camera.double().numpy(force=True)
        x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
        rows.append(struct.pack("<I7dI", number, w, x, y, z, *pose[:3, 3], number))
        rows.append(f"{names[view.name]}.png".encode() + b"\0" + struct.pack("<Q", 0))
    return b"".join(rows)


def _points(points: PointCloud) -> bytes:
    rows = [struct.pack("<Q", len(points))]
    positions, colors = points.positions.double().tolist(), points.colors.tolist()
    for number, (position, color) in enumerate(zip(positions, colors, strict=True), start=1):
        rows.append(struct.pack("<Q3d3BdQ", number, *position, *color, 0.0, 0))
    return b"".join(rows)
