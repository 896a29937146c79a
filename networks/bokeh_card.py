"""The model card that goes with the light generator's weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from recon.networks.bokeh_network import BokehNetwork
from recon.networks.bokeh_pairs import PAINTED, STRONGEST, WEAKEST
from recon.networks.bokeh_scenes import FIRST, HELD_STILLS, HELD_STREETS
from recon.networks.bokeh_training import HEIGHT, WIDTH, BokehTrainSettings
from recon.networks.bokeh_validation import BokehFigures


def bokeh_card(
    settings: BokehTrainSettings,
    last: Mapping[str, float],
    figures: BokehFigures,
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
    count = sum(p.numel() for p in BokehNetwork().parameters())
    told = ", ".join(f"{name} {value:.3g}" for name, value in last.items())
    return f"""# Light bokeh generator

Tells from one sharp photo how fast each pixel blurs as a lens focused at infinity opens: px for
each px·m of K. {count:,} parameters. The design is our own; what it is for is stage 1 of BokehDepth
(arXiv 2512.12425).

**Made by** `recon train bokeh-generator --output FOLDER` with these settings:

    {json.dumps(asdict(settings))}

**Taught by** pairs: a sharp photo, K, and the photo through that lens; and by how wide blur is
measured to be in such pairs (`networks/defocus_sweep.py`). It was shown no depth. The photos
through the lens were made from scenes whose geometry is exact, by the defocus operator.

**Data** {_data(settings)}

**Log** {settings.steps} steps of {settings.pairs} pairs, {seconds:.0f} s of processor time on
{machine}. At the end: {told}.

**Figures** on {figures.pairs} pairs of other such scenes, with all that noise:

| what | |
|---|---|
| PSNR of the photos made against those through the lens | {figures.psnr_db:.2f} dB |
| the same if all is blurred alike, as is best for each photo | {figures.constant_psnr_db:.2f} dB |

**Limits** It knows two worlds, both synthetic: streets from a car, and things before a wall. Of a
still life nothing tells the size, so that its blur is right on average only. Other photographs look
to it like streets: of rooms it blurs a fifth as much as their depth asks (docs/experiments.md). K
is that of the photo as it is given; how wide the photo's view is, is not asked.
"""


def _data(settings: BokehTrainSettings) -> str:
    own = f" Photos with depth in {', '.join(settings.rgbd)}." if settings.rgbd else ""
    nobody = "" if own else " No photograph and nobody's data was used."
    held = f"{HELD_STILLS[0]} to {HELD_STILLS[-1]} and streets {HELD_STREETS[0]} to"
    return (
        f"{settings.scenes} scenes rendered by Mitsuba, still lifes and one in three a street, "
        f"seeds from\n{FIRST}; {PAINTED:.0%} of what is shown are scenes painted by arithmetic."
        f"{own} {WIDTH}x{HEIGHT} px,\nK from {WEAKEST:g} to {STRONGEST:g} px·m, exposure 0.4 to "
        f"1.3, some noise, JPEG and grey.{nobody}\nStill lifes {held} {HELD_STREETS[-1]} are held "
        "out for docs/experiments.md."
    )
