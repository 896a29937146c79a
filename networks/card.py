"""The model card that goes with trained weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.training import TrainSettings
from recon.networks.validation import AWAY, BELOW, SEED, Figures

TAUGHT = {
    "siamese": "two focal settings of each scene and their lens; no sharp photo, no depth label "
    "and no circle of confusion was shown",
    "supervised": "the circles of confusion of the painted scenes",
}


def _data(settings: TrainSettings) -> str:
    """Say what was learned from."""
    if settings.stacks:
        named = ", ".join(f"`{name}`" for name in settings.stacks)
        scenes = " and pictures that scenes of Gaussians, fitted to them in turn, draw sharp"
        return f"The focal stacks {named}{scenes if settings.weights.rerender else ''}."
    return f"""Scenes painted by arithmetic, seed {settings.seed}: a slanted background, perhaps a
floor, up to 7 polygons, ellipses and bars before it, with fractal, blotted, striped, checked,
speckled, written or plain patterns, 0.5 to 10 m away. Two planes of focus through one lens,
circles of confusion up to 14 px, round apertures or irises of 5 to 8 blades. Three in ten pairs
with photon noise (5 to 3000 photons per pixel), three in ten as JPEG (quality 55 to 96), exposure
0.4 to 1.3, some grey. {_others(settings)}"""


def _others(settings: TrainSettings) -> str:
    """Say what beside painted scenes was learned from."""
    named = ", ".join(f"`{name}`" for name in settings.rgbd)
    if not named:
        return "No photograph and nobody's data was used."
    return (
        f"Every second scene is one of the sharp photos with depth in {named}, its\nblur rendered "
        "by that depth."
    )


def card(
    settings: TrainSettings,
    last: Mapping[str, float],
    figures: Figures,
    machine: str,
    seconds: float,
) -> str:
    """Write in Markdown what the weights are, what they were taught with, and what they are worth.

    Args:
        settings: of the training.
        last: its newest figures, averaged over some steps.
        figures: on scenes that it has not seen.
        machine: what it ran on.
        seconds: of processor time.
    """
    count = sum(p.numel() for p in SiameseNetwork().parameters())
    told = ", ".join(f"{name} {value:.3g}" for name, value in last.items())
    return f"""# Siamese defocus network

Tells |CoC| in px with its expected error, and which side of the focus a surface lies on, from one
defocused photo. {count:,} parameters. The design is our own, in the spirit of arXiv 2409.12323,
whose equations and code are not public.

**Made by** `recon train siamese --output FOLDER` with these settings:

    {json.dumps(asdict(settings))}

**Taught by** {TAUGHT[settings.mode]}.

**Data** {_data(settings)}

**Log** {settings.steps} steps of {settings.pairs} pairs of {settings.side}x{settings.side} px,
{seconds:.0f} s of processor time on {machine}. At the end: {told}.

**Figures** on {figures.pairs} pairs of other painted scenes (seed {SEED}), with all that noise:

| what | |
|---|---|
| mean absolute error of CoC sizes below {BELOW:g} px | {figures.mae_px:.2f} px |
| the same, over the half that it is surest of | {figures.mae_sure_px:.2f} px |
| side of the focus right, from one photo, beyond {AWAY:g} px | {figures.side_of_one:.1%} |
| side of the focus right, from both photos and the lens | {figures.side_of_two:.1%} |

**Limits** Blur beyond 14 px at 480 px across is not told apart. Where there is no texture it says
that it does not know. Motion blur looks to it like defocus.
"""
