"""A prior's depth on disk: numbers for programs, pictures for people, and how to read them."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from recon.evidence.coc import CocMap
from recon.files import replacing, write_text
from recon.pictures import (
    DepthRange,
    as_8_bit,
    as_16_bit,
    coc_picture,
    depth_picture,
    with_legend,
    write_png,
)
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import DepthKind

MEANINGS = {
    DepthKind.METRIC: "right as it is",
    DepthKind.SCALE: "right up to a factor",
    DepthKind.AFFINE: "right up to a factor and an offset",
    DepthKind.AFFINE_DISPARITY: "its inverse is right up to a factor and an offset",
}


def write_prior(
    folder: Path, stem: str, prior: DepthPrior, frame: Frame, found: PriorDepth
) -> Path:
    """Write one photo's depth.

    The files are `<stem>.npz` (which the prior `file` reads again), `.depth.png` (16 bit),
    `.confidence.png` (8 bit, white is 1), `.colors.png` and `.json`. Where depth was told by blur,
    circles of confusion are in `.coc.npz`, and `.coc.png` shows them: red behind the focus, blue
    before it, paler where the side is not sure.

    Returns:
        The JSON file, which is written last.

    Raises:
        ResourceError: the folder cannot be written to.
    """
    depth, trust = found.depth, found.confidence
    known = depth.z[depth.valid]
    # Metres of a network are metres; a file's numbers are whatever its writer meant.
    metres = depth.kind is DepthKind.METRIC and prior.uses_focal_length
    span = DepthRange.of(known, "m" if metres else "")
    # Stray pixels far beyond the rest shall not coarsen the steps.
    deepest = min(float(known.max()), 10 * span.far) if len(known) else 1.0
    steps = 10.0 ** math.floor(math.log10(65535 / deepest))
    _write_arrays(folder / f"{stem}.npz", found)
    write_png(folder / f"{stem}.depth.png", as_16_bit(depth.z, steps))
    shown = depth.valid.float() if trust is None else trust
    write_png(folder / f"{stem}.confidence.png", as_8_bit(shown))
    colors = with_legend(depth_picture(depth.z, depth.valid, span), span)
    write_png(folder / f"{stem}.colors.png", colors)
    if found.coc is not None:
        _write_coc(folder, stem, found.coc)
    what = {
        "image": frame.name,
        "model": prior.name,
        "identity": prior.identity(),
        "width": frame.camera.width,
        "height": frame.camera.height,
        "focal_px": frame.camera.fx if prior.uses_focal_length else None,
        "depth": f"along the optical axis, {MEANINGS[depth.kind]}",
        "kind": depth.kind.value,
        "unit": "metres" if metres else None,
        "steps_per_unit": steps,
        "no_depth": 0,
        "largest": 65535,
        "valid_share": float(depth.valid.double().mean()),
        "median": float(known.median()) if len(known) else None,
        "confidence": "1 where there is depth" if trust is None else "the prior's own",
        "colors": {"map": "turbo, even in 1 / depth", **asdict(span)},
    }
    if found.coc is not None:
        what["coc"] = {
            "arrays": "size and spread in px of this photo, behind from 0 to 1",
            "median_px": float(found.coc.size.median()),
            "largest_px": float(found.coc.size.max()),
            "note": found.note,
        }
    path = folder / f"{stem}.json"
    write_text(path, json.dumps(what, indent=2) + "\n")
    return path


def _write_coc(folder: Path, stem: str, coc: CocMap) -> None:
    arrays = {"size": coc.size.numpy(), "spread": coc.spread.numpy(), "behind": coc.behind.numpy()}
    with replacing(folder / f"{stem}.coc.npz") as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    write_png(folder / f"{stem}.coc.png", coc_picture(coc))


def _write_arrays(path: Path, found: PriorDepth) -> None:
    depth = found.depth.z.numpy()
    with replacing(path) as temporary, temporary.open("wb") as file:
        if found.confidence is None:
            np.savez_compressed(file, depth=depth)
        else:
            np.savez_compressed(file, depth=depth, confidence=found.confidence.numpy())
