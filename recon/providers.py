"""Evidence for the steps of a fit: gathered when a view is first seen, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from recon.evidence.blurred_photos import StackProvider
from recon.evidence.depth_files import DepthFileProvider
from recon.evidence.interface import Evidence, Need, Provider
from recon.evidence.lidar import LidarProvider
from recon.evidence.sky_masks import SkyProvider
from recon.evidence.store import Store
from recon.prior_provider import PriorProvider
from recon.priors.choose import PriorChoice, PriorName, choose_prior
from recon.priors.file import DepthFiles
from recon.types import Capture, View


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


def providers_for(
    needs: frozenset[Need], capture: Capture, prior: PriorSettings
) -> tuple[Provider, ...]:
    """Return who can tell what is needed; nobody for what the capture does not bring.

    Args:
        needs: of the terms in use.
        capture: what is fitted.
        prior: the user's choice.

    Raises:
        DataError, ResourceError, UsageError: the prior's weights or files are not there.
    """
    known: list[Provider] = []
    completes_lidar = Need.PRIOR in needs and prior.model == "lidar"
    if (Need.LIDAR in needs or completes_lidar) and capture.training_sweeps:
        known.append(LidarProvider(capture))
    if Need.SKY in needs and capture.lidar:
        known.append(SkyProvider())
    if prior.model == "none":
        return tuple(known)
    if Need.PRIOR in needs:
        known.append(_prior_provider(prior, capture))
    if Need.STACK in needs:
        known.append(StackProvider())
    return tuple(known)


def _prior_provider(settings: PriorSettings, capture: Capture) -> Provider:
    model = settings.model
    if model == "capture" or model == "none":
        return DepthFileProvider()
    files = None if settings.folder is None else DepthFiles(settings.folder)
    chosen = choose_prior(PriorChoice(model, settings.weights, files))
    return PriorProvider(chosen, capture, Store())


class EvidenceCache:
    """What is known of each view, at the sizes that a fit asks for."""

    def __init__(self, providers: Sequence[Provider], device: torch.device) -> None:
        self._providers, self._device = tuple(providers), device
        self._whole: dict[str, Evidence] = {}
        self._kept: dict[tuple[str, int, int], Evidence] = {}

    def load(self, view: View, width: int, height: int) -> Evidence:
        """Return what is known of a view, for its photo at a size.

        Args:
            view: of the capture, at its own size.
            width: of the photo as it is used now.
            height: likewise.

        Raises:
            DataError: a file cannot be read.
        """
        key = (view.name, width, height)
        if key not in self._kept:
            if view.name not in self._whole:
                evidence = Evidence()
                for provider in self._providers:
                    evidence = provider.add(evidence, view)
                self._whole[view.name] = evidence
            resized = self._whole[view.name].resized(view, width, height)
            self._kept[key] = resized.to(self._device)
        return self._kept[key]
