"""Focal stacks on disk whose truth is known, for tests."""

from pathlib import Path

import cv2
import numpy as np
import torch

from recon.datasets.synthetic import writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.lens import framing
from recon.datasets.synthetic.painted import paint
from recon.datasets.synthetic.points import Points
from recon.datasets.synthetic.rig import Pose
from recon.defocus import blur

PLANES = (0.8, 1.2, 1.8)


def grown(photo: np.ndarray, scale: float) -> np.ndarray:
    """Return a picture that is larger about its centre."""
    height, width = photo.shape[:2]
    middle = (width - 1) / 2, (height - 1) / 2
    matrix = cv2.getRotationMatrix2D(middle, 0, scale)
    edge = cv2.BORDER_REFLECT_101
    return cv2.warpAffine(photo, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=edge)


def write_stack(
    folder: Path,
    seed: int = 2,
    *,
    wide: int = 80,
    high: int = 64,
    silent: bool = False,
    breath: float = 0.0,
) -> Path:
    """Write a focal stack that our own operator blurred, so that no ray tracer is needed.

    Args:
        folder: a new one.
        seed: of the scene.
        wide: px.
        high: px.
        silent: whether the photos say nothing of their lens.
        breath: by how much the picture grows from slice to slice.
    """
    random = np.random.default_rng(seed)
    painted = paint(random, high, wide)
    pinhole = Pinhole(1.2 * wide, wide, high)
    light, near = torch.from_numpy(painted.light), torch.from_numpy(painted.nearness)
    (folder / "images").mkdir(parents=True)
    (folder / "depth").mkdir()
    depth = (1 / near).numpy()
    writer.write_depth(folder / "depth/all.png", depth, 1 / 4096)
    frames = []
    for index, focus in enumerate(PLANES):
        plane = float(near.quantile(0.5)) * focus
        lens = framing(pinhole, 0.3, 1 / plane, 36.0)
        coc = lens.strength(pinhole) * (plane - near)
        photo = writer.to_photo(blur(light, coc, encoded=False).numpy())
        photo = grown(photo, 1 + breath * (index - 1))
        path = f"images/{index}.jpg"
        writer.write_photo(folder / path, photo, 95, None if silent else lens)
        entry = writer.frame(Pose(path, "", 0.0, np.eye(4)), path, "depth/all.png")
        entry |= {"depth_unit_scale_factor": 1 / 4096}
        frames.append(entry if silent else entry | writer.lens_tags(lens, pinhole))
    rows, columns = (random.integers(0, n, 400) for n in (high, wide))
    z = depth[rows, columns]
    x, y = ((columns + 0.5 - wide / 2) * z, (rows + 0.5 - high / 2) * z)
    positions = np.stack([x / pinhole.focal_length, y / pinhole.focal_length, z], 1)
    colors = writer.to_photo(painted.light)[rows, columns]
    writer.write_points(folder / "sparse_pc.ply", Points(positions, colors))
    names = [frame["file_path"] for frame in frames]
    split = {"train_filenames": names, "test_filenames": []}
    writer.write_transforms(folder / "transforms.json", pinhole, frames, {}, split)
    return folder
