"""Makes a drive: the street of a seed as a Waymo segment, with a laser and one moving car."""

import json
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from recon.camera import Intrinsics
from recon.datasets.draft import Progress, draft
from recon.datasets.range_image import measured
from recon.datasets.stored_image import StoredImage
from recon.datasets.synthetic import laser, rig, writer
from recon.datasets.synthetic.camera import Pinhole
from recon.datasets.synthetic.labels import LEAST, objects
from recon.datasets.synthetic.laser import PERIOD, Laser, Turn
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.mover import Mover, oncoming
from recon.datasets.synthetic.projection import Shot, projections
from recon.datasets.synthetic.rays import Rays
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.scene import Scene
from recon.datasets.synthetic.settings import DriveSettings, PhotoSettings
from recon.datasets.synthetic.shapes import load_mitsuba
from recon.datasets.waymo_segment import (
    CAMERAS,
    CameraCalibration,
    CameraImage,
    Frame,
    LaserScan,
    Motion,
    Scans,
    Segment,
    number_of,
)
from recon.datasets.waymo_write_v2 import write_v2

BEGAN = 1_700_000_000_000_000
"""When the drive begins, microseconds since 1970."""
NAMES = {"front": "FRONT", "left": "FRONT_LEFT", "right": "FRONT_RIGHT"}
"""What Waymo calls the cameras."""


@dataclass(frozen=True)
class Encoded(StoredImage):
    """A photo in memory."""

    content: bytes

    def read(self) -> bytes:
        """Return it."""
        return self.content


@dataclass(frozen=True, eq=False)
class Turned(Scans):
    """The laser's turn of one frame, in memory."""

    scan: LaserScan

    def read(self) -> list[LaserScan]:
        """Return it."""
        return [self.scan]


def synthesize_drive(
    photos: PhotoSettings, settings: DriveSettings, output: Path, progress: Progress
) -> None:
    """Drive along a street and write a Waymo segment into a new folder, all of it or nothing.

    Raises:
        UsageError: the folder exists and is not empty.
        ResourceError: Mitsuba is not installed.
    """
    with draft(output) as folder:
        load_mitsuba()
        truth = folder / "truth" if settings.truth else None
        write_v2(folder, drive_segment(photos, settings, truth, progress))
        about = json.dumps(_about(photos, settings), indent=1) + "\n"
        (folder / "about.json").write_text(about, encoding="utf-8")


def drive_segment(
    photos: PhotoSettings, settings: DriveSettings, truth: Path | None, progress: Progress
) -> Segment:
    """Simulate the drive; everything but the exact depth is kept in memory.

    Args:
        photos: of the cameras.
        settings: of the laser.
        truth: folder for the exact depth of every photo; None where it is not wanted.
        progress: told of each photo.
    """
    scene = street(photos.seed, rig.near_detail(photos.width))
    mover = oncoming(np.random.default_rng([photos.seed, 3]))
    simulation = Simulation(photos, settings, scene, mover, truth, progress)
    pinhole = simulation.pinhole
    lens = Intrinsics(
        pinhole.width,
        pinhole.height,
        pinhole.focal_length,
        pinhole.focal_length,
        pinhole.width / 2,
        pinhole.height / 2,
    )
    to_waymo = np.eye(4)
    to_waymo[:3, :3] = rig.CAMERA_AXES.T
    return Segment(
        f"synthetic_street_{photos.seed}",
        {
            NAMES[mount.sensor]: CameraCalibration(
                NAMES[mount.sensor], lens, mount.camera_to_vehicle @ to_waymo
            )
            for mount in rig.MOUNTS
        },
        {"TOP": laser.calibration(settings.beams)},
        simulation.frames(),
    )


class Simulation:
    """A drive that is under way."""

    def __init__(
        self,
        photos: PhotoSettings,
        settings: DriveSettings,
        scene: Scene,
        mover: Mover,
        truth: Path | None,
        progress: Progress,
    ) -> None:
        """Make the scene ready for the laser; photos each get a scene of their own."""
        self.photos, self.settings = photos, settings
        self.scene, self.mover = scene, mover
        self.truth, self.progress = truth, progress
        self.pinhole = Pinhole(rig.focal_length(photos.width), photos.width, photos.height)
        self.laser = Laser(
            Rays.of(scene.parts), mover, Rays.of(mover.parts), settings.beams, settings.columns
        )

    def frames(self) -> list[Frame]:
        """Simulate all time steps."""
        return [self.frame(step) for step in range(self.photos.steps)]

    def frame(self, step: int) -> Frame:
        """Simulate one turn of the laser, and a photo of each camera when the laser looks its way.

        Boxes and the frame's pose are those of the middle of the turn.
        """
        began = step * PERIOD
        turn = self.laser.turn(began, np.random.default_rng([self.photos.seed, 2, step]))
        images, shots = [], []
        for number, mount in enumerate(rig.MOUNTS):
            time = began + PERIOD * (np.pi - mount.yaw) / (2 * np.pi)
            vehicle = rig.vehicle_to_world(time)
            name = NAMES[mount.sensor]
            shot = Shot(number_of(CAMERAS, name), vehicle @ mount.camera_to_vehicle, self.pinhole)
            photo = self.photograph(shot, time, step, 3 * step + number)
            motion = Motion(*rig.velocity(time))
            images.append(CameraImage(name, photo, vehicle, BEGAN * 1e-6 + time, motion))
            shots.append(shot)
            self.progress(f"{name}/{step:04d}", 3 * step + number + 1, 3 * self.photos.steps)
        middle = began + PERIOD / 2
        vehicle = rig.vehicle_to_world(middle)
        boxes = objects(self.scene.cars, self.mover, middle, vehicle, turn)
        scans = Turned(self.scan(turn, shots))
        return Frame(BEGAN + round(began * 1e6), vehicle, images, scans, boxes)

    def photograph(self, shot: Shot, time: float, step: int, number: int) -> Encoded:
        """Take a photo, with the moving car where it is, and write down its exact depth."""
        parts = (*self.scene.parts, *self.mover.placed(time))
        renderer = Renderer(Scene(parts, self.scene.light), self.photos.samples)
        seed = (self.photos.seed * 100_003 + number) % 2**32
        image = renderer.color(shot.camera_to_world, self.pinhole, seed)
        if self.truth is not None:
            path = self.truth / CAMERAS[shot.number] / f"{step:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer.write_depth(path, renderer.depth(shot.camera_to_world, self.pinhole))
        encoded = BytesIO()
        writer.write_photo(encoded, writer.to_photo(image), self.photos.jpeg_quality)
        return Encoded(encoded.getvalue())

    def scan(self, turn: Turn, shots: list[Shot]) -> LaserScan:
        """Add to a turn where the photos of its frame show its points."""
        places, shape = measured(turn.ranges), (self.settings.beams, self.settings.columns)
        seen = projections(turn.points, places, shape, sorted(shots, key=lambda s: s.number))
        return LaserScan("TOP", (turn.ranges, None), (seen, None), turn.pixel_poses)


def _about(photos: PhotoSettings, settings: DriveSettings) -> writer.Json:
    """Say how the segment was made."""
    return {
        "what": "A drive along a street made and rendered by recon, as a segment in the format of "
        "the Waymo Open Dataset, perception, version 2. No part of it is from Waymo.",
        "made by": "recon data synthesize --kind drive",
        "settings": {**asdict(photos), **asdict(settings)},
        "photos": "sRGB without a tone curve; ideal pinholes; all lines at one moment, that at "
        "which the laser looks along the camera's axis",
        "poses and velocities": "exact; vehicle poses and boxes are of the middle of the turn",
        "laser": f"one return a beam, each column at its own time, {1 / PERIOD:g} turns a second; "
        f"normal noise, sigma = {laser.NOISE} m; rounded to {laser.UNIT} m; nothing comes back "
        f"from glass, the sky, and beyond {laser.FARTHEST:g} m; intensity is the diffuse "
        f"reflectance times the cosine of incidence, rounded to {laser.ECHO_UNIT}",
        "projections": "whole pixels, without regard to what hides a point from a camera",
        "boxes": f"exact, mirrors included, of cars with {LEAST} points or more in their box",
        "truth": "z along the optical axis at pixel centres, 16 bit, in units of "
        f"{writer.DEPTH_UNIT} m; 0 is sky and beyond {2**16 * writer.DEPTH_UNIT:g} m"
        if settings.truth
        else "not written",
    }
