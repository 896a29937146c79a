"""The held-out views of a run, as rows of a report."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from recon import pictures
from recon.error_strip import LARGEST_ERROR
from recon.pictures import DepthRange, depth_picture, error_picture
from recon.predictions import Prediction, PredictionFiles, prediction_files
from recon.raster.interface import COVERED
from recon.report.contents import Column, Picture, ViewRow
from recon.truth import Truths
from recon.types import View

COLUMNS = {
    "psnr": Column("PSNR, dB", 2, True),
    "ssim": Column("SSIM", 3, True),
    "lpips": Column("LPIPS", 3, False),
    "expected_abs_rel": Column("depth AbsRel", 3, False),
    "expected_rmse": Column("depth RMSE", 2, False),
    "expected_coverage": Column("coverage", 3, True),
}
"""Of the view table, by the name in `views.csv`; those that no view has are left out."""
WIDEST = 560
"""px of a picture on the page."""
QUALITY = 82


def view_rows(
    folder: Path,
    views: Sequence[View],
    truths: Truths,
    unit: str,
    files: Mapping[str, PredictionFiles] | None = None,
) -> tuple[tuple[Column, ...], tuple[ViewRow, ...]]:
    """Return the columns that any view has, and the views, the worst first.

    Args:
        folder: of the scores.
        views: those that were held out.
        truths: finds the true depth of the views.
        unit: of depth, for the legend.
        files: the predictions by view; those that `predict` left in the folder where None.
    """
    with (folder / "views.csv").open(newline="") as file:
        scores = {row["view"]: row for row in csv.DictReader(file)}
    names = [name for name in COLUMNS if any(row.get(name) for row in scores.values())]
    files = prediction_files(folder, views) if files is None else files
    rows = [
        ViewRow(
            view.name,
            tuple(_value(scores[view.name].get(name)) for name in names),
            _pictures(view, files[view.name].load(view.camera), truths, unit),
        )
        for view in views
    ]
    rows.sort(key=lambda row: math.inf if row.numbers[0] is None else row.numbers[0])
    return tuple(COLUMNS[name] for name in names), tuple(rows)


def _value(text: str | None) -> float | None:
    value = float(text) if text else math.nan
    return value if math.isfinite(value) else None


def _pictures(view: View, prediction: Prediction, truths: Truths, unit: str) -> tuple[Picture, ...]:
    photo, valid = view.photo.pixels(), view.photo.valid()
    truth = truths.of(view, valid)
    use = torch.ones(photo.shape[:2], dtype=torch.bool) if valid is None else valid
    difference = (prediction.color.float() - photo.float()).abs().mean(dim=-1) / 255
    found = [
        ("photo", photo.numpy()),
        ("render", prediction.color.numpy()),
        (f"error, 0 to {LARGEST_ERROR:.0%}", error_picture(difference, use, LARGEST_ERROR)),
    ]
    depth = prediction.depth
    if depth is None:
        return tuple(Picture(caption, jpeg(picture)) for caption, picture in found)
    drawn = depth.alpha >= COVERED
    spanned = depth.expected[drawn] if truth is None else truth.depth.z[truth.depth.valid]
    span = DepthRange.of(spanned, unit)
    legend = f"depth, {span.near:.3g} (red) to {span.far:.3g} {unit or 'units'} (blue)"
    found.append((legend, depth_picture(depth.expected, drawn, span)))
    if truth is not None:
        z, known = truth.depth.z, truth.depth.valid
        if truth.sparse:
            z, known = _thickened(z), _thickened(known.float()) > 0
        found.append((f"truth: {truth.source.value}", depth_picture(z, known, span)))
    return tuple(Picture(caption, jpeg(picture)) for caption, picture in found)


def _thickened(values: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Let single pixels cover their neighbours, so that they are seen at all."""
    return max_pool2d(values[None], 3, stride=1, padding=1)[0]


def jpeg(picture: pictures.Picture) -> bytes:
    """Encode a picture for the page, at most WIDEST wide."""
    height, width = picture.shape[:2]
    if width > WIDEST:
        size = (WIDEST, max(1, round(height * WIDEST / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return encoded.tobytes()
