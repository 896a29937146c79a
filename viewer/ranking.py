"""The photos of a capture, the worst rendered first."""

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from recon.evaluate import Judge
from recon.pictures import as_8_bit
from recon.predictions import PredictedDepth, Prediction
from recon.render import Stage
from recon.run import Run
from recon.scores import ViewScore
from recon.truth import TruthSource
from recon.types import Capture, View

WHOSE = {
    TruthSource.FILES: "the depth that came with the photo",
    TruthSource.LIDAR: "LiDAR of its time step",
    TruthSource.STEREO: "stereo matching",
}
"""Who knows the depth of a view, whether it is held out or not."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """A photo in the list."""

    view: View
    held_out: bool
    psnr: float | None
    """dB; None where nobody has computed it."""

    @property
    def label(self) -> str:
        """Name it for people, unlike every other one."""
        name = f"{self.view.name}{', held out' if self.held_out else ''}"
        return name if self.psnr is None else f"{self.psnr:.2f} dB, {name}"


def ranked(capture: Capture, psnr: Mapping[str, float]) -> tuple[Ranked, ...]:
    """List all photos: those with a PSNR first, worst first; the others by name.

    Args:
        capture: whose photos.
        psnr: by the view's name, in dB.
    """
    test = {view.name for view in capture.test}
    rows = [Ranked(view, view.name in test, psnr.get(view.name)) for view in capture.views]
    return tuple(sorted(rows, key=lambda row: math.inf if row.psnr is None else row.psnr))


def written_scores(run: Run | None) -> dict[str, float]:
    """Read the PSNR of each held-out view from a run's newest evaluation; empty without one."""
    files = [] if run is None else list(run.evaluations.glob("*/views.csv"))
    try:
        newest = max(files, key=lambda path: path.stat().st_mtime)
        with newest.open(newline="", encoding="utf-8") as lines:
            scores = {row["view"]: float(row["psnr"]) for row in csv.DictReader(lines)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return {name: value for name, value in scores.items() if not math.isnan(value)}


def psnr_of(stage: Stage, view: View) -> float:
    """Draw a photo's view and compare the two, in 8 bits, over the pixels that count; in dB.

    Raises:
        DataError: the photo cannot be read.
    """
    drawn = as_8_bit(stage.draw(view.camera, taken_as=view).color).astype(np.float64)
    photo, valid = view.photo.pixels().numpy(), view.photo.valid()
    off = np.square(drawn - photo)
    error = float(off.mean() if valid is None else off[valid.numpy()].mean())
    return 10 * math.log10(255**2 / error) if error > 0 else math.inf


def ranked_now(
    stage: Stage, capture: Capture, on_view: Callable[[View], None]
) -> tuple[Ranked, ...]:
    """Compute every photo's PSNR, and list them.

    Raises:
        DataError: a photo cannot be read.
    """
    found = {}
    for view in capture.views:
        found[view.name] = psnr_of(stage, view)
        on_view(view)
    return ranked(capture, found)


def scored(stage: Stage, view: View, judge: Judge) -> ViewScore:
    """Score one view as `recon eval` does.

    Raises:
        DataError: the photo, or its depth, cannot be read.
    """
    render = stage.draw(view.camera, taken_as=view)
    assert render.median_depth is not None
    depth = PredictedDepth(
        render.expected_depth.cpu(), render.median_depth.cpu(), render.alpha.cpu()
    )
    prediction = Prediction(torch.from_numpy(as_8_bit(render.color)), depth)
    return judge.score(view, prediction, stage.metric)[0]


def words_of(score: ViewScore, unit: str) -> str:
    """Say how good a view is, for people."""
    said = [f"PSNR **{score.image.psnr:.2f} dB**, SSIM {score.image.ssim:.3f}"]
    if score.depth is None:
        said.append("Its true depth is not known.")
    else:
        overall = score.depth.expected.overall
        source = " and ".join(sorted(WHOSE[source] for source in score.depth.sources))
        said.append(
            f"Depth off by **{overall.mae:.3g}{unit}** (mean), {overall.median:.3g}{unit} "
            f"(median), AbsRel {overall.abs_rel:.3f}, against {source}"
        )
    return "  \n".join(said)
