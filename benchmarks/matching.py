"""Measure matchers, triangulation and the recovery of scale on real data.

    RECON_WEIGHTS=WEIGHTS python benchmarks/matching.py --data DATA --what epipolar depth

DATA holds strecha_fountain-P11, rgbd_7scenes_tsdf, ngp_fox_540 and kitti_odom_clip1. The street
whose depth is exact is made here (Mitsuba, minutes), or read with --street.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import recon  # noqa: F401  Before torch: recon chooses how OpenMP waits.

import numpy as np  # isort: skip
import torch
import tyro
from scipy.spatial import cKDTree
from torch import Tensor

from recon.camera import inside, project
from recon.datasets.reader import ReadOptions, read_capture
from recon.datasets.synthetic import PhotoSettings, StreetSettings, synthesize_street
from recon.evidence.interface import SparseDepth
from recon.evidence.store import Store
from recon.matching.cameras import Cameras
from recon.matching.choose import MatcherOptions, Name, choose_matcher
from recon.matching.epipolar import epipolar_distances
from recon.matching.local_scale import restore
from recon.matching.loftr_coarse import WEIGHTS, LoftrCoarse, LoftrCoarseSettings
from recon.matching.matcher import Matcher, Matches
from recon.matching.scale import recover_scale
from recon.matching.sift import Sift
from recon.matching.survey import Survey, survey
from recon.priors.choose import PriorChoice, choose_prior
from recon.priors.interface import Frame
from recon.types import Capture, DepthMap

STREET = PhotoSettings(width=480, height=320, steps=12, samples=9)
What = Literal["epipolar", "depth", "speed", "scale"]


@dataclass(frozen=True)
class Settings:
    """Measure matching on real data."""

    data: Path
    """The folder of captures."""
    what: tuple[What, ...] = ("epipolar", "depth", "speed", "scale")
    matchers: tuple[Name, ...] = ("sift", "loftr-coarse")
    """Who is measured in depth, speed and scale."""
    street: Path | None = None
    """A capture by `recon data synthesize`; one is made where not given."""
    threads: int = 2
    cache: Path | None = None
    """Where matches of depth and scale are kept; a folder that is thrown away where not given."""


def epipolar(settings: Settings) -> dict[str, Any]:
    """Match neighbours of the fountain at 768x512, and measure how far matches are off."""
    views = read_capture(settings.data / "strecha_fountain-P11", ReadOptions(downscale=2.0)).views
    cameras = Cameras.of([view.camera for view in views])
    photos = [view.photo.pixels() for view in views]
    results = {}
    for name, (describe, pair) in contestants().items():
        start = time.perf_counter()
        described = [describe(photo) for photo in photos]
        between = time.perf_counter()
        found = [pair(a, b) for a, b in pairwise(described)]
        end = time.perf_counter()
        off = [epipolar_distances(cameras, i, i + 1, m)[:, 0] for i, m in enumerate(found)]
        every = torch.cat(off)
        results[name] = {
            "within_1_px": share(every < 1),
            "worst_pair": min(share(pair_off < 1) for pair_off in off),
            "median_px": float(every.median()),
            "matches_a_pair": len(every) / len(found),
            "describe_s": (between - start) / len(photos),
            "pair_s": (end - between) / len(found),
        }
        tell(name, results[name])
    return results


Steps = tuple[Callable[[Tensor], Any], Callable[[Any, Any], Matches]]


def contestants() -> dict[str, Steps]:
    """Return each matcher's two steps, with and without what it leaves out."""

    def steps(matcher: Matcher[Any]) -> Steps:
        return matcher.describe, matcher.pair

    weights = WEIGHTS.find()
    everything = LoftrCoarseSettings(alike=-1, there_and_back=float("inf"))
    coarse = LoftrCoarse.load(weights, everything)
    return {
        "SIFT, any mutual": steps(Sift(ratio=1.0)),
        "SIFT": steps(Sift()),
        "ALIKED n16, any mutual": steps(any_mutual(choose_matcher(MatcherOptions("aliked")))),
        "ALIKED n16": steps(choose_matcher(MatcherOptions("aliked"))),
        "ALIKED t16": steps(choose_matcher(MatcherOptions("aliked-t16"))),
        "LoFTR coarse, cells": (coarse.describe, coarse.cells),
        "LoFTR coarse, aligned, all": steps(coarse),
        "LoFTR coarse": steps(LoftrCoarse.load(weights)),
    }


def any_mutual(matcher: Any) -> Matcher[Any]:
    """Return ALIKED without the test of the second nearest."""
    return type(matcher)(matcher.network, matcher.origin, replace(matcher.settings, ratio=1.0))


def depth(settings: Settings) -> dict[str, Any]:
    """Triangulate the fountain, 7-Scenes and a street, and compare with what is known of them."""
    captures = {
        "fountain": read_capture(
            settings.data / "strecha_fountain-P11", ReadOptions(downscale=2.0)
        ),
        "7-Scenes": read_capture(settings.data / "rgbd_7scenes_tsdf"),
        "street": street(settings),
    }
    results = {}
    for place, capture in captures.items():
        for name in settings.matchers:
            found = surveyed(settings, capture, name)
            error, angle, certainty = depth_errors(found, capture)
            results[f"{place}, {name}"] = {
                "median": float(error.median()),
                "median_by_certainty": weighted_median(error, certainty),
                "p90": float(error.quantile(0.9)),
                "median_above_15_deg": float(error[angle > 15].median()),
                "compared": len(error),
                "points": len(found.points),
                "views_a_point": float(found.points.tracks.lengths.double().mean()),
                "off_line_px": float(np.median([a.median for a in found.comparison.agreements])),
            }
            tell(f"{place}, {name}", results[f"{place}, {name}"])
    return results


def street(settings: Settings) -> Capture:
    """Read the street, or make one."""
    if settings.street is not None:
        return read_capture(settings.street)
    assert settings.cache is not None
    folder = settings.cache / "street"
    if not folder.exists():
        synthesize_street(STREET, StreetSettings(lens_every=0), folder, lambda *_: None)
    return read_capture(folder)


def surveyed(settings: Settings, capture: Capture, name: Name) -> Survey:
    """Match and triangulate, without a look at what is known of the scene."""
    matcher = choose_matcher(MatcherOptions(name))
    return survey(capture.views, matcher, Store(settings.cache))


def depth_errors(found: Survey, capture: Capture) -> tuple[Tensor, Tensor, Tensor]:
    """Return relative errors where a pixel's depth is known, and the points' angles and weights."""
    errors, angles, certainty = [], [], []
    tracks = found.points.tracks
    for index, view in enumerate(capture.views):
        seen = tracks.view == index
        pixels, z = tracks.pixels[seen], found.points.depth[seen]
        truth = view.photo.depth()
        if truth is not None:
            row, column = SparseDepth(pixels, z.float(), z.float()).index(*truth.z.T.shape)
            known, expected = truth.valid[row, column], truth.z[row, column].double()
        else:
            assert capture.points is not None
            there, distance = project(view.camera, capture.points.positions.double())
            visible = inside(view.camera, there, distance)
            near, nearest = cKDTree(there[visible].numpy()).query(pixels.numpy())
            known, expected = torch.from_numpy(near < 1), distance[visible][nearest]
        errors.append((z / expected - 1).abs()[known])
        angles.append(found.points.angle[tracks.track[seen]][known])
        certainty.append(found.points.certainty()[seen][known])
    return torch.cat(errors), torch.cat(angles), torch.cat(certainty)


def weighted_median(values: Tensor, weights: Tensor) -> float:
    """Return the value below which half of the weight lies."""
    order = values.argsort()
    below = weights[order].cumsum(0)
    return float(values[order][torch.searchsorted(below, below[-1:] / 2)])


def speed(settings: Settings) -> dict[str, Any]:
    """Match and triangulate the fox's 50 views at 415x738, as many pixels as 640x480."""
    capture = read_capture(settings.data / "ngp_fox_540", ReadOptions(downscale=1.3))
    results = {}
    for name in settings.matchers:
        with tempfile.TemporaryDirectory() as folder:
            seconds, cpu = [], []
            for _ in range(2):
                start, cpu_start = time.perf_counter(), time.process_time()
                matcher = choose_matcher(MatcherOptions(name))
                found = survey(capture.views, matcher, Store(Path(folder)))
                seconds.append(time.perf_counter() - start)
                cpu.append(time.process_time() - cpu_start)
        results[name] = {
            "views": len(capture.views),
            "pairs": len(found.comparison.matched),
            "s": seconds[0],
            "cpu_s": cpu[0],
            "again_s": seconds[1],
        }
        tell(name, results[name])
    return results


def scale(settings: Settings) -> dict[str, Any]:
    """Scale and bend METER's depth of the KITTI clip, and compare with depth from stereo."""
    capture = read_capture(
        settings.data / "kitti_odom_clip1", ReadOptions(format="kitti", downscale=2.0)
    )
    prior = choose_prior(PriorChoice("meter-kitti"))
    frames = [Frame(v.name, v.photo.pixels(), v.camera) for v in capture.views]
    maps = [prior.predict(frame).depth for frame in frames]
    truth = [view.photo.depth() for view in capture.views]
    results = {}
    for name in settings.matchers:
        found = surveyed(settings, capture, name)
        comparison = found.comparison
        scales = recover_scale(maps, comparison.cameras, comparison.kept)
        scaled = [scales.apply(i, depth) for i, depth in enumerate(maps)]
        bent = [restore(d, found.known_depth(i)).depth for i, d in enumerate(scaled)]
        arms = {"as_predicted": maps, "scaled": scaled, "bent": bent}
        results[name] = {arm: against(depths, truth) for arm, depths in arms.items()}
        results[name]["factor"] = float(scales.factor.median())
        for arm in arms:
            tell(f"{name}, {arm}", results[name][arm])
    return results


def against(depths: list[DepthMap], truth: list[DepthMap | None]) -> dict[str, float]:
    """Return AbsRel between 1 and 40 m, the mean over photos, and the median ratio of depths."""
    errors, ratios = [], []
    for found, known in zip(depths, truth, strict=True):
        assert known is not None
        both = found.valid & known.valid & (known.z > 1) & (known.z < 40)
        ratio = found.z[both] / known.z[both]
        errors.append(float((ratio - 1).abs().mean()))
        ratios.append(float(ratio.median()))
    return {"abs_rel": float(np.mean(errors)), "ratio": float(np.median(ratios))}


def share(chosen: Tensor) -> float:
    """Return how many of all are chosen."""
    return float(chosen.double().mean())


def tell(name: str, figures: dict[str, float]) -> None:
    """Print one line."""
    print(f"{name:28}" + "  ".join(f"{k} {v:.4g}" for k, v in figures.items()), flush=True)


def main(settings: Settings) -> None:
    """Measure what is asked for, and print it as JSON as well."""
    torch.set_num_threads(settings.threads)
    steps = {"epipolar": epipolar, "depth": depth, "speed": speed, "scale": scale}
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(settings, cache=settings.cache or Path(folder))
        print(json.dumps({what: steps[what](settings) for what in settings.what}))


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
