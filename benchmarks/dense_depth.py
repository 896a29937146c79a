"""Hold dense depth to what captures know of theirs, and time it.

    python benchmarks/dense_depth.py street 7scenes --downscale 1

Depth is found from every photo of a capture and points that SIFT's matches determine; what the
capture knows itself, by an instrument or because it is made, is the truth alone.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import recon  # noqa: F401  Before torch: recon chooses how OpenMP waits.

import torch  # isort: skip
import tyro
from torch.nn.functional import interpolate

from recon.datasets.reader import ReadOptions, read_capture
from recon.match_provider import survey_of
from recon.matching.choose import MatcherOptions, choose_matcher
from recon.matching.dense_depth import DensePhoto, dense_depths
from recon.start_points import sure_points
from recon.types import Capture, View

FARTHEST = 80.0
"""Depths beyond are not judged, as everywhere in recon's scores of drives."""
BAD = 0.1
"""Relative error from which depth is called wrong."""


@dataclass(frozen=True)
class Settings:
    """Hold dense depth to what captures know of theirs, and time it."""

    captures: tyro.conf.Positional[tuple[Path, ...]]
    """With depth of their photos."""
    downscale: float = 1.0
    """How much smaller the photos are read."""


def measure(capture: Capture) -> dict[str, float]:
    """Find the depth of a capture's photos, and compare."""
    found = survey_of(capture.views, choose_matcher(MatcherOptions("sift")))
    points = sure_points(found).positions
    began = time.process_time()
    photos = dense_depths(capture.views, points)
    seconds = time.process_time() - began
    pairs = list(zip(capture.views, photos, strict=True))
    error = torch.cat([errors(view, photo) for view, photo in pairs])
    return {
        "photos": len(pairs),
        "cpu_s_a_photo": seconds / len(pairs),
        "covered": float(torch.cat([p.depth.valid.flatten().float() for p in photos]).mean()),
        "median": float(error.median()),
        "wrong": float((error > BAD).float().mean()),
        "compared": len(error),
    }


def errors(view: View, photo: DensePhoto) -> torch.Tensor:
    """Return relative errors where both are known; none where the view knows nothing."""
    truth = view.photo.depth()
    if truth is None:
        return torch.zeros(0)
    both = torch.stack([truth.z, truth.valid.float()])[None]
    z, valid = interpolate(both, tuple(photo.depth.z.shape), mode="nearest-exact")[0]
    use = photo.depth.valid & (valid > 0) & (z < FARTHEST)
    return (photo.depth.z[use] / z[use] - 1).abs()


def main(settings: Settings) -> None:
    """Print a JSON object a capture."""
    torch.set_num_threads(1)
    for path in settings.captures:
        capture = read_capture(path, ReadOptions(downscale=settings.downscale))
        print(json.dumps({"capture": path.name, **measure(capture)}), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
