"""`recon eval`: a run's held-out views, rendered to files and scored from them."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from recon.checkpoint import Checkpoint
from recon.commands.capture import (
    capture_of,
    fingerprint,
    newest,
    rasterizer_for,
    reopen,
    scene_at,
    tell_unfinished,
    under_protocol,
)
from recon.commands.evaluate_predictions import evaluate_predictions
from recon.commands.progress import counting
from recon.config import FitSettings
from recon.datasets.source import ReadOptions
from recon.errors import DataError, UsageError
from recon.evaluate import Judge, score
from recon.lpips import WEIGHTS, Lpips, load_lpips
from recon.predictions import predict
from recon.protocols import UNNAMED, load_protocol
from recon.raster.interface import Rasterizer
from recon.report.of_run import write_report
from recon.run import Run
from recon.scores import ABSENT
from recon.types import Capture
from recon.words import counted


@dataclass(frozen=True)
class Eval:
    """Score held-out views: of a run, or as another program has rendered them.

    Renders of a run go to files first; the scores come from files in any case.
    """

    run: tyro.conf.Positional[Path | None] = None
    """The run's folder."""
    predictions: Path | None = None
    """Instead of a run: a folder of pictures named after the held-out photos, with depths in a
    folder depth if there are any; or what gsplat's trainer or ns-render dataset wrote."""
    data: Path | None = None
    """The capture that was predicted; of a run, where it is now, if it has moved since the fit."""
    protocol: str | None = None
    """What the scores shall compare with: which photos are held out, and how large they are."""
    read: Annotated[ReadOptions, tyro.conf.arg(name="")] = field(default_factory=ReadOptions)
    output: Path | None = None
    """Folder for the scores of --predictions; <predictions>-scores where not given."""
    lpips_weights: Path | None = None
    """ImageNet weights of VGG16 (vgg16-397923af.pth) for LPIPS; else looked for in $RECON_WEIGHTS.
    Without them LPIPS is not computed."""
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Score, and print."""
        summary = self._of_predictions() if self.run is None else self._of_run(Run(self.run))
        print(json.dumps(summary) if self.json else describe(summary))

    def _of_predictions(self) -> dict[str, Any]:
        if self.predictions is None or self.data is None:
            raise UsageError(
                "nothing to score. Give a run's folder, or --predictions with a folder of pictures "
                "and --data with the capture that they are of."
            )
        lpips = lpips_of(self.lpips_weights)
        return evaluate_predictions(
            self.predictions, self.data, self.read, self.protocol, self.output, lpips
        )

    def _of_run(self, run: Run) -> dict[str, Any]:
        if self.predictions is not None:
            raise UsageError(f"{run.path} and --predictions: give one of the two.")
        if self.read != ReadOptions() or self.output is not None:
            raise UsageError(
                f"{run.path}: a run says how its photos are read and where its scores go. Leave "
                "out --output and the flags of reading, or fit again with them."
            )
        settings, capture = reopen(run, self.data)
        settings = under(self.protocol, run, settings)
        saved = newest(run)
        tell_unfinished(run, settings, saved)
        rasterizer, lpips = rasterizer_for(settings.backend), lpips_of(self.lpips_weights)
        return evaluate(run, settings, capture, saved, rasterizer, lpips=lpips)


def lpips_of(given: Path | None) -> Lpips | None:
    """Return LPIPS with the weights given, or those on this machine; None where there are none.

    Raises:
        DataError: the weights given are not there, or the file is not of VGG16.
    """
    path = WEIGHTS.on_this_machine(given)
    return None if path is None else load_lpips(path)


def under(protocol: str | None, run: Run, settings: FitSettings) -> FitSettings:
    """Return a run's settings, under another protocol that would have fitted the same views.

    Raises:
        DataError: the capture is none of the protocol's scenes.
        UsageError: there is no such protocol, or the run held out, or showed the fit, other photos.
    """
    if protocol in (None, settings.protocol or UNNAMED):
        return settings
    assert protocol is not None
    load_protocol(protocol)
    refusal = UsageError(
        f"{run.path}: fitted under {settings.protocol or 'no protocol'}, to other photos than "
        f"those of {protocol}; fit with --protocol {protocol}."
    )
    if settings.protocol is not None:
        raise refusal
    named = under_protocol(replace(settings, protocol=protocol))
    same_masks = named.read.drive.moving == settings.read.drive.moving
    if not same_masks or fingerprint(capture_of(named, start_points=False)) != (
        run.data_fingerprint()
    ):
        raise refusal
    return named


def evaluate(
    run: Run,
    settings: FitSettings,
    capture: Capture,
    saved: Checkpoint,
    rasterizer: Rasterizer,
    quiet: bool = False,
    lpips: Lpips | None = None,
) -> dict[str, Any]:
    """Predict and score the held-out views; return the summary that `recon eval --json` prints.

    Raises:
        DataError: no view was held out.
    """
    if not capture.test:
        raise DataError(
            f"{run.path}: no view was held out, so there is nothing to score. Fit again with "
            "--hold-every 8."
        )
    protocol = settings.protocol or UNNAMED
    folder = run.evaluations / protocol
    scene = scene_at(run, settings, capture, saved, rasterizer)
    with counting("rendering", len(capture.test), quiet) as done:
        # Harmonics above the degree of the fit are zeros, so all may be drawn.
        predict(scene, capture.test, rasterizer, folder, on_view=done)
    facts = {
        "gaussians": len(scene.gaussians),
        "seconds": saved.seconds,
        "peak_memory_bytes": saved.peak_memory_bytes,
        "step": saved.step,
        **lidar_facts(settings, capture),
    }
    judge = Judge.of(capture, lpips)
    with counting("scoring", len(capture.test), quiet) as done:
        evaluation = score(
            folder, capture.test, protocol=f"{protocol}, {capture.split.rule}",
            metric=capture.metric, judge=judge, facts=facts, on_view=done,
        )  # fmt: skip
    write_report(run, folder, capture, judge.truths)
    return {**evaluation.summary(), **facts}


def lidar_facts(settings: FitSettings, capture: Capture) -> dict[str, Any]:
    """Say which LiDAR a fit could learn from; nothing of captures without any."""
    if not capture.lidar:
        return {}
    track = settings.read.drive.lidar
    return {"lidar_track": track, "lidar_leaks": track == "C"}


TRACKS = {
    "A": "no sweep was learned from",
    "B": "sweeps of the training time steps could be learned from",
    "C": "all sweeps could be learned from, those of the held-out time steps too: the depth leaks",
}


def describe(summary: dict[str, Any]) -> str:
    """Write a summary for a person, its protocol beside the numbers."""
    bounds = summary["intervals"]
    protocol, _, rule = summary["protocol"].partition(", ")
    held = counted(summary["views"], "held-out view") + (f" ({rule})" if rule else "")
    perceptual = ""
    if summary["lpips"] != ABSENT:
        perceptual = f", LPIPS {number(summary['lpips'], 3)}{between(bounds['lpips'], 3)}"
    lines = [
        f"{held}: PSNR {number(summary['psnr'], 2)} dB"
        f"{between(bounds['psnr'], 2)}, SSIM {number(summary['ssim'], 3)}"
        f"{between(bounds['ssim'], 3)}{perceptual}"
    ]
    parts = {name: part for name, part in summary["regions"].items() if part != ABSENT}
    if parts:
        told = (f"{name.replace('_', '-')} {number(p['psnr'], 2)}" for name, p in parts.items())
        lines.append(f"PSNR of parts, dB: {', '.join(told)}")
    depth = summary.get("depth")
    if depth is not None:
        lines.append(
            f"depth: AbsRel {number(depth['abs_rel'], 3)}{between(bounds['abs_rel'], 3)}, "
            f"RMSE {number(depth['rmse'], 2)} {summary['unit']}, "
            f"delta1 {number(depth['delta1'], 3)}, over {depth['coverage']:.0%} of the true "
            f"depths; truth: {depth['truth']}"
        )
    if "lidar_track" in summary:
        track = summary["lidar_track"]
        lines.append(f"LiDAR track {track}: {TRACKS[track]}")
    for name, camera in summary.get("cameras", {}).items():
        deep = f", AbsRel {number(camera['abs_rel'], 3)}" if "abs_rel" in camera else ""
        lines.append(
            f"{name}: {counted(camera['views'], 'view')}, PSNR {number(camera['psnr'], 2)} dB, "
            f"SSIM {number(camera['ssim'], 3)}{deep}"
        )
    lines += [f"not scored: {warning}" for warning in summary.get("warnings", ())]
    return "\n".join(f"[{protocol}] {line}" for line in lines)


def number(value: float | None, digits: int) -> str:
    """Write a number; what JSON cannot hold is not one."""
    return "not finite" if value is None else f"{value:.{digits}f}"


def between(bounds: Any, digits: int) -> str:
    """Write an interval, where there is one."""
    if bounds == ABSENT:
        return ""
    low, high = bounds
    return f" [{number(low, digits)}, {number(high, digits)}]"
