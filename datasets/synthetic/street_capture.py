"""Makes a capture: the street of a seed, photographed along a drive, as nerfstudio keeps it."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from recon.datasets.draft import Progress, draft
from recon.datasets.synthetic import points, writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.lens import lens_of
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import Pose, drive, focal_length, near_detail
from recon.datasets.synthetic.settings import PhotoSettings, StreetSettings
from recon.datasets.synthetic.shapes import load_mitsuba

LENS_FINER = 2
"""Squared, times the samples of sharp photos: blur is a mean over the aperture as well."""


def synthesize_street(
    photos: PhotoSettings, settings: StreetSettings, output: Path, progress: Progress
) -> None:
    """Make a street, drive along it and write a capture into a new folder, all of it or nothing.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: Mitsuba is not installed.
    """
    with draft(output) as folder:
        load_mitsuba()
        Shooting(photos, settings, folder, progress).write()


class Shooting:
    """A capture that is being made."""

    def __init__(
        self, photos: PhotoSettings, settings: StreetSettings, folder: Path, progress: Progress
    ) -> None:
        """Make the street."""
        self.photos, self.settings = photos, settings
        self.folder, self.progress = folder, progress
        self.pinhole = Pinhole(focal_length(photos.width), photos.width, photos.height)
        self.renderer = Renderer(street(photos.seed, near_detail(photos.width)), photos.samples)
        self.poses = drive(photos.steps)
        chosen = [_every(settings.lens_every, i) for i in range(len(self.poses))]
        self.through_lens = [i for i, wanted in enumerate(chosen) if wanted]
        self.total = len(self.poses) + len(self.through_lens)

    def write(self) -> None:
        """Take all photos in the order of their names."""
        settings = self.settings
        for name in ("images", "depth", *(["images_lens"] if self.through_lens else [])):
            (self.folder / name).mkdir()
        random = np.random.default_rng([self.photos.seed, 1])
        clouds: list[points.Points] = []
        frames: list[writer.Json] = []
        for index, pose in enumerate(self.poses):
            at = pose.camera_to_world
            photo = writer.to_photo(self.renderer.color(at, self.pinhole, self._seed(index)))
            depth = self.renderer.depth(at, self.pinhole)
            path = f"images/{pose.name}.jpg"
            writer.write_photo(self.folder / path, photo, self.photos.jpeg_quality)
            if not _every(settings.hold_every, index):
                share = 8 * settings.points // len(self.poses)
                clouds.append(points.sample(random, at, self.pinhole, depth, photo, share))
            depth_path = None
            if _every(settings.depth_every, index) or _every(settings.hold_every, index):
                depth_path = f"depth/{pose.name}.png"
                writer.write_depth(self.folder / depth_path, depth)
            frames.append(writer.frame(pose, path, depth_path))
            self.progress(pose.name, index + 1, self.total)
        cloud = points.thin(random, clouds, settings.points)
        writer.write_points(self.folder / "sparse_pc.ply", cloud)
        transforms = self.folder / "transforms.json"
        writer.write_transforms(transforms, self.pinhole, frames, self._about())
        if self.through_lens:
            self._write_lens([(self.poses[i], frames[i]) for i in self.through_lens])
            self._write_defocused(frames)

    def _write_lens(self, taken: list[tuple[Pose, writer.Json]]) -> None:
        """Take some of the photos again, through the thin lens."""
        frames: list[writer.Json] = []
        for number, (pose, sharp) in enumerate(taken, start=len(self.poses)):
            lens = lens_of(self.settings, self.pinhole, number - len(self.poses))
            image = self.renderer.color(
                pose.camera_to_world,
                self.pinhole,
                self._seed(number),
                lens.aperture(),
                finer=LENS_FINER,
            )
            path, photo = f"images_lens/{pose.name}.jpg", writer.to_photo(image)
            writer.write_photo(self.folder / path, photo, self.photos.jpeg_quality, lens)
            frames.append({**sharp, "file_path": path, **writer.lens_tags(lens, self.pinhole)})
            self.progress(f"{pose.name} (lens)", number + 1, self.total)
        about = self._about() | {
            "lens": "ideal thin lens; the circle of confusion at depth z is "
            "lens_strength_px_m * |1/focus_distance - 1/z| pixels across",
        }
        transforms = self.folder / "transforms_lens.json"
        writer.write_transforms(transforms, self.pinhole, frames, about)

    def _write_defocused(self, sharp: list[writer.Json]) -> None:
        """Say how to train on photos through a lens that is not named, and test on sharp ones."""
        held = [i for i in range(len(sharp)) if _every(self.settings.hold_every, i)]
        train = [
            {**sharp[i], "file_path": f"images_lens/{self.poses[i].name}.jpg"}
            for i in self.through_lens
            if i not in held
        ]
        test = [sharp[i] for i in held]
        split: writer.Json = {
            "train_filenames": [frame["file_path"] for frame in train],
            "test_filenames": [frame["file_path"] for frame in test],
        }
        transforms = self.folder / "transforms_defocused.json"
        writer.write_transforms(transforms, self.pinhole, train + test, self._about(), split)

    def _seed(self, photo: int) -> int:
        """Give every photo of every street its own noise; Mitsuba takes 32 bits."""
        return (self.photos.seed * 100_003 + photo) % 2**32

    def _about(self) -> writer.Json:
        """Say how the capture was made."""
        held = self.settings.hold_every
        return {
            "settings": asdict(self.photos) | asdict(self.settings),
            "depth": "z along the optical axis at pixel centres, exact up to rounding; 0 is sky",
            "points": {
                "from": f"exact depth of all views but every {held}th by name",
                "noise": f"normal along the ray, sigma = {points.NOISE_BASE} m + "
                f"{points.NOISE_SLOPE} of the depth",
                "thinned": f"one point in {points.VOXEL} m, then at random",
            },
        }


def _every(n: int, index: int) -> bool:
    """Tell whether an index is an n-th one; none is where n is 0."""
    return n > 0 and index % n == 0
