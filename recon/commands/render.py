"""`recon render`: views of a run, and paths through it, as colour and depth."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import tyro

from recon import checkpoint
from recon.commands.capture import capture_of
from recon.commands.progress import counting
from recon.errors import UsageError
from recon.optics import camera_lens, thin_lens
from recon.paths import interpolated, resized, spin, wobble
from recon.raster.choose import choose_rasterizer
from recon.render import (
    DepthChoice,
    Pictures,
    Shot,
    Stage,
    distance_at,
    render_shots,
    shots_along,
    shots_of,
)
from recon.run import Run
from recon.types import Camera, Capture, ThinLens
from recon.video import write_video

Place = Literal["test", "train", "all", "through", "spin", "wobble"]


@dataclass(frozen=True)
class Render:
    """Render a run's views, or a path through it: colour, depth in 16 bit and as a colour map."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    views: Place = "test"
    """test, train, all: the capture's own views. through: a smooth path along all of them. spin:
    once around. wobble: a small ellipse at the first view."""
    output: Path | None = None
    """A folder; render/<views> in the run's folder where not given."""
    frames: int = 120
    """Pictures of a path."""
    scale: float = 1.0
    """Factor on width and height."""
    depth: DepthChoice = "expected"
    """Which depth to write."""
    fps: float = 30.0
    """Of the video that a path makes."""
    f_number: float | None = None
    """Photograph through a lens of this f-number; needs a metric capture."""
    sensor_width_mm: float = 36.0
    """Of that lens' camera."""
    strength: float | None = None
    """Photograph through a lens of this strength K instead, in px·m (or px times scene unit)."""
    focus: float | None = None
    """Distance of focus of either lens, along the optical axis; what is in the middle of the
    first picture where not given."""

    def __call__(self) -> None:
        """Render, and print where the pictures are."""
        run = Run(self.run)
        settings = run.settings()
        capture = capture_of(settings)
        saved, _ = checkpoint.load_latest(run.checkpoints)
        rasterizer = choose_rasterizer(settings.backend)
        gaussians = saved.gaussians.to(rasterizer.device)
        stage = Stage(gaussians, rasterizer, capture.background, capture.metric)
        shots = [self._sized(shot) for shot in self._shots(capture, stage)]
        folder = self.output or run.path / "render" / self.views
        lens = self._lens(stage, shots[0].camera) if shots else None
        with counting("rendering", len(shots)) as done:
            names = render_shots(
                stage, shots, folder, Pictures(depth=self.depth), lens=lens, on_shot=done
            )
        if self.views in ("through", "spin", "wobble"):
            pictures = [folder / "color" / f"{name}.png" for name in names]
            write_video(folder / "color.mp4", pictures, self.fps)
        print(folder)

    def _shots(self, capture: Capture, stage: Stage) -> list[Shot]:
        cameras = [view.camera for view in capture.views]
        match self.views:
            case "test":
                return shots_of(capture.test)
            case "train":
                return shots_of(capture.train)
            case "all":
                return shots_of(capture.views)
            case "through":
                return shots_along(interpolated(cameras, self.frames))
            case "spin":
                return shots_along(spin(cameras, self.frames))
            case "wobble":
                distance = distance_at(stage, cameras[0])
                return shots_along(wobble(cameras[0], self.frames, 0.05 * distance, distance))

    def _sized(self, shot: Shot) -> Shot:
        camera = shot.camera
        width, height = round(self.scale * camera.width), round(self.scale * camera.height)
        return replace(shot, camera=resized(camera, max(1, width), max(1, height)))

    def _lens(self, stage: Stage, camera: Camera) -> ThinLens | None:
        if self.f_number is None and self.strength is None:
            return None
        if self.f_number is not None and self.strength is not None:
            raise UsageError("--f-number and --strength name two lenses; give one of them")
        focus = distance_at(stage, camera) if self.focus is None else self.focus
        if self.f_number is not None:
            if not stage.metric:
                raise UsageError(
                    "--f-number needs lengths in metres, and this capture has none (--metric says "
                    "that it does). Give --strength in px times scene unit instead."
                )
            return camera_lens(camera, self.f_number, focus, self.sensor_width_mm)
        assert self.strength is not None
        return thin_lens(self.strength, focus)
