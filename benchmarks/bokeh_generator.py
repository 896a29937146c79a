"""Hold makers of bokeh stacks to Mitsuba's thin lens on scenes that none was taught with.

    RECON_WEIGHTS=... python benchmarks/bokeh_generator.py --what lens --scenes FOLDER
    python benchmarks/bokeh_generator.py --what calibration --scenes FOLDER
    RECON_WEIGHTS=... python benchmarks/bokeh_generator.py --what capture --scenes CAPTURE
    python benchmarks/bokeh_generator.py --what time

`lens` gives the PSNR in sRGB of the light generator, of the operator fed with METER's depth (of
NYU's weights for still lifes, KITTI's for streets) and with exact depth, and of the photo itself.

`calibration` measures diameters in the light generator's own stack, by least squares over discs
(`networks/defocus_sweep.py`), which know nothing of what the network said. For each photo: the
correlation of the mean diameter with K, and its slope as a share of the true mean of 1/z, over the
pixels of which the measurement is sure.

`capture` holds the light generator and METER (NYU) to the operator fed with the measured depth of
every tenth photo of a capture; no lens took these.

The scenes and their seeds are in `bokeh_held_out.py`; they are rendered where FOLDER lacks them.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Literal

from recon.core import HAS_CORE  # Before torch: recon chooses how OpenMP waits.

import numpy as np  # isort: skip
import torch
import tyro
from bokeh_held_out import STRENGTHS, HeldOut, held_out
from torch import Tensor

from recon.defocus import blur_stack
from recon.networks.bokeh_from_depth import FromDepth
from recon.networks.bokeh_generator import BokehGenerator
from recon.networks.bokeh_light import PACKAGED, LightBokeh
from recon.networks.defocus_sweep import COCS, measure_diameters
from recon.networks.focus_examples import photographs
from recon.priors.choose import PriorChoice, choose_prior
from recon.priors.interface import Frame
from recon.srgb import to_srgb
from recon.types import Camera, DepthMap

SWEPT = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
"""px·m; of the calibration."""
SURE = 0.1
"""Share of a measured diameter; what is less sure does not count."""
PRIORS: dict[str, Literal["meter-nyu", "meter-kitti"]] = {
    "still": "meter-nyu",
    "street": "meter-kitti",
}


@dataclass(frozen=True)
class Settings:
    """Hold makers of bokeh stacks to Mitsuba's thin lens on scenes that none was taught with."""

    what: Literal["lens", "calibration", "capture", "time"] = "lens"
    scenes: Path = Path("held-out")
    """Folder of renders; for capture the capture."""
    weights: Path = PACKAGED
    """Of the light generator."""


def photo(light: np.ndarray) -> Tensor:
    """Return linear light as a photo of 8 bits holds it, sRGB 0 to 1."""
    srgb = to_srgb(torch.from_numpy(light).clamp(0, 1)).movedim(-1, -3)
    return (255 * srgb).round() / 255


def camera(one: HeldOut) -> Camera:
    """Return the camera of a place."""
    height, width = one.nearness.shape
    return Camera(torch.eye(4), one.focal, one.focal, width / 2, height / 2, width, height)


def told_by_prior(kind: str) -> BokehGenerator:
    """Return the maker that METER tells depth."""
    prior = choose_prior(PriorChoice(PRIORS[kind]))

    def depth_of(pixels: Tensor, seen_by: Camera | None) -> DepthMap:
        assert seen_by is not None
        return prior.predict(Frame("photo", pixels, seen_by)).depth

    return FromDepth(depth_of, prior.identity())


def told_exactly(one: HeldOut) -> BokehGenerator:
    """Return the maker that knows the depth of a place."""
    nearness = torch.from_numpy(one.nearness)
    depth = DepthMap(1 / nearness, torch.ones_like(nearness, dtype=torch.bool))
    return FromDepth(lambda pixels, seen_by: depth, one.name)


def hold_to_lens(settings: Settings) -> None:
    """Print PSNR by kind, maker and strength."""
    light = LightBokeh(settings.weights)
    from_prior = {kind: told_by_prior(kind) for kind in PRIORS}
    found: defaultdict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for one in held_out(settings.scenes):
        sharp, lens = photo(one.light), photo(one.lens)
        makers = {
            "light": light,
            "METER": from_prior[one.kind],
            "exact depth": told_exactly(one),
        }
        stacks = {
            name: maker.stack(sharp, STRENGTHS, camera(one)) for name, maker in makers.items()
        }
        stacks["the photo itself"] = sharp.expand_as(lens)
        for name, stack in stacks.items():
            psnr = -10 * (stack - lens).square().mean((1, 2, 3)).log10()
            found[one.kind, name].append(psnr.tolist())
            print(one.name, name, [round(value, 2) for value in psnr.tolist()], flush=True)
    print(f"\n| | {' | '.join(f'K = {k:g}' for k in STRENGTHS)} | worst |\n|---|---|---|---|---|")
    for (kind, name), rows in sorted(found.items()):
        means = " | ".join(f"{mean(column):.2f}" for column in zip(*rows, strict=True))
        print(f"| {kind}, {name} | {means} | {min(min(row) for row in rows):.2f} |")


def calibrate(settings: Settings) -> None:
    """Print how measured diameters follow K."""
    light = LightBokeh(settings.weights)
    slopes: defaultdict[str, list[float]] = defaultdict(list)
    correlations, asked, measured = [], [], []
    for one in held_out(settings.scenes):
        sharp = photo(one.light)
        levels = blur_stack(sharp.permute(1, 2, 0).contiguous(), COCS)
        found = [measure_diameters(levels, frame) for frame in light.stack(sharp, SWEPT)]
        sizes = torch.stack([one.size for one in found])
        spread = torch.stack([one.variance for one in found]).sqrt()
        sure = (spread < SURE * sizes.clamp(min=1.0)).all(0)
        diameters = sizes[:, sure].mean(1)
        strengths = torch.tensor(SWEPT)
        truth = float(torch.from_numpy(one.nearness)[sure].mean())
        said = float(light.rates(sharp)[sure].mean())
        slope = float((strengths * diameters).sum() / strengths.square().sum())
        correlation = float(torch.corrcoef(torch.stack([strengths, diameters]))[0, 1])
        correlations.append(correlation)
        slopes[one.kind].append(slope / truth)
        slopes["what the network says"].append(slope / said)
        asked += [strength * truth for strength in SWEPT]
        measured += diameters.tolist()
        print(
            f"{one.name}: sure of {float(sure.float().mean()):.0%}, correlation {correlation:.4f}, "
            f"slope / true 1/z {slope / truth:.3f}, / the network's {slope / said:.3f}",
            flush=True,
        )
    print(f"correlation with K: median {median(correlations):.4f}, least {min(correlations):.4f}")
    pooled = np.corrcoef(asked, measured)[0, 1]
    print(f"correlation with K/z over all photos: {pooled:.4f}")
    for name, values in slopes.items():
        low, high = min(values), max(values)
        print(f"slope over {name}: median {median(values):.3f}, {low:.3f} to {high:.3f}")


def hold_to_depth(settings: Settings) -> None:
    """Print PSNR and the slope of rates on photos whose depth was measured."""
    light = LightBokeh(settings.weights)
    makers: dict[str, BokehGenerator] = {"light": light, "METER": told_by_prior("still")}
    found: defaultdict[str, list[list[float]]] = defaultdict(list)
    slopes = []
    for one in list(photographs([str(settings.scenes)]))[::10]:
        sharp = one.pixels.permute(2, 0, 1).float() / 255
        truth = FromDepth(lambda pixels, seen_by, one=one: one.depth, "measured")
        target = truth.stack(sharp, STRENGTHS)
        for name, maker in makers.items():
            stack = maker.stack(sharp, STRENGTHS, one.camera)
            found[name].append((-10 * (stack - target).square().mean((1, 2, 3)).log10()).tolist())
        known = one.depth.valid
        rates = light.rates(sharp)[known]
        slopes.append(float(rates.mean() / (1 / one.depth.z[known]).mean()))
    for name, rows in found.items():
        print(name, [round(mean(column), 2) for column in zip(*rows, strict=True)])
    print(f"{len(slopes)} photos; the network's rate over true 1/z: median {median(slopes):.2f}")


def clock(settings: Settings) -> None:
    """Print what a stack of three costs."""
    image = torch.rand(3, 240, 320, generator=torch.Generator().manual_seed(0))
    light = LightBokeh(settings.weights)
    light.stack(image, STRENGTHS)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        timed: dict[str, Callable[[], Tensor]] = {
            "stack of 3": lambda: light.stack(image, STRENGTHS),
            "rates alone": lambda: light.rates(image),
        }
        for name, work in timed.items():
            wall, processor = [], []
            for _ in range(7):
                began, used = time.perf_counter(), time.process_time()
                work()
                wall.append(time.perf_counter() - began)
                processor.append(time.process_time() - used)
            print(
                f"320x240, {name}, {threads} thread(s), core {HAS_CORE}: {median(wall):.3f} s, "
                f"best {min(wall):.3f} s, processor {median(processor):.3f} s"
            )


WORK = {"lens": hold_to_lens, "calibration": calibrate, "capture": hold_to_depth, "time": clock}

if __name__ == "__main__":
    chosen = tyro.cli(Settings, description=__doc__)
    WORK[chosen.what](chosen)
