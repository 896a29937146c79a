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
from recon.errors import DataError
from recon.evaluate import Judge, score
from recon.predictions import predict
from recon.raster.interface import Rasterizer
from recon.run import Run
from recon.types import Capture
from recon.words import counted

PROTOCOL = "full@1"
"""How a run's held-out views are scored."""


@dataclass(frozen=True)
class Eval:
    """Score the views that a run held out: renders go to files first, the scores come from them."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    data: Path | None = None
    """Where the capture is now, if it has moved since the fit."""
    json: bool = False
    """Print one JSON object."""

    def __call__(self) -> None:
        """Render, score, and print."""
        run = Run(self.run)
        settings, capture = reopen(run, self.data)
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
    folder = run.evaluations / PROTOCOL
    scene = scene_at(run, settings, capture, saved, rasterizer)
    with counting("rendering", len(capture.test), quiet) as done:
        # Harmonics above the degree of the fit are zeros, so all may be drawn.
        predict(scene, capture.test, rasterizer, folder, on_view=done)
    facts = {
        "gaussians": len(scene.gaussians),
        "seconds": saved.seconds,
        "peak_memory_bytes": saved.peak_memory_bytes,
        "step": saved.step,
    }
    with counting("scoring", len(capture.test), quiet) as done:
        evaluation = score(
            folder, capture.test, protocol=f"{PROTOCOL}, {capture.split.rule}",
            metric=capture.metric, judge=Judge.of(capture), facts=facts, on_view=done,
        )  # fmt: skip
    return {**evaluation.summary(), **facts}


def describe(summary: dict[str, Any]) -> str:
    """Write a summary for a person."""
    lines = [
        f"{counted(summary['views'], 'held-out view')}: PSNR {summary['psnr']:.2f} dB, "
        f"SSIM {summary['ssim']:.3f}"
    ]
    depth = summary.get("depth")
    if depth is not None:
        lines.append(
            f"depth: AbsRel {depth['abs_rel']:.3f}, RMSE {depth['rmse']:.2f} {summary['unit']}, "
            f"delta1 {depth['delta1']:.3f}, over {depth['coverage']:.0%} of the true depths; "
            f"truth: {depth['truth']}"
        )
    return "\n".join(lines)
