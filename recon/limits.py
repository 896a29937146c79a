"""The ranges of a fit's numbers, checked before anything is read or written."""

import math
from collections.abc import Mapping
from functools import reduce
from typing import Any

from recon.errors import UsageError

AT_LEAST: Mapping[str, float] = {
    "steps": 1,
    "max_gaussians": 4,
    "checkpoint_every": 1,
    "seed": 0,
    "memory.photos": 0,
    "densify.every": 1,
    "densify.reset_every": 1,
    "densify.noise": 0,
    "densify.opacity_weight": 0,
    "densify.scale_weight": 0,
    "densify.gradient_threshold": 0,
    "densify.least_gradient": 0,
    "supervision.photometric.weight": 0,
    "supervision.lidar.weight": 0,
    "supervision.sky.weight": 0,
    "supervision.mono_prior.weight": 0,
    "supervision.mono_prior.correlation": 0,
    "supervision.mono_prior.edge_aware": 0,
    "supervision.defocus.weight": 0,
    "supervision.multiview.weight": 0,
    "supervision.consistency.weight": 0,
    "supervision.siamese_coc.weight": 0,
}
"""A first Gaussian is as wide as three others are distant, so that four are the fewest."""
AT_MOST: Mapping[str, float] = {"seed": 2**63 - 1}
SHARES = (
    "densify.begin",
    "densify.full",
    "densify.end",
    "densify.dead_opacity",
    "densify.keep",
    "resolution.quarter_until",
    "resolution.half_until",
    "prior.doubt_from",
    "supervision.photometric.ssim_weight",
    "supervision.lidar.opaque",
    "supervision.defocus.begin",
    "supervision.consistency.begin",
    "supervision.siamese_coc.begin",
    "supervision.defocus.end",
    "supervision.defocus.ssim_weight",
)
POSITIVE = (
    "supervision.defocus.span",
    "supervision.mono_prior.cap",
    "supervision.multiview.cap",
    "supervision.consistency.hidden",
    "supervision.siamese_coc.cap",
    "minutes",
    "learning_rates.means",
    "learning_rates.means_final",
    "learning_rates.log_scales",
    "learning_rates.quaternions",
    "learning_rates.opacity_logits",
    "learning_rates.sh_base",
    "learning_rates.sh_rest",
)
DEGREES = ("sh_degree",)


def check_numbers(settings: object) -> None:
    """Refuse numbers out of range; None stands for one that a preset will give.

    Args:
        settings: a dataclass with the fields named above.

    Raises:
        UsageError: names the flag, its value and its range.
    """
    for name, least in AT_LEAST.items():
        most = AT_MOST.get(name, math.inf)
        words = f"{least} or more" if most == math.inf else f"a number from {least} to {most}"
        _check(settings, name, least, most, words)
    for name in SHARES:
        _check(settings, name, 0, 1, "a share from 0 to 1")
    for name in DEGREES:
        _check(settings, name, 0, 3, "0, 1, 2 or 3")
    for name in POSITIVE:
        _check(settings, name, math.ulp(0.0), math.inf, "more than 0")


def _check(settings: object, name: str, least: float, most: float, words: str) -> None:
    value: Any = reduce(getattr, name.split("."), settings)
    # Written so that NaN fails as well.
    if value is not None and not (least <= value <= most and math.isfinite(value)):
        raise UsageError(f"--{name.replace('_', '-')} {value}: expected {words}.")
