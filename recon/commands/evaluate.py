"""`recon eval`: a run's held-out views, rendered to files and scored from them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from recon.checkpoint import Checkpoint
from recon.commands.capture import newest, rasterizer_for, reopen, scene_at, tell_unfinished
from recon.commands.progress import counting
from recon.config import FitSettings
from recon.errors import DataError, UsageError
from recon.evaluate import Judge, score
from recon.predictions import predict
from recon.protocols import load_protocol
from recon.raster.interface import Rasterizer
from recon.report.of_run import write_report
from recon.run import Run
from recon.scores import ABSENT
from recon.types import Capture
from recon.words import counted

PROTOCOL = "full@1"
"""How a run's held-out views are scored where no protocol is named."""


@dataclass(frozen=True)
class Eval:
    """Score the views that a run held out: renders go to files first, the scores come from them."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""
    protocol: str | None = None
    """The protocol that the run is expected to have been fitted under."""
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Render, score, and print."""
        run = Run(self.run)
        settings, capture = reopen(run, self.data)
        if self.protocol not in (None, settings.protocol):
            load_protocol(self.protocol)
            raise UsageError(
                f"{run.path}: fitted under {settings.protocol or 'no protocol'}, so that its held-"
                f"out views are not those of {self.protocol}; fit with --protocol {self.protocol}."
            )
        saved = newest(run)
        tell_unfinished(run, settings, saved)
        summary = evaluate(run, settings, capture, saved, rasterizer_for(settings.backend))
        print(json.dumps(summary) if self.json else describe(summary))


def evaluate(
    run: Run,
    settings: FitSettings,
    capture: Capture,
    saved: Checkpoint,
    rasterizer: Rasterizer,
    quiet: bool = False,
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
    protocol = settings.protocol or PROTOCOL
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
    judge = Judge.of(capture)
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
    lines = [
        f"{held}: PSNR {number(summary['psnr'], 2)} dB"
        f"{between(bounds['psnr'], 2)}, SSIM {number(summary['ssim'], 3)}"
        f"{between(bounds['ssim'], 3)}"
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
