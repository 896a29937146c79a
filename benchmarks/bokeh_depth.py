"""Hold depth from METER's bokeh stacks to true depth, beside METER alone and the same without blur.

    python benchmarks/bokeh_depth.py --shared FOLDER --street FOLDER --trained FOLDER ...
    python benchmarks/bokeh_depth.py --time

Folders of trained weights are outputs of `recon train bokeh-depth`; each is used for the sets of
its METER, with the stacks that it was taught with.

The split, written down before anything was trained. Streets and still lifes of the seeds 100,000
and up teach (`recon.networks.focus_scenes`). Those of 80,000 and up, and the nine photos of
`dgp_scene_01` of the shared folder, decide between designs. What follows is for reports only: no
weights, settings or numbers of steps were chosen by it, and of weights that were taught by rendered
photos alone all real sets are held out altogether.

* `street`: `recon data synthesize --kind street --seed 5 --width 384 --height 256`, every second
  photo by name;
* `kitti`: the KITTI odometry clip of the shared folder, every fifth left photo, depth by matching
  the stereo pair (METER's own training photos may be of the same drive);
* `7-scenes`: the RGB-D frames of the shared folder, every second;
* `mono-kitti` and `mono-nyu`: three photos each of the shared folder.

`street`, `kitti` and `mono-kitti` are for METER's KITTI weights, the rest for NYU's. An image's
score is over the pixels where METER and the truth have depth, up to 80 m or 10 m; a set's is the
mean over its images, with the interval that resampled images give in 95 of 100 cases. A pixel is
weakly textured where the photo's gradient is below the image's median, and far where true depth is
above the image's median.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from recon.core import HAS_CORE  # noqa: F401  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import cv2
import numpy as np
import tyro
from torch import Tensor

from recon.datasets.reader import ReadOptions, read_capture
from recon.intervals import interval
from recon.networks.focus_examples import FARTHEST, NEAREST, Photograph, photographs
from recon.networks.focus_meter import SWEEP, Features, MeterFocus
from recon.networks.focus_stacks import StackMaker, stack_maker
from recon.networks.focus_stored import file_of, load_focus
from recon.networks.meter_canvas import TRAINING, Canvas, MeterVariant, load_meter, weights_of
from recon.priors.bokeh_depth import agreement
from recon.types import Camera, DepthMap


@dataclass(frozen=True)
class Settings:
    """Hold depth from bokeh stacks to true depth."""

    shared: Path | None = None
    """The folder of real data."""
    street: Path | None = None
    """The synthetic street."""
    rooms: tuple[Path, ...] = ()
    """Captures of rooms of your own, with depth; of such as these the split says nothing."""
    trained: tuple[Path, ...] = ()
    """Outputs of `recon train bokeh-depth`."""
    time: bool = False
    """Tell what the steps cost, on one thread."""


@dataclass(frozen=True, eq=False)
class Trained:
    """Weights, and the stacks that they were taught with."""

    name: str
    network: MeterFocus
    maker: StackMaker


Photos = Callable[[], Iterator[Photograph]]


def sets(settings: Settings) -> Iterator[tuple[str, MeterVariant, Photos]]:
    """Return the sets to report on: a name, METER's variant, and the photos."""
    if settings.street is not None:
        street = str(settings.street)
        yield "street", "kitti", lambda: islice(photographs([street]), 0, None, 2)
    if settings.shared is not None:
        data = settings.shared / "data"
        yield "kitti", "kitti", lambda: clip(data / "kitti_odom_clip1")
        yield "mono-kitti", "kitti", lambda: listed(data / "mono_depth_gt", "kitti")
        rooms = str(data / "rgbd_7scenes_tsdf")
        yield "7-scenes", "nyu", lambda: islice(photographs([rooms]), 0, None, 2)
        yield "mono-nyu", "nyu", lambda: listed(data / "mono_depth_gt", "nyu")
    for folder in settings.rooms:
        yield folder.name, "nyu", partial(photographs, [str(folder)])


def clip(folder: Path) -> Iterator[Photograph]:
    """Read every fifth photo of a KITTI drive, with the depth of its stereo pair."""
    for view in read_capture(folder, ReadOptions(format="kitti")).views[::5]:
        depth = view.photo.depth()
        assert depth is not None
        yield Photograph(view.photo.pixels(), view.camera, depth)


def listed(folder: Path, variant: str) -> Iterator[Photograph]:
    """Read the photos that a list of annotations names."""
    entries = json.loads((folder / f"{variant}_demo" / "test_annotations.json").read_text())
    for entry in entries["files"]:
        photo, depth = (folder / Path(entry[key]).relative_to("data") for key in ("rgb", "depth"))
        pixels = torch.from_numpy(np.ascontiguousarray(cv2.imread(str(photo))[..., ::-1]))
        steps = cv2.imread(str(depth), cv2.IMREAD_UNCHANGED).astype(np.float32)
        z = torch.from_numpy(steps / np.float32(entry["depth_scale"]))
        height, width = z.shape
        own = Camera(torch.eye(4), *entry["cam_in"], width=width, height=height)
        yield Photograph(pixels, own, DepthMap(z, z > 0))


def judged(photo: Photograph, variant: MeterVariant, trained: list[Trained]) -> dict[str, Any]:
    """Return the scores of METER alone and of all trained weights on one photo."""
    canvas = Canvas(variant, photo.camera)
    base = BASES[variant]
    row: dict[str, Any] = {}
    alone: DepthMap | None = None
    for one in trained:
        stack, strengths = one.maker.frames(canvas, photo.pixels, photo.depth)
        frames = Features.of(base, canvas.normalized(stack)[None])
        seen = one.network(frames, torch.tensor([strengths])).depth(base)[0, 0]
        alone = canvas.depth(frames.first().depth(base)[0, 0])
        row[one.name] = scores(canvas.depth(seen), alone, photo, variant)
    assert alone is not None
    return {"meter": scores(alone, alone, photo, variant), **row}


def scores(
    found: DepthMap, alone: DepthMap, photo: Photograph, variant: MeterVariant
) -> dict[str, float]:
    """Return the errors of one depth map."""
    truth = photo.depth
    use = truth.valid & alone.valid & (truth.z > NEAREST) & (truth.z <= FARTHEST[variant])
    z, true = found.z.clamp(min=NEAREST)[use].double(), truth.z[use].double()
    error, ratio = (z - true).abs() / true, torch.maximum(z / true, true / z)
    steep = gradient(photo.pixels)[use]
    trust = agreement(found.z, alone.z)[use]
    aligned = z * (true / z).median()
    figures = {
        "abs_rel": error.mean(),
        "weak": error[steep < steep.median()].mean(),
        "far": error[true > true.median()].mean(),
        "scaled": ((aligned - true).abs() / true).mean(),
        "delta1": (ratio < 1.25).double().mean(),
        "rmse": (z - true).square().mean().sqrt(),
        "sure": error[trust >= trust.median()].mean(),
    }
    return {name: float(value) for name, value in figures.items()}


def gradient(pixels: Tensor) -> Tensor:
    """Return how steep a photo is."""
    grey = pixels.float().mean(-1).numpy()
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way) for way in ((1, 0), (0, 1)))
    return torch.from_numpy(np.hypot(across, down))


def report(
    name: str, variant: MeterVariant, photos: Photos, trained: list[Trained]
) -> Iterator[dict[str, Any]]:
    """Judge a set, and return a row for METER alone and for each of the trained weights."""
    rows = [judged(photo, variant, trained) for photo in photos()]
    ratios = {}
    for who in rows[0]:
        keys = list(rows[0][who])
        means = np.nanmean([[row[who][key] for key in keys] for row in rows], 0)
        figures = {key: round(float(mean), 4) for key, mean in zip(keys, means, strict=True)}
        gains = [row[who]["abs_rel"] / row["meter"]["abs_rel"] - 1 for row in rows]
        bounds = interval(np.array(gains), range(len(gains)))
        mean = figures["abs_rel"] / ratios.setdefault("meter", figures["abs_rel"]) - 1
        change = {"change": round(mean, 4), "of_images": bounds and [round(b, 4) for b in bounds]}
        yield {"set": name, "images": len(rows), "who": who, **figures, **change}


def timed(variant: MeterVariant) -> dict[str, Any]:
    """Return seconds of processor time of the parts, on one thread, the best of five."""
    torch.set_num_threads(1)
    base, network, camera = BASES[variant], MeterFocus(variant), TRAINING[variant].camera
    canvas = Canvas(variant, camera)
    maker = stack_maker("own", variant, base, weights_of(variant).find())
    pixels = torch.randint(0, 256, (camera.height, camera.width, 3)).byte()
    stack, strengths = maker.frames(canvas, pixels, None)
    images, k = canvas.normalized(stack)[None], torch.tensor([strengths])
    frames = Features.of(base, images)
    parts: dict[str, Callable[[], object]] = {
        "encoder": lambda: base.encoder(images[:, 0]),
        "encoder_of_stack": lambda: Features.of(base, images),
        "aggregator": lambda: network(frames, k),
        "stack": lambda: maker.frames(canvas, pixels, None),
    }
    return {"meter": variant} | {part: best_of_five(run) for part, run in parts.items()}


def best_of_five(run: Callable[[], object]) -> float:
    """Return the least seconds of processor time of five runs."""
    took = []
    for _ in range(5):
        began = time.process_time()
        run()
        took.append(time.process_time() - began)
    return round(min(took), 4)


def trained_in(folder: Path) -> Trained:
    """Read weights and what their card says of their stacks."""
    variant: MeterVariant = "kitti" if (folder / file_of("kitti")).exists() else "nyu"
    network = load_focus(folder / file_of(variant), variant)
    maker = stack_maker(network.stack, variant, BASES[variant], weights_of(variant).find())
    return Trained(folder.name, network, maker)


BASES = {variant: load_meter(variant, weights_of(variant).find()) for variant in SWEEP}


def main(settings: Settings) -> Iterator[dict[str, Any]]:
    """Return all rows that were asked for."""
    if settings.time:
        yield from map(timed, BASES)
    trained = [trained_in(folder) for folder in settings.trained]
    for name, variant, photos in sets(settings):
        own = [one for one in trained if one.network.variant == variant]
        if own:
            yield from report(name, variant, photos, own)


if __name__ == "__main__":
    with torch.no_grad():
        for line in main(tyro.cli(Settings, description=Settings.__doc__)):
            print(json.dumps(line), flush=True)
