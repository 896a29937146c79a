"""`recon render`: views of a run, and paths through it, as colour and depth."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from recon.commands.capture import newest, rasterizer_for, reopen, scene_at, tell_unfinished
from recon.commands.progress import counting
from recon.errors import UsageError
from recon.optics import camera_lens, thin_lens
from recon.render import DepthChoice, Pictures, Shot, Stage, distance_at, render_shots
from recon.run import Run
from recon.shots import PathSettings, ViewChoice, at_width, shots_along, shots_of_views
from recon.types import Camera, Capture, ThinLens
from recon.video import write_video


@dataclass(frozen=True)
class LensSettings:
    """A lens to photograph the scene through."""

    f_number: float | None = None
    """Of a real lens; the capture's lengths must be metres."""
    sensor_width_mm: float = 36.0
    """Of that lens' camera."""
    strength: float | None = None
    """Of a thin lens instead: its K, in px times the capture's unit of length."""
    focus: float | None = None
    """Distance of either, along the optical axis; what is in the middle of the first picture
    where not given."""

    def build(self, stage: Stage, camera: Camera) -> ThinLens | None:
        """Return the lens, or None for a picture that is sharp everywhere.

        Raises:
            UsageError: both lenses are asked for, or a focus without one, or metres are missing.
        """
        if self.f_number is None and self.strength is None:
            if self.focus is not None:
                raise UsageError(
                    "--lens.focus needs a lens: give --lens.strength or --lens.f-number as well."
                )
            return None
        if self.f_number is not None and self.strength is not None:
            raise UsageError("--lens.f-number and --lens.strength are two lenses; give one.")
        focus = distance_at(stage, camera) if self.focus is None else self.focus
        if self.strength is not None:
            return thin_lens(self.strength, focus)
        if not stage.metric:
            raise UsageError(
                "--lens.f-number needs a capture in metres, and this one is not known to be; give "
                "--lens.strength in px times its unit, or fit with --metric if it is."
            )
        assert self.f_number is not None
        return camera_lens(camera, self.f_number, focus, self.sensor_width_mm)


@dataclass(frozen=True)
class Render:
    """Render a run: its views or a path through it, as colour, 16 bit depth and coloured depth."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    views: ViewChoice = "test"
    """Which views; none of them where a path is asked for."""
    along: bool = False
    """Render along a path instead, and join its pictures to a video; --path says so too."""
    path: Annotated[PathSettings, tyro.conf.arg(name="")] = field(default_factory=PathSettings)
    lens: LensSettings = field(default_factory=LensSettings)
    width: int | None = None
    """Of the pictures; as the views are where not given."""
    depth: DepthChoice = "expected"
    """Which depth to write."""
    fps: float = 30.0
    """Of the video."""
    output: Path | None = None
    """A folder; render/<views or path> in the run's folder where not given."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""

    def __call__(self) -> None:
        """Render, and print where the pictures are."""
        if not self.fps > 0:
            raise UsageError(f"--fps {self.fps}: expected more than 0.")
        run = Run(self.run)
        settings, capture = reopen(run, self.data)
        saved = newest(run)
        tell_unfinished(run, settings, saved)
        rasterizer = rasterizer_for(settings.backend)
        scene = scene_at(run, settings, capture, saved, rasterizer)
        stage = Stage(scene, rasterizer, capture.metric)
        shots = self._shots(capture, stage)
        along = self._on_a_path
        name = (self.path.path or "through") if along else self.views
        folder = self.output or run.path / "render" / name
        lens = self.lens.build(stage, shots[0].camera)
        pictures = Pictures(depth=self.depth)
        with counting("rendering", len(shots)) as done:
            names = render_shots(stage, shots, folder, pictures, lens=lens, on_shot=done)
        if along:
            frames = [folder / "color" / f"{name}.png" for name in names]
            write_video(folder / "color.mp4", frames, self.fps)
        print(folder)

    @property
    def _on_a_path(self) -> bool:
        return self.along or self.path.path is not None

    def _shots(self, capture: Capture, stage: Stage) -> list[Shot]:
        if self._on_a_path:
            shots = shots_along(capture, stage, self.path)
        else:
            shots = shots_of_views(capture, self.views)
        return shots if self.width is None else at_width(shots, self.width)
