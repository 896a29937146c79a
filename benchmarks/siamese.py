"""Hold the siamese network to stacks of which all is known, and to real ones of which order is.

    python benchmarks/siamese.py --stacks FOLDER
    python benchmarks/siamese.py --stacks FOLDER --photons 20
    python benchmarks/siamese.py --real FOLDER

A folder of stacks holds what `recon data synthesize --kind focal-stack` makes, a folder each.
A real stack is a folder of photos whose names are in order of focus. Figures that are told come
from stacks of the seeds 201 to 208; what can be chosen was chosen on 301 to 304.

Beside the network stand two classical answers: over a stack, the slice of the largest sharpness;
for one photo, the ratio of gradients before and after a known blur (Zhuo and Sim 2011, Pattern
Recognition 44(9)), whose side of the focus is given to it, as it cannot tell it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recon.core import HAS_CORE  # noqa: F401  # Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import cv2
import numpy as np
import tyro
from torch import Tensor

from recon.datasets.reader import read_capture
from recon.evidence.coc import CocMap
from recon.networks.estimator import SiameseEstimator
from recon.networks.fusion import inverse_depth
from recon.networks.photographs import noisy
from recon.networks.slice_order import ordered_lenses
from recon.networks.stack_depth import between, stack_depth
from recon.networks.stored import PACKAGED
from recon.optics import signed_coc, stated_lens
from recon.priors.siamese import metres
from recon.srgb import to_linear, to_srgb
from recon.stack_alignment import align
from recon.types import ThinLens

PLANES = torch.linspace(1 / 10, 2.0, 115)
"""Inverse depths of 0.5 to 10 m."""
BELOW, AWAY = 10.0, 1.0
"""px; circles of confusion that are judged, and from which a side is asked."""
EDGE = 8
"""px; left out around a photo."""


@dataclass(frozen=True)
class Settings:
    """Hold the siamese network to stacks of which all is known, and to real ones."""

    stacks: Path | None = None
    """A folder of synthetic stacks."""
    real: tuple[Path, ...] = ()
    """Folders of real stacks, in order of focus by name."""
    photons: float = 0.0
    """Noise that is added: photons per pixel at full brightness; 0 for none."""
    weights: Path = field(default=PACKAGED)
    """Of the network."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One photo of a stack and all that is known of it."""

    pixels: Tensor
    lens: ThinLens
    found: CocMap


def on_stack(folder: Path, estimator: SiameseEstimator, photons: float) -> dict[str, Any]:
    """Judge all slices of one stack."""
    capture = read_capture(folder)
    depth = capture.train[0].photo.depth()
    assert depth is not None
    inner = (slice(EDGE, -EDGE),) * 2
    use = depth.valid[inner] & (depth.z[inner] > 0.5) & (depth.z[inner] < 10)
    slices = []
    for index, view in enumerate(capture.train):
        lens = stated_lens(view.exif, view.camera)
        assert lens is not None
        pixels = with_noise(view.photo.pixels(), photons, index)
        slices.append(Slice(pixels, lens, estimator.estimate(pixels, lens)))
    z = depth.z[inner][use]

    def absrel(found: Tensor) -> float:
        return float(((found[inner][use] - z).abs() / z).mean())

    rows: dict[str, list[float]] = {}
    for one, other in zip(slices, slices[2:] + slices[:2], strict=True):
        for name, value in of_slice(one, other, depth.z, inner, use).items():
            rows.setdefault(name, []).append(value)
        for name, found in depths_of(one, depth.z).items():
            rows.setdefault(name, []).append(absrel(found))
    maps, lenses = [one.found for one in slices], [one.lens for one in slices]
    # Sharpness can only answer with depths between the planes of focus; so do the others here.
    planes = between(lenses)
    alone, _ = inverse_depth(maps, lenses, planes)
    whole = stack_depth([one.pixels for one in slices], maps, lenses, planes).inverse
    of_all = {
        "": 1 / whole,
        "_maps_alone": 1 / alone,
        "_sharpness": sharpest(slices),
    }
    figures = {name: round(float(np.nanmean(values)), 4) for name, values in rows.items()}
    return {
        "stack": folder.name,
        **figures,
        **{f"absrel_stack{name}": round(absrel(z), 4) for name, z in of_all.items()},
        **{
            f"mae_px_of_stack{name}": round(float(np.nanmean(off)), 4)
            for name, found in of_all.items()
            for off in ([coc_error(found, depth.z, one.lens, inner, use) for one in slices],)
        },
    }


def coc_error(
    found: Tensor, z: Tensor, lens: ThinLens, inner: tuple[slice, slice], use: Tensor
) -> float:
    """Return the mean error of a depth as signed circles of confusion below `BELOW` px."""
    true, seen = (signed_coc(depth, lens)[inner][use] for depth in (z, found))
    return float((seen - true).abs()[true.abs() < BELOW].mean())


def of_slice(
    one: Slice, other: Slice, z: Tensor, inner: tuple[slice, slice], use: Tensor
) -> dict[str, float]:
    """Return the errors of |CoC| and the shares of sides that are right."""
    true = signed_coc(z, one.lens)[inner][use]
    size, spread = one.found.size[inner][use], one.found.spread[inner][use]
    judged, away = true.abs() < BELOW, true.abs() > AWAY
    off = (size - true.abs()).abs()
    sure = judged & (spread <= spread[judged].median())
    classical = gradient_ratio(one.pixels)[inner][use]
    pair = (one, other)
    w = stack_depth(
        [s.pixels for s in pair], [s.found for s in pair], [s.lens for s in pair], PLANES
    ).inverse
    by_two = (one.lens.strength * (one.lens.inverse_focus - w))[inner][use]
    right_one = (one.found.behind[inner][use] >= 0.5) == (true > 0)
    return {
        "mae_px": float(off[judged].mean()),
        "mae_sure_px": float(off[sure].mean()),
        "mae_px_gradient_ratio": float((classical - true.abs()).abs()[judged].mean()),
        "mae_px_of_2": float((by_two - true)[judged].abs().mean()),
        "side_of_1": float(right_one[away].float().mean()),
        "side_of_2": float(((by_two > 0) == (true > 0))[away].float().mean()),
    }


def depths_of(one: Slice, z: Tensor) -> dict[str, Tensor]:
    """Return depth from one photo: by the network, with its side given, and by gradients."""
    true_side = (signed_coc(z, one.lens) > 0).float()
    given = CocMap(one.found.size, one.found.spread, true_side)
    ratio = CocMap(gradient_ratio(one.pixels), one.found.spread, true_side)
    maps = {"": one.found, "_side_given": given, "_gradient_ratio_side_given": ratio}
    return {f"absrel_1{k}": metres(m, one.lens).clamp(0.5, 10) for k, m in maps.items()}


def gradient_ratio(pixels: Tensor) -> Tensor:
    """Return |CoC| at edges by Zhuo and Sim's ratio, spread to all pixels by confidence."""
    grey = to_linear(pixels.float() / 255).mean(-1).numpy()
    again = cv2.GaussianBlur(grey, (0, 0), 1.0)

    def steepness(image: np.ndarray) -> np.ndarray:
        across, down = (cv2.Sobel(image, cv2.CV_32F, *d) for d in ((1, 0), (0, 1)))
        return np.hypot(across, down)

    first, second = steepness(grey), steepness(again)
    ratio = first / np.maximum(second, 1e-6)
    sigma = 1 / np.sqrt(np.maximum(ratio**2 - 1, 1 / 5**2))
    weight = np.where(first > np.quantile(first, 0.9), first, 1e-6).astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), 6.0)
    mean = cv2.GaussianBlur((weight * sigma).astype(np.float32), (0, 0), 6.0) / total
    # A Gaussian of sigma looks like a disc 4 sigma across.
    return torch.from_numpy(4 * mean)


def sharpness(pixels: Tensor) -> np.ndarray:
    """Return the local energy of the Laplacian."""
    grey = pixels.float().mean(-1).numpy()
    energy: np.ndarray = cv2.GaussianBlur(cv2.Laplacian(grey, cv2.CV_32F) ** 2, (0, 0), 2.0)
    return energy


def sharpest(slices: list[Slice]) -> Tensor:
    """Return depth where sharpness is largest, by a parabola in inverse depth through its log."""
    energy = np.log(np.stack([sharpness(one.pixels) for one in slices]) + 1e-3)
    best = energy.argmax(0)
    middle = best.clip(1, len(slices) - 2)
    a, b, c = (np.take_along_axis(energy, (middle + d)[None], 0)[0] for d in (-1, 0, 1))
    bend = a - 2 * b + c
    step = np.where(bend < -1e-6, 0.5 * (a - c) / np.minimum(bend, -1e-6), 0.0).clip(-1, 1)
    place = np.where(best == middle, middle + step, best)
    planes = np.array([float(one.lens.inverse_focus) for one in slices])
    inverse = np.interp(place, np.arange(len(planes)), planes)
    return torch.from_numpy(1 / inverse).float()


def with_noise(pixels: Tensor, photons: float, seed: int) -> Tensor:
    """Return a photo of so many photons per pixel at full brightness."""
    if not photons:
        return pixels
    light = to_linear(pixels.double() / 255).numpy()
    seen = torch.from_numpy(noisy(np.random.default_rng(seed), light, photons))
    return (255 * to_srgb(seen)).round().clamp(0, 255).to(torch.uint8)


def on_real(folder: Path, estimator: SiameseEstimator) -> dict[str, Any]:
    """Compare, over a real stack, where blur is least with where sharpness is largest.

    `within_2` is of each slice's own circles of confusion, `within_2_of_stack` of all slices
    together, of whose lenses nothing is known but the order.
    """
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".png", ".jpeg"))
    photos = []
    for path in paths:
        image = cv2.imread(str(path))[..., ::-1]
        size = (320, round(320 / image.shape[1] * image.shape[0]))
        photos.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    alignment = align(photos, [path.name for path in paths])
    slices = [torch.from_numpy(alignment.warped(i, one).copy()) for i, one in enumerate(photos)]
    maps = [estimator.estimate(pixels) for pixels in slices]
    energy = np.stack([sharpness(pixels) for pixels in slices])
    textured = energy.max(0) > np.median(energy.max(0))
    blurred = np.stack([cv2.GaussianBlur(one.size.numpy(), (0, 0), 2.0) for one in maps])
    lenses = ordered_lenses(maps)
    inverse = stack_depth(slices, maps, lenses, between(lenses)).inverse
    focus = torch.stack([lens.inverse_focus for lens in lenses])[:, None, None]
    nearest = (focus - inverse).abs().argmin(0).numpy()
    apart, of_stack = (
        np.abs(best - energy.argmax(0))[textured] for best in (blurred.argmin(0), nearest)
    )
    return {
        "stack": folder.name,
        "slices": len(paths),
        "moved_px": round(max(alignment.moved), 1),
        "within_2": round(float((apart <= 2).mean()), 4),
        "within_2_of_stack": round(float((of_stack <= 2).mean()), 4),
        "median_apart": float(np.median(apart)),
    }


def rows(settings: Settings) -> Iterator[dict[str, Any]]:
    """Judge all that was asked for; the mean over stacks comes last."""
    estimator = SiameseEstimator(settings.weights)
    found = []
    if settings.stacks is not None:
        folders = sorted(p.parent for p in settings.stacks.glob("*/transforms.json"))
        for folder in folders:
            found.append(on_stack(folder, estimator, settings.photons))
            yield found[-1]
        names = [name for name in found[0] if name != "stack"]
        yield {"mean of": len(found)} | {
            name: round(float(np.mean([row[name] for row in found])), 4) for name in names
        }
    for folder in settings.real:
        yield on_real(folder, estimator)


if __name__ == "__main__":
    with torch.no_grad():
        for row in rows(tyro.cli(Settings, description=Settings.__doc__)):
            print(json.dumps(row), flush=True)
