"""Pictures of a scene: colour, depth and alpha of capture views or of a path."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from recon.camera import resized
from recon.errors import DataError
from recon.files import write_text
from recon.pictures import (
    DepthRange,
    as_8_bit,
    as_16_bit,
    depth_picture,
    with_legend,
    write_png,
)
from recon.raster.interface import COVERED, Rasterizer, Render
from recon.scene import Scene
from recon.types import Camera, ThinLens, View
from recon.view_files import file_stems

DepthChoice = Literal["none", "expected", "median"]
SAMPLE_WIDTH = 160
"""px; of the small renders that tell how deep a scene is."""


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture to take."""

    name: str
    camera: Camera
    taken_as: View | None = None
    """The view whose exposure it gets; the scene's own where None."""


@dataclass(frozen=True)
class Pictures:
    """What to write of every shot, each in a folder of its own."""

    depth: DepthChoice = "expected"
    """`depth/` in 16 bits, `depth_colors/` with a legend, and `depth.json` with the units."""
    alpha: bool = False
    """`alpha/`, white where the scene is opaque."""
    sh_degree: int = 3
    """View-dependent colour up to this degree."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A scene and what draws it."""

    scene: Scene
    """On the rasterizer's device, in the frame of the cameras."""
    rasterizer: Rasterizer
    metric: bool
    """Whether lengths are metres."""

    def draw(
        self,
        camera: Camera,
        lens: ThinLens | None = None,
        sh_degree: int = 3,
        taken_as: View | None = None,
    ) -> Render:
        """Render without gradients, with both depths; see `Scene.draw`."""
        with torch.no_grad():
            return self.scene.draw(
                self.rasterizer,
                camera,
                taken_as=taken_as,
                sh_degree=sh_degree,
                lens=lens,
                median=True,
            )


def render_shots(
    stage: Stage,
    shots: Sequence[Shot],
    folder: Path,
    pictures: Pictures | None = None,
    *,
    lens: ThinLens | None = None,
    on_shot: Callable[[Shot], None] = lambda shot: None,
) -> list[str]:
    """Render every shot and write its pictures; each file appears whole or not at all.

    Args:
        stage: the scene.
        shots: at least one.
        folder: gets `color/<shot>.png` and what `pictures` asks for.
        pictures: what to write; colour and expected depth where absent.
        lens: for defocused pictures.
        on_shot: called after each shot, for progress.

    Returns:
        The file names without suffix, in the order of the shots.

    Raises:
        DataError: there are no shots.
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    if not shots:
        raise DataError(f"{folder}: no views to render; expected at least one, choose other views")
    pictures = pictures or Pictures()
    stems = file_stems([shot.name for shot in shots])
    scale = None
    if pictures.depth != "none":
        scale = depth_scale(stage, shots, pictures.depth)
        write_text(folder / "depth.json", scale.as_json())
    for shot in shots:
        render = stage.draw(shot.camera, lens, pictures.sh_degree, shot.taken_as)
        file = f"{stems[shot.name]}.png"
        write_png(folder / "color" / file, as_8_bit(render.color))
        if pictures.alpha:
            write_png(folder / "alpha" / file, as_8_bit(render.alpha))
        if scale is not None:
            _write_depth(folder, file, render, scale)
        on_shot(shot)
    return list(stems.values())


@dataclass(frozen=True)
class DepthScale:
    """How the depth of one set of pictures is written, the same for all of them."""

    which: DepthChoice
    steps_per_unit: float
    """A power of ten; a 16 bit value divided by it is the depth."""
    colors: DepthRange
    metric: bool

    def as_json(self) -> str:
        """Say how to read the pictures."""
        what = {
            "depth": f"{self.which}, along the optical axis",
            "unit": "metres" if self.metric else "scene units",
            "steps_per_unit": self.steps_per_unit,
            "no_depth": 0,
            "largest": 65535,
            "covered_from_alpha": COVERED,
            "colors": {"map": "turbo, even in 1 / depth", **asdict(self.colors)},
        }
        return json.dumps(what, indent=2) + "\n"


def depth_scale(stage: Stage, shots: Sequence[Shot], which: DepthChoice) -> DepthScale:
    """Choose steps and colours that suit all shots, from small renders of up to eight of them."""
    chosen = shots[:: max(1, math.ceil(len(shots) / 8))]
    depths = []
    for camera in (shot.camera for shot in chosen):
        small = min(1.0, SAMPLE_WIDTH / camera.width)
        sizes = (max(1, round(small * size)) for size in (camera.width, camera.height))
        render = stage.draw(resized(camera, *sizes), sh_degree=0)
        depth = covered_depth(render, which)
        depths.append(depth[depth > 0].cpu())
    found = torch.cat(depths)
    span = DepthRange.of(found, "m" if stage.metric else "")
    deepest = float(found.max()) if len(found) else 1.0
    # Far beyond the usual depth there may be stray pixels: they shall not coarsen the steps.
    deepest = min(deepest, 10 * span.far)
    steps = 10.0 ** math.floor(math.log10(65535 / (1.2 * deepest)))
    return DepthScale(which, steps, span, stage.metric)


def covered_depth(render: Render, which: DepthChoice) -> Float[Tensor, "h w"]:
    """Return a render's expected or median depth, 0 where the scene does not cover the pixel."""
    depth = render.median_depth if which == "median" else render.expected_depth
    assert depth is not None
    return torch.where(render.alpha >= COVERED, depth, 0)


def distance_at(stage: Stage, camera: Camera, x: float = 0.5, y: float = 0.5) -> float:
    """Return the median depth at a place of the image: where to focus, or what to wobble around.

    Args:
        stage: the scene.
        camera: looks at it.
        x: from 0 at the left to 1 at the right.
        y: from 0 at the top to 1 at the bottom.

    Raises:
        DataError: there is nothing at that place.
    """
    depth = covered_depth(stage.draw(camera, sh_degree=0), "median")
    row = min(int(y * camera.height), camera.height - 1)
    column = min(int(x * camera.width), camera.width - 1)
    found = float(depth[row, column])
    if not found > 0:
        raise DataError(
            f"nothing of the scene is seen at {x:.2f}, {y:.2f} of the image; expected a place on "
            "something opaque, choose another place or give the distance"
        )
    return found


def _write_depth(folder: Path, file: str, render: Render, scale: DepthScale) -> None:
    depth = covered_depth(render, scale.which)
    write_png(folder / "depth" / file, as_16_bit(depth, scale.steps_per_unit))
    picture = with_legend(depth_picture(depth, depth > 0, scale.colors), scale.colors)
    write_png(folder / "depth_colors" / file, picture)
