"""Makes a defocused capture: a still life from many places, each photo focused elsewhere."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Float

from recon.datasets.draft import Progress, draft
from recon.datasets.synthetic import points, writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.lens import Lens, framing
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import Pose
from recon.datasets.synthetic.settings import PhotoSettings, StillLifeSettings
from recon.datasets.synthetic.shapes import load_mitsuba
from recon.datasets.synthetic.still_life import StillLife, still_life

DEPTH_UNIT = 1 / 4096
"""Metres of one step of a depth file: up to 16 m, a quarter of a millimetre fine."""
SENSOR_WIDTH_MM = 36.0
ASIDE = 0.2
"""How far the camera goes to the sides, as a share of the depth at which it looks."""
DOWN = 0.4
"""How far it may go down, as a share of the least height of a floor below it."""
VOXEL = 0.01
"""At most one start point in a cube of this side, metres."""


def synthesize_still_life(
    photos: PhotoSettings, settings: StillLifeSettings, output: Path, progress: Progress
) -> None:
    """Photograph a still life from many places, sharp and through a lens, into a new folder.

    transforms.json trains on photos through the lens and tests on sharp ones; transforms_sharp.json
    trains on sharp ones from the same places.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: Mitsuba is not installed.
    """
    with draft(output) as folder:
        load_mitsuba()
        Sitting(photos, settings, folder, progress).write()


class Sitting:
    """A capture that is being made."""

    def __init__(
        self,
        photos: PhotoSettings,
        settings: StillLifeSettings,
        folder: Path,
        progress: Progress,
    ) -> None:
        """Arrange the still life and choose places and planes of focus."""
        self.photos, self.settings = photos, settings
        self.folder, self.progress = folder, progress
        self.random = np.random.default_rng([photos.seed, 4])
        focal_length = photos.width * self.random.uniform(1.1, 1.5)
        self.pinhole = Pinhole(focal_length, photos.width, photos.height)
        made = still_life(photos.seed, self.pinhole)
        self.renderer = Renderer(made.scene, photos.samples)
        self.places = places(self.random, made, self.pinhole, settings.views)
        # Each in a random order, so that neighbours in space are focused at different depths.
        self.focus = self.random.permutation(np.linspace(0.0, 1.0, settings.views))

    def write(self) -> None:
        """Take all photos in the order of their names."""
        for name in ("images", "images_sharp", "depth"):
            (self.folder / name).mkdir()
        clouds: list[points.Points] = []
        frames: list[tuple[writer.Json, writer.Json]] = []
        share = 2 * self.settings.points // len(self.places)
        for index, at in enumerate(self.places):
            depth = self.renderer.depth(at, self.pinhole)
            sharp = writer.to_photo(self._light(at, 2 * index, None))
            frames.append(self._write_view(index, at, depth, sharp))
            if not self._held(index):
                clouds.append(points.sample(self.random, at, self.pinhole, depth, sharp, share))
            self.progress(f"view {index}", index + 1, len(self.places))
        cloud = points.thin(self.random, clouds, self.settings.points, VOXEL)
        writer.write_points(self.folder / "sparse_pc.ply", cloud)
        held = [sharp for i, (_, sharp) in enumerate(frames) if self._held(i)]
        for name, which in (("transforms.json", 0), ("transforms_sharp.json", 1)):
            train = [both[which] for i, both in enumerate(frames) if not self._held(i)]
            self._write_transforms(self.folder / name, train, held)

    def _write_view(
        self,
        index: int,
        at: Float[np.ndarray, "4 4"],
        depth: Float[np.ndarray, "h w"],
        sharp: np.ndarray,
    ) -> tuple[writer.Json, writer.Json]:
        """Write a view's files, and describe its photo through the lens and its sharp one."""
        name, quality = f"{index:02d}", self.photos.jpeg_quality
        depth_path, path = f"depth/{name}.png", f"images_sharp/{name}.jpg"
        writer.write_depth(self.folder / depth_path, depth, DEPTH_UNIT)
        writer.write_photo(self.folder / path, sharp, quality)
        whole = writer.frame(Pose(name, "", float(index), at), path, depth_path)
        whole |= {"depth_unit_scale_factor": DEPTH_UNIT}
        if self._held(index):
            return whole, whole
        lens = self._lens(index, depth)
        path, light = f"images/{name}.jpg", self._light(at, 2 * index + 1, lens)
        writer.write_photo(self.folder / path, writer.to_photo(light), quality, lens)
        return {**whole, "file_path": path, **writer.lens_tags(lens, self.pinhole)}, whole

    def _lens(self, index: int, depth: Float[np.ndarray, "h w"]) -> Lens:
        """Focus somewhere between the farthest and the nearest that the photo shows."""
        near, far = np.quantile(depth[np.isfinite(depth)], (0.02, 0.98))
        plane = 1 / far + self.focus[index] * (1 / near - 1 / far)
        return framing(self.pinhole, self.settings.f_number, 1 / float(plane), SENSOR_WIDTH_MM)

    def _light(
        self, at: Float[np.ndarray, "4 4"], photo: int, lens: Lens | None
    ) -> Float[np.ndarray, "h w 3"]:
        seed = (self.photos.seed * 100_003 + photo) % 2**32
        if lens is None:
            return self.renderer.color(at, self.pinhole, seed, finer=2)
        finer = self.settings.finer
        return self.renderer.color(at, self.pinhole, seed, lens.aperture(), finer=finer)

    def _held(self, index: int) -> bool:
        return self.settings.hold_every > 0 and index % self.settings.hold_every == 0

    def _write_transforms(
        self, path: Path, train: list[writer.Json], held: list[writer.Json]
    ) -> None:
        about = {
            "kind": "still-life",
            "settings": asdict(self.photos) | asdict(self.settings),
            "depth": "z along the optical axis at pixel centres, exact up to rounding; 0 is "
            "farther",
            "lens": "ideal thin lens; the circle of confusion at depth z is "
            "lens_strength_px_m * |1/focus_distance - 1/z| pixels across",
        }
        split: writer.Json = {
            "train_filenames": [frame["file_path"] for frame in train],
            "test_filenames": [frame["file_path"] for frame in held],
        }
        writer.write_transforms(path, self.pinhole, train + held, about, split)


def places(
    random: np.random.Generator, made: StillLife, pinhole: Pinhole, count: int
) -> list[Float[np.ndarray, "4 4"]]:
    """Return poses, camera to world, before a still life and turned to its middle."""
    middle = float(np.sqrt(made.near * made.far))
    reach = ASIDE * middle
    below = DOWN * 0.7 * made.near * pinhole.height / (2 * pinhole.focal_length)
    poses = []
    # Evenly from left to right, so that no two photos are from one place.
    for y in np.linspace(reach, -reach, count).tolist():
        z = random.uniform(-below, reach)
        place = np.array([0.0, y, z])
        forward = np.array([middle, 0.0, 0.0]) - place
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], 1)
        pose[:3, 3] = place
        poses.append(pose)
    return poses
