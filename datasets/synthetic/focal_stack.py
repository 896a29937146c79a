"""Makes a focal stack: one place, one aperture, many planes of focus; with depth and sharp."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from recon.datasets.draft import Progress, draft
from recon.datasets.synthetic import points, writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.lens import Lens, framing_focal_length_mm
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import CAMERA_AXES, Pose
from recon.datasets.synthetic.settings import PhotoSettings, StackSettings
from recon.datasets.synthetic.shapes import load_mitsuba
from recon.datasets.synthetic.still_life import still_life

DEPTH_UNIT = 1 / 4096
"""Metres of one step of a depth file: up to 16 m, a quarter of a millimetre fine."""
SENSOR_WIDTH_MM = 36.0
SHARP = "images/sharp.png"


def synthesize_stack(
    photos: PhotoSettings, settings: StackSettings, output: Path, progress: Progress
) -> None:
    """Photograph a still life at each plane of focus, and sharp, into a new folder.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: Mitsuba is not installed.
    """
    with draft(output) as folder:
        load_mitsuba()
        _write(photos, settings, folder, progress)


def _write(
    photos: PhotoSettings, settings: StackSettings, folder: Path, progress: Progress
) -> None:
    random = np.random.default_rng([photos.seed, 3])
    pinhole = Pinhole(photos.width * random.uniform(1.0, 1.6), photos.width, photos.height)
    made = still_life(photos.seed, pinhole)
    renderer = Renderer(made.scene, photos.samples)
    at = np.eye(4)
    at[:3, :3] = CAMERA_AXES
    (folder / "images").mkdir()
    (folder / "depth").mkdir()
    depth = renderer.depth(at, pinhole)
    writer.write_depth(folder / "depth/all.png", depth, DEPTH_UNIT)
    sharp = writer.to_photo(renderer.color(at, pinhole, _seed(photos, 0), finer=2))
    Image.fromarray(sharp).save(folder / SHARP)
    progress("sharp", 1, settings.slices + 1)
    seen = depth[np.isfinite(depth)]
    low, high = 1 / float(np.quantile(seen, 0.98)), 1 / float(np.quantile(seen, 0.02))
    planes = np.linspace(low, high, settings.slices)
    # At the ends of the range, one sees the other end at the full width of the blur.
    strength = settings.coc / max(high - low, 1e-3)
    diameter = strength / pinhole.focal_length
    frames = []
    for index, plane in enumerate(planes.tolist()):
        lens = _lens(pinhole, diameter, 1 / plane)
        seed = _seed(photos, index + 1)
        light = renderer.color(at, pinhole, seed, lens.aperture(), finer=settings.finer)
        path = f"images/{index:02d}.png"
        Image.fromarray(writer.to_photo(light)).save(folder / path)
        frames.append(_frame(at, path) | writer.lens_tags(lens, pinhole))
        progress(f"slice {index}", index + 2, settings.slices + 1)
    cloud = points.sample(random, at, pinhole, depth, sharp, settings.points)
    writer.write_points(folder / "sparse_pc.ply", cloud)
    about = {
        "kind": "focal-stack",
        "settings": asdict(photos) | asdict(settings),
        "depth": "z along the optical axis at pixel centres, exact up to rounding; 0 is farther",
        "lens": "ideal thin lens; the circle of confusion at depth z is "
        "lens_strength_px_m * |1/focus_distance - 1/z| pixels across",
    }
    split: writer.Json = {
        "train_filenames": [frame["file_path"] for frame in frames],
        "test_filenames": [SHARP],
    }
    whole = [*frames, _frame(at, SHARP)]
    writer.write_transforms(folder / "transforms.json", pinhole, whole, about, split)


def _frame(at: np.ndarray, path: str) -> writer.Json:
    described = writer.frame(Pose(path, "", 0.0, at), path, "depth/all.png")
    return described | {"depth_unit_scale_factor": DEPTH_UNIT}


def _lens(pinhole: Pinhole, diameter: float, focus_distance: float) -> Lens:
    """Return the lens of an aperture that frames the pinhole's picture when focused."""
    focal_length = framing_focal_length_mm(pinhole, focus_distance, SENSOR_WIDTH_MM)
    f_number = 1e-3 * focal_length / diameter
    return Lens(f_number, focal_length, focus_distance, SENSOR_WIDTH_MM)


def _seed(photos: PhotoSettings, photo: int) -> int:
    return (photos.seed * 100_003 + photo) % 2**32
