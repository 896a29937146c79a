"""The weights of METER's attention over focus on disk, and the card that goes with them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import safetensors
from safetensors.torch import load_file, save_file

from recon.errors import DataError, first_line
from recon.evidence.weights import Weights, unfilled
from recon.files import replacing
from recon.networks.focus_meter import SWEEP, MeterFocus, StackName
from recon.networks.focus_scenes import FIRST, TRIED
from recon.networks.focus_training import FocusFigures, FocusTrainSettings
from recon.networks.meter_canvas import MeterVariant

CARD = "bokeh_depth.md"
MADE = {"kitti": "streets seen from a car", "nyu": "still lifes"}
TAUGHT = {
    "own": "METER's own depth",
    "light": "the light generator, which is not told depth",
    "exact": "the exact depth, so that the stacks tell more than one photo does",
    "sharp": "nobody: all frames were the photo itself",
}


def file_of(variant: MeterVariant) -> str:
    """Return what the file is called."""
    return f"bokeh_depth_{variant}.safetensors"


def focus_weights_of(variant: MeterVariant) -> Weights:
    """Return where attention over focus may be."""
    return Weights(
        f"attention over focus for meter-{variant}",
        file_of(variant),
        None,
        f"the prior meter-{variant}",
        source=f"`recon train bokeh-depth --base meter-{variant}`",
    )


def save_focus(network: MeterFocus, path: Path) -> None:
    """Write weights and what they are for, whole or not at all."""
    tensors = {name: one.contiguous() for name, one in network.state_dict().items()}
    with replacing(path) as temporary:
        # One entry: several would be in an order of chance, and equal weights differ as files.
        about = {"taught": json.dumps({"base": f"meter-{network.variant}", "stack": network.stack})}
        save_file(tensors, temporary, about)


def load_focus(path: Path, variant: MeterVariant) -> MeterFocus:
    """Read weights.

    Raises:
        DataError: the file is missing, damaged, or for another encoder.
    """
    maker = f"`recon train bokeh-depth --base meter-{variant}`"
    expected = f"{path}: expected weights that {maker} writes"
    network = unfilled(lambda: MeterFocus(variant))
    try:
        with safetensors.safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("taught", "{}"))
        tensors = load_file(path)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{expected}, found no safetensors ({first_line(error)}). Train again."
        ) from error
    base = about.get("base", "nothing that they name")
    if base != f"meter-{variant}":
        raise DataError(f"{expected}, found some for {base}.")
    stack = next((name for name in get_args(StackName) if name == about.get("stack", "own")), None)
    if stack is None:
        raise DataError(f"{expected}, found some for stacks by {about['stack']}.")
    network.stack = stack
    try:
        network.load_state_dict(tensors, assign=True)
    except (RuntimeError, KeyError) as error:
        raise DataError(f"{expected}, found others ({first_line(error)}).") from error
    return network.eval()


def focus_card(
    settings: FocusTrainSettings,
    last: Mapping[str, float],
    figures: FocusFigures,
    machine: str,
    seconds: float,
) -> str:
    """Write in Markdown what the weights are, what they were taught with, and what they are worth.

    Args:
        settings: of the training.
        last: its newest figures, averaged over some steps.
        figures: on photos that did not teach.
        machine: what it ran on.
        seconds: of processor time, without rendering.
    """
    count = sum(p.numel() for p in MeterFocus(settings.variant).parameters())
    told = ", ".join(f"{name} {value:.3g}" for name, value in last.items())
    sweep = ", ".join(f"{strength:g}" for strength in SWEEP[settings.variant])
    own = f", and the depth of {', '.join(settings.rgbd)}" if settings.rgbd else ""
    return f"""# Attention over focus for {settings.base}

Lets METER's encoder look at a photo and the same photo through lenses of K = {sweep} px·m, focused
at infinity (BokehDepth, arXiv 2512.12425, stage 2). {count:,} parameters; METER's own stay.

**Made by** `recon train bokeh-depth --output FOLDER` with these settings:

    {json.dumps(asdict(settings))}

**Taught by** exact depth of {settings.scenes} rendered photos, {MADE[settings.variant]}, seeds from
{FIRST:,}, and their mirror images{own}. The stacks were blurred by {TAUGHT[settings.stack]}.

**Log** {settings.steps} steps of {settings.batch} photos, {seconds:.0f} s of processor time on
{machine}. At the end: {told}.

**Figures** on {figures.photos} rendered photos that did not teach (seeds from {TRIED:,}): AbsRel
{figures.abs_rel:.4f}, METER alone {figures.abs_rel_base:.4f}.

**Limits** See docs/experiments.md for real photos, on which it was neither taught nor chosen.
"""
