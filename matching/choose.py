"""Which matcher is used."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from recon.errors import UsageError
from recon.matching.aliked import Aliked, aliked_weights
from recon.matching.loftr import Loftr, loftr_weights
from recon.matching.loftr_coarse import WEIGHTS as COARSE_WEIGHTS
from recon.matching.loftr_coarse import LoftrCoarse
from recon.matching.matcher import Matcher
from recon.matching.sift import Sift

Name = Literal["auto", "sift", "aliked", "aliked-t16", "loftr", "loftr-indoor", "loftr-coarse"]


@dataclass(frozen=True)
class MatcherOptions:
    """Who finds the pixels that show the same point in two photos."""

    matcher: Name = "auto"
    """The best whose weights are on this machine: loftr-coarse, aliked, sift, which needs none."""
    weights: Path | None = None
    """The file of the matcher's weights; else it is looked for in $RECON_WEIGHTS, then fetched."""


def choose_matcher(options: MatcherOptions = MatcherOptions()) -> Matcher[Any]:
    """Build the matcher asked for.

    Raises:
        UsageError: weights are given for a matcher that takes none, or for none in particular.
        DataError: the weights cannot be read.
        ResourceError: the weights are nowhere to be had.
    """
    name, given = options.matcher, options.weights
    if given is not None and name in ("auto", "sift"):
        raise UsageError(
            f"--weights {given}: whose weights? Say --matcher aliked, loftr or loftr-coarse too."
        )
    if name == "auto":
        return _best_on_this_machine()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match name:
        case "sift":
            return Sift()
        case "loftr-coarse":
            return LoftrCoarse.load(COARSE_WEIGHTS.find(given))
        case "aliked":
            return Aliked.load(aliked_weights("n16").find(given), "n16", device=device)
        case "aliked-t16":
            return Aliked.load(aliked_weights("t16").find(given), "t16", device=device)
        case "loftr":
            return Loftr.load(loftr_weights("outdoor").find(given), "outdoor", device=device)
        case "loftr-indoor":
            return Loftr.load(loftr_weights("indoor").find(given), "indoor", device=device)


def _best_on_this_machine() -> Matcher[Any]:
    if COARSE_WEIGHTS.on_this_machine() is not None:
        return choose_matcher(MatcherOptions("loftr-coarse"))
    if aliked_weights("n16").on_this_machine() is not None:
        return choose_matcher(MatcherOptions("aliked"))
    return Sift()
