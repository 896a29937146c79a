"""Makes a capture: the street of a seed, photographed along a drive."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recon.datasets.synthetic import points, writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.lens import lens_of
from recon.datasets.synthetic.renderer import Renderer, load_mitsuba
from recon.datasets.synthetic.rig import Pose, drive, focal_length, near_detail
from recon.datasets.synthetic.settings import StreetSettings
from recon.errors import UsageError

LENS_FINER = 2
"""Squared, times the samples of sharp photos: blur is a mean over the aperture as well."""
Progress = Callable[[str, int, int], None]
"""Called with the name of each photo when it is done, how many are, and how many there will be."""


def synthesize(settings: StreetSettings, output: Path, progress: Progress) -> None:
    """Make a street, drive along it and write a capture into a new folder, all of it or nothing.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: Mitsuba is not installed.
    """
    output = output.absolute()
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists and is not empty; choose a new folder")
    load_mitsuba()
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        draft.chmod(0o755)
        _write(settings, draft, progress)
        draft.replace(output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(settings: StreetSettings, folder: Path, progress: Progress) -> None:
    """Take all photos in the order of their names."""
    pinhole = Pinhole(focal_length(settings.width), settings.width, settings.height)
    renderer = Renderer(street(settings.seed, near_detail(settings.width)), settings.samples)
    poses = drive(settings.steps)
    through_lens = [i for i in range(len(poses)) if _every(settings.lens_every, i)]
    total = len(poses) + len(through_lens)
    for name in ("images", "depth", *(["images_lens"] if through_lens else [])):
        (folder / name).mkdir()
    random = np.random.default_rng([settings.seed, 1])
    clouds: list[points.Points] = []
    frames: list[writer.Json] = []
    for index, pose in enumerate(poses):
        image = renderer.color(pose.camera_to_world, pinhole, _seed(settings, index))
        photo = writer.to_photo(image)
        depth = renderer.depth(pose.camera_to_world, pinhole)
        writer.write_photo(folder / f"images/{pose.name}.jpg", photo, settings.jpeg_quality)
        if not _every(settings.hold_every, index):
            share = 8 * settings.points // len(poses)
            clouds.append(points.sample(random, pose.camera_to_world, pinhole, depth, photo, share))
        depth_path = None
        if _every(settings.depth_every, index) or _every(settings.hold_every, index):
            depth_path = f"depth/{pose.name}.png"
            writer.write_depth(folder / depth_path, depth)
        frames.append(writer.frame(pose, f"images/{pose.name}.jpg", depth_path))
        progress(pose.name, index + 1, total)
    about = _about(settings)
    writer.write_points(folder / "sparse_pc.ply", points.thin(random, clouds, settings.points))
    writer.write_transforms(folder / "transforms.json", pinhole, frames, about)
    if through_lens:
        taken = [(poses[i], frames[i]) for i in through_lens]
        _write_lens(settings, folder, renderer, pinhole, taken, progress)


def _write_lens(
    settings: StreetSettings,
    folder: Path,
    renderer: Renderer,
    pinhole: Pinhole,
    taken: list[tuple[Pose, writer.Json]],
    progress: Progress,
) -> None:
    """Take some of the photos again, through the thin lens."""
    lens = lens_of(settings, pinhole)
    frames: list[writer.Json] = []
    done = 3 * settings.steps
    for count, (pose, sharp) in enumerate(taken):
        seed = _seed(settings, done + count)
        image = renderer.color(
            pose.camera_to_world, pinhole, seed, lens.aperture(), finer=LENS_FINER
        )
        path = f"images_lens/{pose.name}.jpg"
        writer.write_photo(folder / path, writer.to_photo(image), settings.jpeg_quality, lens)
        frames.append({**sharp, "file_path": path, **writer.lens_tags(lens, pinhole)})
        progress(f"{pose.name} (lens)", done + count + 1, done + len(taken))
    about = _about(settings) | {
        "lens": "ideal thin lens; the circle of confusion at depth z is "
        "lens_strength_px_m * |1/focus_distance - 1/z| pixels across",
    }
    writer.write_transforms(folder / "transforms_lens.json", pinhole, frames, about)


def _seed(settings: StreetSettings, photo: int) -> int:
    """Give every photo of every street its own noise; Mitsuba takes 32 bits."""
    return (settings.seed * 100_003 + photo) % 2**32


def _every(n: int, index: int) -> bool:
    """Tell whether an index is an n-th one; none is where n is 0."""
    return n > 0 and index % n == 0


def _about(settings: StreetSettings) -> writer.Json:
    """Say how the capture was made."""
    return {
        "settings": asdict(settings),
        "depth": "z along the optical axis at pixel centres, exact up to rounding; 0 is sky",
        "points": {
            "from": f"exact depth of all views but every {settings.hold_every}th by name",
            "noise": f"normal along the ray, sigma = {points.NOISE_BASE} m + "
            f"{points.NOISE_SLOPE} of the depth",
            "thinned": f"one point in {points.VOXEL} m, then at random",
        },
    }
