"""Who gathers the evidence for the steps of a fit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from recon.coc_provider import CocProvider
from recon.evidence.blurred_photos import StackProvider
from recon.evidence.depth_files import DepthFileProvider
from recon.evidence.interface import Need, Provider
from recon.evidence.lidar import LidarProvider
from recon.evidence.shuffled import Shuffled
from recon.evidence.sky_masks import SkyProvider
from recon.evidence.store import Store
from recon.match_provider import MatchProvider, MatchSettings
from recon.networks.estimator import SiameseEstimator
from recon.prior_provider import PriorProvider
from recon.priors.choose import PriorChoice, PriorName, choose_prior
from recon.priors.file import DepthFiles
from recon.priors.siamese import weights_at
from recon.types import Capture


@dataclass(frozen=True)
class PriorSettings:
    """Which depth prior the training photos get."""

    model: PriorName | Literal["none", "capture"] = "none"
    """capture takes the metric depth that came with the photos; meter, metric3d and depth-anything
    are networks; lidar completes returns; file reads depth that another program worked out."""
    weights: Path | None = None
    """The network's file, or a folder with it. Where not given: $RECON_WEIGHTS, Hugging Face's
    cache, a download."""
    folder: Path | None = None
    """For file: depth maps under the photos' names."""
    scale: Literal["points", "own"] = "points"
    """Of networks' depth: fitted in each photo to the capture's points, or the prior's own, for
    metric priors on captures in metres."""
    neighbours: int = 2
    """Training photos beside each with whose priors its own must agree to be believed; 0 asks
    none."""
    doubt_from: float = 1.0
    """Share of the fit from which a prior is believed less where it blurs the photo's texture
    unlike the rendered depth does; 1 for never. Every term that asks for the prior sees the
    same."""
    shuffled: bool = False
    """Give each photo the prior of another one: a control, which must not help."""


def providers_for(
    needs: frozenset[Need],
    capture: Capture,
    prior: PriorSettings,
    matching: MatchSettings,
    coc_weights: Path | None = None,
) -> tuple[Provider, ...]:
    """Return who can tell what is needed; nobody for what the capture does not bring.

    Args:
        needs: of the terms in use.
        capture: what is fitted.
        prior: the user's choice.
        matching: likewise.
        coc_weights: of the siamese network; those that come with recon where None.

    Raises:
        DataError, ResourceError, UsageError: the weights or files of the prior or of the matcher
            are not there.
    """
    known: list[Provider] = []
    completes_lidar = Need.PRIOR in needs and prior.model == "lidar"
    if (Need.LIDAR in needs or completes_lidar) and capture.training_sweeps:
        known.append(LidarProvider(capture))
    if Need.SKY in needs and capture.lidar:
        known.append(SkyProvider())
    # Where LiDAR tells the depth, matches add nothing.
    has_lidar = Need.LIDAR in needs and bool(capture.training_sweeps)
    matches = Need.MATCHES in needs and not has_lidar and len(capture.train) <= matching.most
    if matches and (matcher := matching.choose()) is not None:
        known.append(MatchProvider(capture.train, matcher))
    if Need.COC in needs:
        known.append(
            CocProvider(SiameseEstimator(weights_at(coc_weights)), capture.metric, Store())
        )
    if prior.model == "none":
        return tuple(known)
    if Need.PRIOR in needs:
        provider = _prior_provider(prior, capture)
        known.append(Shuffled(provider, capture.train) if prior.shuffled else provider)
    if Need.STACK in needs:
        known.append(StackProvider())
    return tuple(known)


def _prior_provider(settings: PriorSettings, capture: Capture) -> Provider:
    model = settings.model
    if model == "capture" or model == "none":
        return DepthFileProvider()
    files = None if settings.folder is None else DepthFiles(settings.folder)
    chosen = choose_prior(PriorChoice(model, settings.weights, files))
    # Completed LiDAR is no opinion about the photo, that neighbours could share or not.
    neighbours = 0 if model == "lidar" else settings.neighbours
    own_scale = settings.scale == "own"
    return PriorProvider(chosen, capture, Store(), own_scale=own_scale, neighbours=neighbours)
